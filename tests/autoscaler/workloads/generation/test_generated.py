"""The spec of a workload as its newest pod says."""

from dataclasses import replace

import pytest
from hypothesis import assume, given

from autoscaler.api.names import (
    GPU_INDICES,
    GPU_MODEL,
    IN_FORCE,
    ISOLATION,
    MODE,
    PREFIX,
    QOS,
    SOURCES,
    SYSTEM_LABELS,
    VENDOR,
    WORKER_POD_TEMPLATE,
    WORKLOAD_PROFILE,
)
from autoscaler.api.pool_rules import rule_for
from autoscaler.api.workload import TensorFusionWorkload
from autoscaler.workloads.generation.generated import generated_spec, profile_of
from recommender.policy.fields import DECLARED_PREFIX
from recommender.policy.resolve import resolve
from tests.autoscaler.webhook.asking import asked, patched
from tests.autoscaler.webhook.submissions import sensible_pods
from tests.autoscaler.webhook.surroundings import clusters
from tests.autoscaler.workloads.objects import made, pool, worker

ENROLLED = {"autoSetRequests": {"enable": True}}
TEMPLATE = "spec: {nodeSelector: {disk: fast}}"
AFFINITY = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": []}}


def profile(name="small", **spec):
    return made("WorkloadProfile", name, spec=spec)


def generated(pod=None, *, named=None, of=None):
    return generated_spec(worker() if pod is None else pod, named, pool() if of is None else of)


def with_profile(**annotations):
    return worker(annotations={WORKLOAD_PROFILE: "small", **annotations})


def test_an_embedded_worker_states_all_that_admission_resolved():
    pod = worker(
        count=2,
        annotations={QOS: " HIGH ", GPU_MODEL: "A100", VENDOR: " NVIDIA ", ISOLATION: "Soft"},
    )
    found = generated(pod)
    assert found.spec == {
        "poolName": "pool",
        "resources": {
            "requests": {"tflops": "10", "vram": "4Gi"},
            "limits": {"tflops": "20", "vram": "8Gi"},
        },
        "qos": "high",
        "isLocalGPU": True,
        "noStandaloneWorkerMode": True,
        "isolation": "soft",
        "gpuModel": "A100",
        "gpuCount": 2,
        "vendor": "NVIDIA",
    }
    assert found.all_problems == ()


def test_amounts_are_the_declared_ones_and_not_those_in_force():
    pod = worker(annotations={f"{PREFIX}tflops-limit": "99", f"{PREFIX}vram-limit": "64Gi"})
    assert generated(pod).spec["resources"]["limits"] == {"tflops": "20", "vram": "8Gi"}


def test_percent_is_compute_and_quantities_stay_as_they_are_spelt():
    pod = worker(amounts={"compute-percent-request": "12.50", "vram-request": "4096Mi"})
    assert generated(pod).spec["resources"] == {"requests": {"compute": "12.50", "vram": "4096Mi"}}


def test_a_quantity_that_is_too_long_for_the_api_is_written_shorter():
    pod = worker(amounts={"tflops-request": "10." + "0" * 70})
    assert generated(pod).spec["resources"] == {"requests": {"tflops": "10"}}


def test_gpu_indices_are_numbers():
    pod = worker(count=2, annotations={GPU_INDICES: " 0, 3 "})
    assert generated(pod).spec["gpuIndices"] == [0, 3]


def test_settings_of_annotations_profile_and_pool_rule_are_merged_and_keep_their_sources():
    rules = [
        {
            "name": "web",
            "podSelector": {"matchLabels": {"app": "web"}},
            "autoScalingConfig": {"autoSetRequests": {"percentileForAutoRequests": "0.9"}},
        }
    ]
    pod = worker(
        annotations={f"{PREFIX}auto-limits": "true", WORKLOAD_PROFILE: "small"},
        labels={"app": "web"},
    )
    found = generated(pod, named=profile(autoScalingConfig=ENROLLED), of=pool(rules=rules))
    assert found.spec["autoScalingConfig"] == {
        "autoSetRequests": {"enable": True, "percentileForAutoRequests": "0.9"},
        "autoSetLimits": {"enable": True},
    }
    prefix = "autoScalingConfig.autoSet"
    assert {key: found.effective[f"{prefix}{key}"] for key in ("Requests.enable",)} == {
        "Requests.enable": {"value": "true", "source": "profile small"}
    }
    assert found.effective[f"{prefix}Limits.enable"]["source"] == (
        "annotation tensor-fusion.ai/auto-limits"
    )
    assert found.effective[f"{prefix}Requests.percentileForAutoRequests"] == {
        "value": "0.9",
        "source": "pool rule pool/web",
    }


