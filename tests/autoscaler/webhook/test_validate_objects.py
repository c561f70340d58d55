import pytest

from autoscaler.webhook.admission import Admission
from tests.autoscaler.webhook.checking import checked, error_of, warnings_of
from tests.autoscaler.webhook.clusters import made, pool, profile, quota, workload


@pytest.mark.parametrize("make", [profile, workload])
def test_a_sound_spec_is_accepted_without_a_word(make):
    sound = make(
        qos="high",
        gpuCount=2,
        gpuModel="A100",
        poolName="default-pool",
        resources={"requests": {"tflops": "10", "vram": "4Gi"}, "limits": {"tflops": 20}},
        autoScalingConfig={"autoSetRequests": {"enable": True, "targetResource": "all"}},
        workerPodTemplate={"spec": {"nodeSelector": {"a": "b"}}},
    )

    assert checked(sound) == Admission()


@pytest.mark.parametrize("make", [profile, workload])
@pytest.mark.parametrize("spec", [{}, {"resources": None, "autoScalingConfig": None}])
def test_an_empty_spec_is_accepted(make, spec):
    assert checked(make(**spec)) == Admission()


@pytest.mark.parametrize("make", [profile, workload])
@pytest.mark.parametrize(
    ("spec", "error"),
    [
        (
            {"qos": "superb"},
            "spec.qos: 'superb' is not valid; allowed: low, medium, high, critical",
        ),
        (
            {"gpuCount": 129},
            "spec.gpuCount: 129 is not valid; allowed: a whole number from 1 to 128",
        ),
        (
            {"resources": {"requests": {"vram": "-1"}}},
            (
                "spec.resources.requests.vram: '-1' is not valid; allowed: a quantity of bytes "
                "from 0, such as 4Gi or 512Mi"
            ),
        ),
        (
            {"resources": {"requests": {"tflops": 20}, "limits": {"tflops": 10}}},
            (
                "spec.resources.limits.tflops: tflops-limit 10 TFLOPS is below tflops-request "
                "20 TFLOPS (spec.resources.requests.tflops); allowed: at least the request"
            ),
        ),
        (
            {"poolName": "Not_A_Name"},
            (
                "spec.poolName: 'Not_A_Name' is not valid; allowed: at most 63 lower-case letters, "
                "digits, '-' and '.', with a letter or a digit at both ends of each part"
            ),
        ),
        (
            {"workerPodTemplate": {"spec": {"hostPID": True}}},
            (
                "spec.workerPodTemplate.spec.hostPID: is not allowed; allowed: affinity, "
                "containers, imagePullSecrets, nodeSelector, terminationGracePeriodSeconds, "
                "tolerations, topologySpreadConstraints"
            ),
        ),
    ],
)
def test_a_bad_value_is_refused_with_field_value_and_what_is_allowed(make, spec, error):
    assert error_of(make(**spec)) == error


def test_both_generations_for_the_same_resource_are_refused_with_both_paths():
    both = {
        "autoSetRequests": {"enable": True, "targetResource": "vram"},
        "autoSetResources": {"enable": True, "targetResource": "vram"},
    }

    error = error_of(profile(autoScalingConfig=both))

    assert "spec.autoScalingConfig.autoSetRequests" in error
    assert "spec.autoScalingConfig.autoSetResources" in error


def test_all_that_is_wrong_is_named_at_once():
    error = error_of(profile(qos="superb", gpuCount=0))

    assert error.startswith("2 reasons: (1) spec.")


def test_warnings_of_a_spec_are_passed_on():
    assert warnings_of(profile(gpuModel="A1000")) == (
        (
            "spec.gpuModel: 'A1000' is no known GPU model, so its capacity is not known; did you "
            "mean A100, A100-80G, A100-40G?"
        ),
    )


def test_a_pool_that_does_not_exist_yet_is_a_warning():
    assert warnings_of(profile(poolName="later")) == (
        "spec.poolName: there is no GPUPool 'later' now; known pools: default-pool",
    )


def test_the_name_of_a_workload_fits_into_a_label():
    assert error_of(workload("w" * 63)) == ""
    assert error_of(workload("w" * 64)) == (
        "metadata.name: 'wwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwww'... has 64 characters; allowed: "
        "at most 63 lower-case letters, digits, '-' and '.', with a letter or a digit at both ends "
        "of each part"
    )


