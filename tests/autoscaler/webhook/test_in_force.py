"""The amounts that new pods of a workload start with."""

import pytest

from autoscaler.api.control import Control, ProcessMode
from autoscaler.api.names import PAUSED
from tests.autoscaler.webhook.asking import admitted, asking
from tests.autoscaler.webhook.clusters import APPLY, cluster, pool, profile, quota, workload

DECLARED = {
    "tflops_request": "10",
    "tflops_limit": "20",
    "vram_request": "4Gi",
    "vram_limit": "4Gi",
}
BOTH = {"auto_requests": "true", "auto_limits": "true"}
DESIRED = {
    "epoch": 3,
    "sequence": 7,
    "requests": {"tflops": "12", "vram": "5Gi"},
    "limits": {"tflops": "3e1", "vram": "6442450944"},
}


def start(desired, *objects, control=APPLY, **values):
    snapshot = cluster(workload("job", desired), *objects, control=control)
    return admitted(asking(is_local_gpu="true", **{**DECLARED, **values}), snapshot)


def in_force(desired, *objects, control=APPLY, **values):
    """Return the four amounts in force: TFLOPS and VRAM, request and limit."""
    return tuple(start(desired, *objects, control=control, **values).amounts().values())


def test_an_enrolled_workload_starts_with_what_was_decided_in_canonical_form():
    found = start(DESIRED, **BOTH)
    assert tuple(found.amounts().values()) == ("12", "30", "5Gi", "6Gi")
    assert tuple(found.amounts("declared-").values()) == ("10", "20", "4Gi", "4Gi")


def test_a_workload_that_is_not_enrolled_starts_with_what_was_declared():
    assert in_force(DESIRED) == ("10", "20", "4Gi", "4Gi")


def test_a_recommendation_is_no_decision():
    recommended = workload("job")
    recommended["status"]["recommendation"] = DESIRED
    found = admitted(asking(**DECLARED, **BOTH), cluster(recommended, control=APPLY))
    assert tuple(found.amounts().values()) == ("10", "20", "4Gi", "4Gi")


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"auto_requests": "true"}, ("12", "20", "4Gi", "4Gi")),
        ({"auto_limits": "true"}, ("10", "30", "4Gi", "6Gi")),
        ({"autoscale": "true", "autoscale_target": "compute"}, ("12", "30", "4Gi", "4Gi")),
        ({"autoscale": "true", "autoscale_target": "vram"}, ("10", "20", "5Gi", "6Gi")),
    ],
)
def test_a_decision_counts_only_where_its_layer_is_enrolled(values, expected):
    assert in_force(DESIRED, **values) == expected


@pytest.mark.parametrize(
    ("mode", "limit"), [("apply", "30"), ("initial", "30"), ("recommend", "20")]
)
def test_the_mode_of_a_layer_decides(mode, limit):
    config = {"autoSetLimits": {"enable": True, "mode": mode}}
    small = profile(autoScalingConfig=config)
    assert in_force(DESIRED, small, workload_profile="small")[1] == limit


def test_under_the_process_wide_recommend_declared_values_count():
    recommend = Control(mode=ProcessMode.RECOMMEND, is_paused=True)
    assert in_force(DESIRED, control=recommend, **BOTH) == ("10", "20", "4Gi", "4Gi")


def test_under_a_pause_the_last_decision_counts():
    paused = pool()
    paused["metadata"]["annotations"][PAUSED] = "true"
    everything = Control(mode=ProcessMode.APPLY, is_paused=True)
    assert in_force(DESIRED, control=everything, **BOTH) == ("12", "30", "5Gi", "6Gi")
    assert in_force(DESIRED, paused, **BOTH) == ("12", "30", "5Gi", "6Gi")


def test_next_start_wins_value_by_value():
    later = {**DESIRED, "nextStart": {"requests": {"vram": "1Gi"}, "limits": {"vram": "2Gi"}}}
    assert in_force(later, **BOTH) == ("12", "30", "1Gi", "2Gi")


@pytest.mark.parametrize("model", ["A100", "NVIDIA A100-SXM4-80GB", "a100"])
def test_the_decision_for_a_model_wins_for_pods_of_that_model(model):
    by_model = {
        "A100": {"limits": {"tflops": "40"}, "nextStart": {"limits": {"vram": "8Gi"}}},
        "L4": {"limits": {"tflops": "50"}},
    }
    later = {**DESIRED, "nextStart": {"limits": {"vram": "7Gi"}}, "byGPUModel": by_model}
    assert in_force(later, gpu_model=model, **BOTH) == ("12", "40", "5Gi", "8Gi")
    assert in_force(later, **BOTH) == ("12", "30", "5Gi", "7Gi")


