"""The quality of service of a pod and its priority class."""

import json

import pytest

from autoscaler.api.names import PREFIX
from tests.autoscaler.webhook.asking import AMOUNTS, admitted, asking, refused
from tests.autoscaler.webhook.clusters import cluster, pool, priority_class, profile, quota
from tests.autoscaler.webhook.pods import container

EQUAL = {"tflops_limit": "10", "vram_limit": "4Gi"}
HIGH = priority_class("tensor-fusion-high")


def qos_of(snapshot=None, **values):
    found = admitted(asking(**values), snapshot).annotations
    return found["qos"], json.loads(found["sources"])["qos"]


def test_an_annotation_wins_over_the_profile():
    snapshot = cluster(profile(qos="low"))
    annotation = (f"annotation {PREFIX}qos", "high")
    assert qos_of(snapshot, workload_profile="small", **AMOUNTS) == ("low", "profile small")
    assert qos_of(snapshot, workload_profile="small", qos="high", **AMOUNTS)[::-1] == annotation


def test_requests_that_equal_limits_mean_high():
    assert qos_of(**EQUAL) == ("high", "requests equal limits")


@pytest.mark.parametrize(
    "values", [{"tflops_limit": "10"}, {"vram_limit": "4Gi"}, {**EQUAL, "vram_request": "1Gi"}]
)
def test_only_both_compute_and_vram_mean_high(values):
    assert qos_of(**values) == ("medium", "default")


def test_a_stated_level_is_kept_where_requests_equal_limits():
    assert qos_of(qos="low", **EQUAL)[0] == "low"


def test_the_pool_has_a_default():
    gold = cluster(pool(qosConfig={"defaultQoS": "low"}))
    assert qos_of(gold, **AMOUNTS) == ("low", "pool default-pool")


def test_a_wrong_default_of_the_pool_is_a_warning():
    gold = cluster(pool(qosConfig={"defaultQoS": "superb"}))
    found = admitted(asking(is_local_gpu="true", **AMOUNTS), gold)
    assert found.annotations["qos"] == "medium"
    assert "spec.qosConfig.defaultQoS: 'superb' is not valid" in found.warnings[0]


def test_a_default_that_a_quota_forbids_gives_way_to_the_next():
    assert qos_of(cluster(quota(allowed_qos=["low", "medium"])), **EQUAL)[0] == "medium"
    assert qos_of(cluster(quota(allowed_qos=["low"])), **EQUAL)[0] == "low"


def test_a_quota_that_allows_no_default_asks_for_a_level():
    error = refused(asking(**AMOUNTS), cluster(quota(allowed_qos=["critical"])))
    assert error == (
        f"annotation {PREFIX}qos: not set, and the default 'medium' is forbidden by "
        "GPUResourceQuota gold; allowed: critical"
    )


def test_critical_needs_a_quota_that_allows_it_only_where_there_is_a_quota():
    assert qos_of(qos="critical", **AMOUNTS)[0] == "critical"
    assert qos_of(cluster(quota(allowed_qos=["critical"])), qos="critical", **AMOUNTS)[0]


@pytest.mark.parametrize("level", ["high", "critical"])
def test_a_priority_class_goes_with_high_and_critical(level):
    name = f"tensor-fusion-{level}"
    spec = admitted(asking(qos=level, **AMOUNTS), cluster(priority_class(name))).pod["spec"]
    assert spec["priorityClassName"] == name


@pytest.mark.parametrize("level", ["low", "medium"])
def test_low_and_medium_have_no_priority_class(level):
    assert "priorityClassName" not in admitted(asking(qos=level, **AMOUNTS)).pod["spec"]


def test_a_class_of_the_user_is_kept():
    obj = asking(qos="high", **AMOUNTS)
    obj["spec"]["priorityClassName"] = "own"
    found = admitted(obj, cluster(HIGH))
    assert found.pod["spec"]["priorityClassName"] == "own"


DEFAULT = priority_class("standard") | {"globalDefault": True}


def test_the_global_default_that_the_server_fills_in_is_no_class_of_the_user():
    obj = asking(qos="high", **AMOUNTS)
    filled_in = {"priorityClassName": "standard", "priority": 7, "preemptionPolicy": "Never"}
    obj["spec"] |= filled_in
    spec = admitted(obj, cluster(HIGH, DEFAULT)).pod["spec"]
    assert spec["priorityClassName"] == "tensor-fusion-high"
    assert {"priority", "preemptionPolicy"} & spec.keys() == set()
    assert filled_in.items() <= admitted(obj, cluster(DEFAULT)).pod["spec"].items()


def test_our_class_may_itself_be_the_global_default():
    obj = asking(qos="high", **AMOUNTS)
    obj["spec"] |= {"priorityClassName": "tensor-fusion-high", "priority": 1000}
    spec = admitted(obj, cluster(HIGH | {"globalDefault": True})).pod["spec"]
    assert (spec["priorityClassName"], spec["priority"]) == ("tensor-fusion-high", 1000)


def test_a_class_that_does_not_exist_is_warned_about_and_not_set():
    found = admitted(asking(qos="high", is_local_gpu="true", **AMOUNTS))
    assert "priorityClassName" not in found.pod["spec"]
    (warning,) = found.warnings
    assert warning == (
        "qos high: PriorityClass tensor-fusion-high does not exist, so the pod gets no priority; "
        "install the priority classes of the autoscaler"
    )


def test_the_priority_of_no_class_goes_only_when_the_class_is_set():
    obj = asking(qos="high", **AMOUNTS)
    obj["spec"] |= {"priority": 0, "containers": [container()]}
    first = admitted(obj, cluster(HIGH)).pod
    assert "priority" not in first["spec"]
    first["spec"]["priority"] = 1000
    assert admitted(first, cluster(HIGH)).pod["spec"]["priority"] == 1000
