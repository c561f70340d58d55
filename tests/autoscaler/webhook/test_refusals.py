"""Bad input, each with the message that its user reads."""

import pytest

from autoscaler.api.names import PREFIX
from autoscaler.api.object_key import ObjectKey
from tests.autoscaler.webhook.asking import AMOUNTS, asked, asking, keys, refused
from tests.autoscaler.webhook.clusters import cluster, made, pool, profile, quota, workload
from tests.autoscaler.webhook.pods import container, pod

VALUE = {
    ("tflops_request", "ten"): "a quantity of TFLOPS from 0, such as 12 or 1500m",
    ("tflops_limit", "-3"): "a quantity of TFLOPS from 0, such as 12 or 1500m",
    ("vram_request", "4GB"): "a quantity of bytes from 0, such as 4Gi or 512Mi",
    ("vram_limit", "-1Gi"): "a quantity of bytes from 0, such as 4Gi or 512Mi",
    ("compute_percent_limit", "101"): "a quantity of % from 0 to 100, such as 50 or 12.5",
    ("qos", "superb"): "low, medium, high, critical",
    ("gpu_count", "0"): "a whole number from 1 to 128",
    ("gpu_count", "129"): "a whole number from 1 to 128",
    ("gpu_count", "two"): "a whole number from 1 to 128",
    ("replicas", "-1"): "a whole number from 0 to 2147483647",
    ("is_local_gpu", "maybe"): "true or false",
    ("generate_workload", "no"): "true or false",
    ("no_standalone_worker_mode", "1"): "true or false",
    ("auto_limits", "yes"): "'true'",
    ("isolation", "strong"): "shared, soft",
}


@pytest.mark.parametrize(("given", "allowed"), VALUE.items(), ids=lambda item: str(item)[:40])
def test_a_wrong_value_names_annotation_value_and_what_is_allowed(given, allowed):
    key, text = given
    obj = asking(**{**AMOUNTS, key: text})
    path = f"annotation {PREFIX}{key.replace('_', '-')}"
    assert refused(obj) == f"{path}: {text!r} is not valid; allowed: {allowed}"


def test_a_wrong_declared_value_is_named_as_such():
    error = refused(asking(tflops_request="5", declared_tflops_request="-5"))
    assert error.startswith(f"annotation {PREFIX}declared-tflops-request: '-5' is not valid")


def test_a_limit_below_its_request_is_refused():
    error = refused(asking(tflops_request="20", tflops_limit="10"))
    assert error == (
        f"annotation {PREFIX}tflops-limit: tflops-limit 10 TFLOPS is below tflops-request 20 "
        f"TFLOPS (annotation {PREFIX}tflops-request); allowed: at least the request"
    )


def test_a_qos_that_the_quota_forbids_is_refused():
    error = refused(asking(qos="critical", **AMOUNTS), cluster(quota("gold")))
    assert error == (
        f"annotation {PREFIX}qos: qos 'critical' is forbidden by GPUResourceQuota gold; allowed: "
        "low, medium, high"
    )


def test_an_unknown_profile_is_refused_and_looked_for():
    admission = asked(asking(workload_profile="absent", **AMOUNTS))
    assert admission.error == (
        f"annotation {PREFIX}workload-profile: 'absent' is no WorkloadProfile of namespace team; "
        "allowed: the name of an existing one"
    )
    assert admission.missing == (
        ObjectKey("tensor-fusion.ai/v1", "WorkloadProfile", "team", "absent"),
    )


@pytest.mark.parametrize("name", ["other/small", "team/small"])
def test_a_profile_with_a_namespace_is_refused_and_never_looked_for(name):
    other = made("WorkloadProfile", "small", namespace="other", spec={})
    admission = asked(asking(workload_profile=name, **AMOUNTS), cluster(other, profile()))
    assert admission.error == (
        f"annotation {PREFIX}workload-profile: '{name}' is not valid; allowed: the name alone of a "
        "WorkloadProfile in the pod's own namespace team, without a namespace before it"
    )
    assert admission.missing == ()


def test_a_profile_of_another_namespace_is_not_there():
    other = made("WorkloadProfile", "small", namespace="other", spec={})
    error = refused(asking(workload_profile="small", **AMOUNTS), cluster(other))
    assert "is no WorkloadProfile of namespace team" in error


def test_an_unknown_pool_is_refused_with_the_pools_that_exist():
    admission = asked(asking(gpupool="absent", **AMOUNTS), cluster(pool("a"), pool("b")))
    assert admission.error == (f"annotation {PREFIX}gpupool: 'absent' is no GPUPool; allowed: a, b")
    assert admission.missing == (ObjectKey("tensor-fusion.ai/v1", "GPUPool", "", "absent"),)


def test_without_a_default_pool_a_pool_must_be_named():
    error = refused(asking(**AMOUNTS), cluster(pool("a", is_default=False)))
    assert error == (
        f"annotation {PREFIX}gpupool: not set, and no GPUPool is the default one (annotation "
        f"{PREFIX}is-default-pool: 'true'); allowed: a"
    )


def test_an_unknown_container_is_refused():
    error = refused(asking(inject_container="python", **AMOUNTS))
    assert error == (
        f"{PREFIX}inject-container: 'python' is no container of this pod; allowed: main"
    )


def test_both_generations_for_one_resource_are_refused_with_both_fields():
    both = profile(
        autoScalingConfig={
            "autoSetRequests": {"enable": True},
            "autoSetResources": {"enable": True, "targetResource": "vram"},
        }
    )
    error = refused(asking(workload_profile="small", **AMOUNTS), cluster(both))
    assert error.startswith(
        "profile small spec.autoScalingConfig.autoSetResources.enable: autoSetResources and "
        "autoSetRequests both set VRAM (the latter by profile small "
        "spec.autoScalingConfig.autoSetRequests.enable)"
    )