def test_a_rule_of_the_pool_selects_by_labels_of_the_user_alone():
    rules = [
        {
            "name": "mine",
            "podSelector": {"matchLabels": {"tensor-fusion.ai/workload": "job"}},
            "autoScalingConfig": ENROLLED,
        }
    ]
    assert "autoScalingConfig" not in generated(of=pool(rules=rules)).spec


def test_a_changed_profile_changes_the_settings_and_no_amount():
    changed = profile(
        autoScalingConfig=ENROLLED,
        resources={"limits": {"tflops": "77"}},
        qos="low",
        gpuCount=4,
    )
    spec = generated(with_profile(), named=changed).spec
    assert spec["autoScalingConfig"] == ENROLLED
    assert (spec["resources"]["limits"]["tflops"], spec["qos"], spec["gpuCount"]) == (
        "20",
        "medium",
        1,
    )


def test_values_are_shown_with_the_sources_that_admission_found():
    pod = worker(annotations={SOURCES: '{"tflops-request": "profile small", "qos": "default"}'})
    effective = generated(pod).effective
    assert effective["tflops-request"] == {"value": "10", "source": "profile small"}
    assert effective["qos"] == {"value": "medium", "source": "default"}
    assert effective["vram-limit"]["source"] == "annotation tensor-fusion.ai/declared-vram-limit"


@pytest.mark.parametrize("text", ["", "[1]", "{", "[" * 5000, '{"tflops-request": 1}'])
def test_sources_that_a_tenant_damaged_are_not_believed(text):
    effective = generated(worker(annotations={SOURCES: text})).effective
    assert effective["tflops-request"]["source"] == (
        "annotation tensor-fusion.ai/declared-tflops-request"
    )


def test_worker_pods_follow_annotation_and_profile():
    named = profile(workerPodTemplate={"spec": {}}, nodeAffinity=AFFINITY, replicas=3)
    remote = {MODE: "remote", WORKLOAD_PROFILE: "small"}
    found = generated(worker(annotations=remote), named=named)
    assert found.spec["workerPodTemplate"] == {"spec": {}}
    assert found.spec["nodeAffinity"] == AFFINITY
    assert found.spec["isLocalGPU"] is False
    assert "noStandaloneWorkerMode" not in found.spec
    assert found.replicas == 3
    pod = worker(annotations={**remote, WORKER_POD_TEMPLATE: TEMPLATE, f"{PREFIX}replicas": "2"})
    found = generated(pod, named=named)
    assert found.spec["workerPodTemplate"] == {"spec": {"nodeSelector": {"disk": "fast"}}}
    assert found.replicas == 2


def test_a_stand_alone_workload_is_local_and_has_worker_pods():
    spec = generated(worker(annotations={MODE: "standalone"})).spec
    assert (spec["isLocalGPU"], spec["noStandaloneWorkerMode"]) == (True, False)


@pytest.mark.parametrize(
    ("config", "is_autoscaled"),
    [
        ({}, False),
        ({"autoSetReplicas": {"enable": True}}, True),
        ({"autoSetReplicas": {"enable": True, "mode": "recommend"}}, False),
        ({"autoSetReplicas": {"enable": True, "mode": "initial"}}, False),
    ],
)
def test_the_number_is_the_autoscaler_s_only_where_auto_replicas_acts(config, is_autoscaled):
    found = generated(with_profile(), named=profile(autoScalingConfig=config))
    assert found.is_autoscaled is is_autoscaled


def test_an_embedded_worker_has_no_template_of_worker_pods():
    named = profile(workerPodTemplate={"spec": {}}, nodeAffinity=AFFINITY)
    spec = generated(with_profile(), named=named).spec
    assert {"workerPodTemplate", "nodeAffinity"}.isdisjoint(spec)