def test_a_model_that_is_not_known_is_matched_by_its_name():
    by_model = {"Own Card": {"limits": {"tflops": "40"}}}
    decided = {**DESIRED, "byGPUModel": by_model}
    assert in_force(decided, gpu_model="own card", **BOTH)[1] == "40"


def test_a_decided_request_is_capped_at_the_limit():
    assert in_force({"requests": {"tflops": "25"}}, auto_requests="true")[:2] == ("20", "20")


def test_a_declared_request_is_never_lowered_for_a_decided_limit():
    assert in_force({"limits": {"tflops": "5"}}, auto_limits="true")[:2] == ("10", "10")


def test_a_decision_above_a_quota_is_capped():
    lowered = quota(maxLimits={"tflops": "25", "vram": "64Gi"}, maxRequests={"tflops": "11"})
    assert in_force(DESIRED, lowered, **BOTH) == ("11", "25", "5Gi", "6Gi")


def test_a_decision_in_the_other_unit_is_left_out_with_a_warning():
    found = start({"limits": {"compute": "50", "vram": "6Gi"}}, **BOTH)
    assert tuple(found.amounts().values()) == ("10", "20", "4Gi", "6Gi")
    (warning,) = found.warnings
    assert warning == (
        "workload job status.desiredResources: states compute-percent-limit, and the pod states "
        "compute in tflops; it is left out"
    )


def test_a_decision_in_percent_fits_a_pod_in_percent():
    snapshot = cluster(workload("job", {"limits": {"compute": "70"}}), control=APPLY)
    obj = asking(compute_percent_limit="50", auto_limits="true")
    assert admitted(obj, snapshot).amounts()["compute-percent-limit"] == "70"


def test_a_limit_that_nobody_declared_may_be_decided():
    snapshot = cluster(workload("job", {"limits": {"tflops": "30"}}), control=APPLY)
    found = admitted(asking(tflops_request="10", auto_limits="true"), snapshot)
    assert found.amounts() == {"tflops-request": "10", "tflops-limit": "30"}
    assert found.amounts("declared-") == {"tflops-request": "10"}


@pytest.mark.parametrize(
    ("desired", "problem"),
    [
        ({"limits": {"tflops": "-1"}}, "desiredResources.limits.tflops: '-1' is negative"),
        ({"requests": {"vram": "4GB"}}, "desiredResources.requests.vram: '4GB' is not valid"),
        ({"limits": {"tflop": "1"}}, "desiredResources.limits.tflop: unknown key"),
        ({"nextStart": 1}, "desiredResources.nextStart: 1 is not valid; allowed: a mapping"),
        ([], "desiredResources: 'a list' is not valid; allowed: a mapping"),
    ],
)
def test_a_decision_that_cannot_be_read_is_left_out_with_a_warning(desired, problem):
    found = start(desired, **BOTH)
    assert tuple(found.amounts().values()) == ("10", "20", "4Gi", "4Gi")
    assert found.warnings[0].startswith(f"workload job status.{problem}")
    assert found.warnings[0].endswith("all of it is left out, and the declared amounts count")


def test_zero_is_no_decision():
    assert in_force({"limits": {"tflops": "0", "vram": "0"}}, **BOTH) == ("10", "20", "4Gi", "4Gi")


@pytest.mark.parametrize("desired", [None, {}, {"epoch": 1}, {"limits": None, "nextStart": None}])
def test_without_a_decision_declared_values_count(desired):
    assert in_force(desired, **BOTH) == ("10", "20", "4Gi", "4Gi")


def test_the_decision_for_another_workload_does_not_count():
    found = in_force(DESIRED, workload="other", **BOTH)
    assert found == ("10", "20", "4Gi", "4Gi")


def test_an_existing_workload_is_a_layer_between_annotation_and_profile():
    shared = workload(
        "shared",
        resources={"requests": {"tflops": 3, "vram": "1Gi"}},
        autoScalingConfig={"autoSetLimits": {"enable": True}},
    )
    small = profile(resources={"requests": {"tflops": 2, "vram": "2Gi"}, "limits": {"vram": "3Gi"}})
    obj = asking(
        workload="shared", generate_workload="false", workload_profile="small", tflops_request="4"
    )
    assert admitted(obj, cluster(shared, small)).amounts() == {
        "tflops-request": "4",
        "vram-request": "1Gi",
        "vram-limit": "3Gi",
    }


def test_an_existing_workload_is_no_layer_unless_asked_for():
    shared = workload("shared", resources={"requests": {"vram": "1Gi"}})
    found = admitted(asking(workload="shared", tflops_request="4"), cluster(shared))
    assert found.amounts() == {"tflops-request": "4"}