def test_a_preloaded_library_from_elsewhere_is_refused():
    source = {"configMapKeyRef": {"name": "a", "key": "b"}}
    obj = asking(container(env=[{"name": "LD_PRELOAD", "valueFrom": source}]), **AMOUNTS)
    assert refused(obj) == (
        "spec.containers 'main': env LD_PRELOAD takes its value from elsewhere (valueFrom), so "
        "that the limiter cannot be added to it; allowed: a literal value, or no such entry"
    )


def test_a_remote_gpu_of_a_pool_without_workers_is_refused_with_both_remedies():
    error = refused(asking(is_local_gpu="false", **AMOUNTS))
    assert error == (
        f"annotation {PREFIX}is-local-gpu: is-local-gpu 'false' asks for a remote GPU, and pool "
        "default-pool offers none, because it names no worker image "
        "(spec.componentConfig.worker.image); allowed: 'true', or a pool with a worker image in an "
        "installation that runs worker pods"
    )


@pytest.mark.parametrize("key", ["workload", "gpupool"])
def test_a_name_over_63_characters_is_refused(key):
    error = refused(asking(**AMOUNTS, **{key: "w" * 64}))
    assert error == (
        f"annotation {PREFIX}{key}: {'w' * 40!r}... has 64 characters; allowed: at most 63 "
        "lower-case letters, digits, '-' and '.', with a letter or a digit at both ends of each "
        "part"
    )


@pytest.mark.parametrize("name", ["Big", "-a", "a_b", "a..b", "../secrets/x", "a b"])
def test_a_name_that_is_none_is_refused_and_never_looked_for(name):
    for key in ("workload", "gpupool", "workload_profile"):
        admission = asked(asking(**AMOUNTS, **{key: name}))
        assert (
            f"annotation {PREFIX}{key.replace('_', '-')}: '{name}' is not valid" in admission.error
        )
        assert admission.missing == ()


def test_300_kilobytes_of_annotations_are_refused_with_the_largest_named():
    error = refused(asking(comment="x" * 300_000, **AMOUNTS))
    assert error.startswith("metadata.annotations: 3000")
    assert error.endswith(
        f"allowed: at most 262144 bytes in all (the largest is {PREFIX}comment with 300024 bytes)"
    )


def test_an_absurdly_long_value_is_refused_without_repeating_it():
    error = refused(asking(**{**AMOUNTS, "vram_request": "4" * 100_000}))
    assert error == (f"annotation {PREFIX}vram-request: 100000 characters; allowed: at most 1024")


@pytest.mark.parametrize("spec", [None, {}, {"containers": None}, {"containers": []}])
def test_a_pod_without_containers_is_refused(spec):
    obj = {**asking(**AMOUNTS), "spec": spec}
    assert refused(obj) == "spec.containers: empty; allowed: at least one container"


def test_a_pod_without_a_name_of_any_kind_is_refused():
    obj = asking(**AMOUNTS)
    del obj["metadata"]["name"]
    assert refused(obj).startswith("metadata.name: the pod has no name, no generateName and no")


@pytest.mark.parametrize("annotations", [None, {}, keys(tflops_request="0")])
def test_a_pod_that_states_no_amount_is_told_what_to_write(annotations):
    obj = pod(annotations=annotations, labels={f"{PREFIX}enabled": "true"})
    assert refused(obj) == (
        f"no amount of GPU is stated; write annotations such as {PREFIX}tflops-request: '10' and "
        f"{PREFIX}vram-request: 4Gi, or name a profile that has resources by "
        f"{PREFIX}workload-profile"
    )


def test_a_workload_that_must_exist_is_looked_for_and_named():
    admission = asked(asking(workload="shared", generate_workload="false", **AMOUNTS))
    assert admission.error.startswith(
        f"annotation {PREFIX}generate-workload: 'false' asks for the existing TensorFusionWorkload "
        "shared, and namespace team has none of this name"
    )
    assert admission.missing == (
        ObjectKey("tensor-fusion.ai/v1", "TensorFusionWorkload", "team", "shared"),
    )


def test_a_wrong_value_of_an_existing_workload_is_named_with_its_field():
    shared = workload("shared", resources={"requests": {"tflops": "-1"}})
    obj = asking(workload="shared", generate_workload="false", **AMOUNTS)
    error = refused(obj, cluster(shared))
    assert error.startswith("workload shared spec.resources.requests.tflops: '-1' is not valid")


@pytest.mark.parametrize("isolation", ["hard", "partitioned"])
def test_an_isolation_that_is_not_offered_is_refused(isolation):
    assert refused(asking(isolation=isolation, **AMOUNTS)) == (
        f"annotation {PREFIX}isolation: {isolation!r} is not supported; allowed: shared, soft"
    )


def test_a_node_that_is_already_chosen_is_refused():
    assert "spec.nodeName: 'n1' cannot be set" in refused(
        {**asking(**AMOUNTS), "spec": {"containers": [container()], "nodeName": "n1"}}
    )


def test_a_wrong_rule_of_the_pool_is_a_warning_because_its_user_cannot_mend_it():
    rule = {"name": "all", "autoScalingConfig": {"autoSetLimits": {"evaluationPeriod": "soon"}}}
    admission = asked(asking(is_local_gpu="true", **AMOUNTS), cluster(pool(rules=[rule])))
    assert admission.error == ""
    (warning,) = admission.warnings
    assert warning.startswith("pool rule default-pool/all autoScalingConfig.autoSetLimits")


def test_letters_that_cannot_be_printed_do_not_reach_the_message():
    assert refused(asking(qos="\u202elow\x1b[31m", **AMOUNTS)).isprintable()
