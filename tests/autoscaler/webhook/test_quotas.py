"""What quotas of a namespace refuse, and what they fill in."""

import json

import pytest

from autoscaler.api.names import PREFIX
from tests.autoscaler.webhook.asking import AMOUNTS, admitted, asking, refused
from tests.autoscaler.webhook.clusters import cluster, made, profile, quota
from tests.autoscaler.webhook.pods import container

PATH = "GPUResourceQuota gold spec.single"


def test_a_request_above_the_largest_is_refused_with_both_places():
    error = refused(asking(**AMOUNTS), cluster(quota(maxRequests={"tflops": 5})))
    assert error == (
        f"annotation {PREFIX}tflops-request: tflops-request 10 is above {PATH}.maxRequests.tflops; "
        "allowed: at most 5"
    )


def test_an_amount_of_a_profile_is_checked_like_any_other():
    small = profile(resources={"limits": {"vram": "8Gi"}})
    snapshot = cluster(small, quota(maxLimits={"vram": "4096Mi"}))
    assert refused(asking(workload_profile="small"), snapshot) == (
        f"profile small: vram-limit 8Gi is above {PATH}.maxLimits.vram; allowed: at most 4Gi"
    )


def test_a_limit_must_be_stated_where_a_quota_has_a_largest_one():
    error = refused(asking(**AMOUNTS), cluster(quota(maxLimits={"tflops": "50"})))
    assert error == (
        f"annotation {PREFIX}tflops-limit: not set, and {PATH}.maxLimits.tflops allows at most 50; "
        "allowed: 0 < tflops-limit <= 50"
    )


def test_amounts_at_the_maximum_are_admitted():
    most = {"tflops": "10", "vram": "4Gi"}
    obj = asking(tflops_limit="10", vram_limit="4096Mi")
    found = admitted(obj, cluster(quota(maxRequests=most, maxLimits=most)))
    assert found.amounts()["vram-limit"] == "4096Mi"


def test_zero_sets_no_maximum():
    none = {"tflops": "0", "vram": 0}
    assert admitted(asking(**AMOUNTS), cluster(quota(maxRequests=none, maxLimits=none))).amounts()


def test_of_several_quotas_every_maximum_binds():
    quotas = (quota("a", maxRequests={"tflops": 5}), quota("b", maxRequests={"vram": "1Gi"}))
    error = refused(asking(**AMOUNTS), cluster(*quotas))
    assert "GPUResourceQuota a spec.single.maxRequests.tflops" in error
    assert "GPUResourceQuota b spec.single.maxRequests.vram" in error


def test_a_quota_of_another_namespace_does_not_bind():
    other = made("GPUResourceQuota", "x", namespace="other", spec={"single": {"maxGPUCount": 1}})
    assert (
        admitted(asking(gpu_count="2", **AMOUNTS), cluster(other)).annotations["gpu-count"] == "2"
    )


def test_defaults_come_from_the_first_quota_by_name():
    quotas = (
        quota("b", defaultRequests={"tflops": 2}),
        quota("a", defaultRequests={"vram": "1Gi"}),
    )
    assert admitted(asking(tflops_request="10"), cluster(*quotas)).amounts() == {
        "tflops-request": "10",
        "vram-request": "1Gi",
    }


def test_defaults_fill_only_what_limits_leave_open():
    defaults = quota(defaultRequests={"tflops": 5, "vram": "1Gi"})
    assert admitted(asking(tflops_limit="100"), cluster(defaults)).amounts() == {
        "tflops-request": "100",
        "tflops-limit": "100",
        "vram-request": "1Gi",
    }


@pytest.mark.parametrize(
    ("source", "values"),
    [
        (f"annotation {PREFIX}gpu-count", {"gpu_count": "3"}),
        (f"annotation {PREFIX}gpu-indices", {"gpu_indices": "0,1,2"}),
    ],
)
def test_too_many_gpus_are_refused_where_they_are_stated(source, values):
    error = refused(asking(**AMOUNTS, **values), cluster(quota(maxGPUCount=2)))
    assert error == f"{source}: 3 GPUs are above {PATH}.maxGPUCount; allowed: at most 2"


def test_native_gpus_count_too():
    error = refused(asking(container(gpus=3)), cluster(quota(maxGPUCount=2)))
    assert error.startswith("native GPU resources: 3 GPUs are above")


def test_percent_does_not_go_round_a_quota_in_tflops():
    snapshot = cluster(quota(maxRequests={"tflops": "31.2"}))
    over = asking(compute_percent_request="11", gpu_model="A100")
    assert refused(over, snapshot) == (
        f"annotation {PREFIX}compute-percent-request: compute-percent-request 11 is above "
        f"{PATH}.maxRequests.tflops; allowed: at most 10"
    )
    at = asking(compute_percent_request="10", gpu_model="A100")
    assert admitted(at, snapshot).amounts() == {"compute-percent-request": "10"}


def test_tflops_do_not_go_round_a_quota_in_percent():
    snapshot = cluster(quota(maxRequests={"compute": "10"}))
    error = refused(asking(tflops_request="32", gpu_model="A100"), snapshot)
    assert error.endswith(f"is above {PATH}.maxRequests.compute; allowed: at most 31.2")


def test_percent_of_an_unknown_gpu_cannot_be_compared_and_is_refused():
    error = refused(
        asking(compute_percent_request="10"), cluster(quota(maxRequests={"tflops": 20}))
    )
    assert error == (
        f"{PATH}.maxRequests.tflops: is in another unit than the pod's (compute-percent), and its "
        "GPU model is not known; allowed: amounts in that unit, or a known model in annotation "
        f"{PREFIX}gpu-model"
    )


@pytest.mark.parametrize(
    ("single", "path"),
    [
        ({"maxRequests": {"tflops": "-5"}}, "maxRequests.tflops"),
        ({"maxLimits": []}, "maxLimits"),
        ({"maxGPUCount": "many"}, "maxGPUCount"),
        ({"defaultRequests": {"vram": "4GB"}}, "defaultRequests.vram"),
    ],
)
def test_a_quota_that_cannot_be_read_refuses_rather_than_to_allow(single, path):
    assert path in refused(asking(**AMOUNTS), cluster(quota(**single)))


def test_a_default_names_its_quota_in_sources_and_in_messages():
    gold = quota(defaultLimits={"tflops": "20", "vram": "2Gi"})
    found = admitted(asking(is_local_gpu="true", vram_limit="1Gi"), cluster(gold))
    assert json.loads(found.annotations["sources"])["tflops-limit"] == "GPUResourceQuota gold"
    assert refused(asking(is_local_gpu="true", tflops_request="40"), cluster(gold)) == (
        f"{PATH}.defaultLimits.tflops: tflops-limit 20 TFLOPS is below tflops-request 40 TFLOPS "
        f"(annotation {PREFIX}tflops-request); allowed: at least the request"
    )


def test_a_maximum_in_another_unit_is_shown_in_the_unit_of_the_pod_with_three_decimals():
    obj = asking(is_local_gpu="true", compute_percent_limit="40", gpu_model="A100")
    error = refused(obj, cluster(quota(maxLimits={"tflops": "50"})))
    assert error == (
        f"annotation {PREFIX}compute-percent-limit: compute-percent-limit 40 is above "
        f"{PATH}.maxLimits.tflops; allowed: at most 16.025"
    )