def test_a_profile_may_have_any_name_that_kubernetes_allows():
    assert error_of(profile("p" * 253)) == ""


# Updates


@pytest.mark.parametrize(
    "broken",
    [
        profile(qos="superb"),
        workload("w" * 64, qos="superb"),
        quota(maxGPUCount=0),
        pool(qosConfig={"defaultQoS": "superb"}),
    ],
    ids=lambda obj: obj["kind"],
)
def test_an_update_that_leaves_the_spec_is_never_refused(broken):
    labelled = {**broken, "metadata": {**broken["metadata"], "finalizers": []}}

    assert error_of(broken) != ""
    assert checked(labelled, old=broken) == Admission()


def test_an_update_of_the_spec_is_checked():
    old = profile(qos="high")

    assert checked(profile(qos="superb"), old=old).error != ""


def test_kinds_without_checks_pass():
    assert checked(made("TensorFusionConnection", "c", spec={"workloadName": 1})) == Admission()


def cron_rule(**resources):
    window = {"start": "0 8 * * *", "end": "0 20 * * *", "enable": True, "name": "day"}
    return {"cronScalingRules": [{**window, "desiredResources": resources}]}


CRON = "autoScalingConfig.cronScalingRules[0].desiredResources"
BOUNDS = {"minAllowed": {"vram": "8Gi"}, "maxAllowed": {"vram": "4Gi"}}
RELATIONS = [
    (
        cron_rule(requests={"tflops": "20"}, limits={"tflops": "10"}),
        f"{CRON}.limits.tflops: 10 is below requests.tflops, 20; allowed: at least as much",
    ),
    (
        cron_rule(requests={"compute": 50}, limits={"compute": "10"}),
        f"{CRON}.limits.compute: 10 is below requests.compute, 50; allowed: at least as much",
    ),
    (
        cron_rule(requests={"vram": "4Gi"}, limits={"vram": "1Gi"}),
        f"{CRON}.limits.vram: 1Gi is below requests.vram, 4Gi; allowed: at least as much",
    ),
    (
        cron_rule(limits={"compute": 150}),
        f"{CRON}.limits.compute: 150 is too large; allowed: 0 to 100 (percent of one GPU)",
    ),
    (
        {"autoSetLimits": BOUNDS},
        (
            "autoScalingConfig.autoSetLimits.minAllowed.vram: 8 GiB is above {at}.autoScalingConfig"
            ".autoSetLimits.maxAllowed.vram, 4 GiB; allowed: at most as much"
        ),
    ),
]


@pytest.mark.parametrize(("config", "error"), RELATIONS)
def test_values_inside_of_lists_and_blocks_must_fit_each_other(config, error):
    assert error_of(profile(autoScalingConfig=config)) == f"spec.{error.format(at='spec')}"
    rule = {"name": "r", "autoScalingConfig": config}
    at = "spec.rules[0]"
    assert error_of(pool(rules=[rule])) == f"{at}.{error.format(at=at)}"


def test_percent_of_a_model_that_a_pod_will_name_is_a_warning():
    config = cron_rule(limits={"compute": 50})
    warning = (
        f"{CRON}.limits.compute: percent of a GPU needs a known GPU model; state gpuModel or use "
        "tflops"
    )
    assert warnings_of(profile(autoScalingConfig=config)) == (f"spec.{warning}",)
    rules = [{"name": "r", "autoScalingConfig": config}]
    assert warnings_of(pool(rules=rules)) == (f"spec.rules[0].{warning}",)
    assert warnings_of(profile(autoScalingConfig=config, gpuModel="A100")) == ()


@pytest.mark.parametrize("make", [profile, workload])
def test_fields_that_are_kept_and_not_acted_on_are_named(make):
    spec = {"gangScheduling": {"minMembers": 2}, "partitionTemplateId": "x", "sidecarWorker": True}
    assert warnings_of(make(**spec)) == tuple(f"spec.{key}: it is not acted on" for key in spec)
    assert warnings_of(make(gangScheduling=None, sidecarWorker=False)) == ()