@pytest.mark.parametrize(
    ("annotations", "problem"),
    [
        (
            {MODE: "elsewhere"},
            (
                "annotation tensor-fusion.ai/mode: 'elsewhere' is not valid; allowed: "
                "embedded, standalone, remote"
            ),
        ),
        (
            {ISOLATION: "hard"},
            "annotation tensor-fusion.ai/isolation: 'hard' is not valid; allowed: shared, soft",
        ),
        (
            {GPU_INDICES: "first"},
            (
                "annotation tensor-fusion.ai/gpu-indices: 'first' is not valid; "
                "allowed: whole numbers from 0, separated by commas, such as 0,2"
            ),
        ),
        (
            {QOS: "superb"},
            (
                "annotation tensor-fusion.ai/qos: 'superb' is not valid; "
                "allowed: low, medium, high, critical"
            ),
        ),
        (
            {MODE: "remote", WORKER_POD_TEMPLATE: "spec: {hostPID: true}"},
            (
                "annotation tensor-fusion.ai/worker-pod-template.spec.hostPID: is not allowed; "
                "allowed: affinity, containers, imagePullSecrets, nodeSelector, "
                "terminationGracePeriodSeconds, tolerations, topologySpreadConstraints"
            ),
        ),
    ],
)
def test_what_cannot_be_read_is_named_with_value_and_what_is_allowed(annotations, problem):
    assert generated(worker(annotations=annotations)).problems == (problem,)


def test_what_is_wrong_within_a_profile_is_no_reason_to_keep_the_old_spec():
    wrong = {"autoSetRequests": {"enable": True, "percentileForAutoRequests": "many"}}
    found = generated(with_profile(), named=profile(autoScalingConfig=wrong))
    assert found.all_problems == ()
    [left_out] = found.left_out
    assert left_out.startswith(
        "profile small spec.autoScalingConfig.autoSetRequests.percentileForAutoRequests: 'many' is "
        "not valid; allowed: a share from 1% to 100%"
    )


def test_what_a_pod_names_and_is_not_there_is_told():
    pod = with_profile()
    assert profile_of(pod) == "small"
    assert generated_spec(pod, None, None).absent == (
        "there is no WorkloadProfile 'small' in its namespace",
        "there is no GPUPool 'pool'",
    )


def _admitted(obj, snapshot):
    admission = asked(obj, snapshot)
    assume(not admission.error)
    pod = patched(obj, admission)
    pod["metadata"].setdefault("namespace", "team")
    return pod


def _found(snapshot, kind, name):
    objects = (obj for obj in snapshot.objects if obj["kind"] == kind)
    return next((obj for obj in objects if obj["metadata"]["name"] == name), None)


@given(sensible_pods(), clusters())
def test_a_workload_alone_says_what_its_admitted_pod_and_all_layers_say(obj, snapshot):
    pod = _admitted(obj, snapshot)
    named = _found(snapshot, "WorkloadProfile", profile_of(pod) or "")
    of = _found(snapshot, "GPUPool", pod["metadata"]["labels"]["tensor-fusion.ai/gpupool"])
    found = generated_spec(pod, named, of)
    assert found.all_problems == ()
    workload = {"metadata": {"name": "web"}, "spec": dict(found.spec)}
    assert TensorFusionWorkload.from_object(workload).to_object() == workload
    alone = resolve(workload=found.spec)
    assert not alone.errors
    declared = {
        key.removeprefix(f"{PREFIX}declared-"): text
        for key, text in pod["metadata"]["annotations"].items()
        if key.startswith(f"{PREFIX}declared-")
    }
    assert dict(alone.stated.quantities) == declared
    assert alone.stated.gpu_count == int(pod["metadata"]["annotations"][f"{PREFIX}gpu-count"])
    assert _meant(alone.policy) == _meant(_of_all_layers(pod, named, of).policy)


def _of_all_layers(pod, named, of):
    """Return what an admitted pod, its profile and the rule of its pool say together."""
    labels = pod["metadata"]["labels"]
    own = {key: value for key, value in labels.items() if key not in SYSTEM_LABELS}
    in_force = dict.fromkeys(IN_FORCE)
    return resolve(
        annotations={**pod["metadata"]["annotations"], **in_force},
        amounts_prefix=DECLARED_PREFIX,
        profile=None if named is None else named["spec"],
        pool_rule=rule_for(of["spec"], own),
    )


def _meant(policy):
    """Return what a policy does, without where that was said."""
    return replace(policy, sources={}, problems=())
