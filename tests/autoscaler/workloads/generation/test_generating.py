"""Each pod is read once, until something that is read changes."""

import pytest

from autoscaler.api.names import QOS, WORKLOAD_PROFILE
from autoscaler.kube.resource import POOLS, WORKLOAD_PROFILES
from autoscaler.workloads.generation.generating import Generating
from tests.autoscaler.workloads.objects import made, pool, worker
from tests.autoscaler.workloads.toolbox import Toolbox

ENROLLED = {"autoSetRequests": {"enable": True}}


@pytest.fixture
def box():
    box = Toolbox()
    box.api.add(POOLS, pool())
    box.api.add(WORKLOAD_PROFILES, made("WorkloadProfile", "small", spec={}))
    box.show()
    return box


@pytest.fixture
def generating(box):
    return Generating(box.tools.cluster)


def pod(**fields):
    return worker(
        annotations={WORKLOAD_PROFILE: "small", **fields.pop("annotations", {})}, **fields
    )


def test_a_pod_whose_status_changed_is_not_read_again(generating):
    first = generating.generated(pod())
    assert generating.generated(pod(phase="Running")) is first


def test_another_pod_that_says_the_same_is_not_read_again(generating):
    first = generating.generated(pod())
    assert generating.generated(pod(name="other")) is first


def test_the_status_of_a_pool_changes_nothing(box, generating):
    first = generating.generated(pod())
    box.api.edit(POOLS, "", "pool", lambda obj: obj.update(status={"phase": "Running"}))
    box.show()
    assert generating.generated(pod()) is first


def test_a_changed_pod_profile_or_pool_is_read_again(box, generating):
    assert generating.generated(pod()).spec["qos"] == "medium"
    assert generating.generated(pod(annotations={QOS: "high"})).spec["qos"] == "high"
    config = {"autoScalingConfig": ENROLLED}
    box.api.edit(WORKLOAD_PROFILES, "team", "small", lambda obj: obj.update(spec=config))
    box.show()
    assert generating.generated(pod()).spec["autoScalingConfig"] == ENROLLED
    box.api.remove(POOLS, "", "pool")
    box.show()
    assert generating.generated(pod()).absent == ("there is no GPUPool 'pool'",)


def test_workloads_do_not_share_what_was_read(generating):
    generating.generated(pod())
    other = pod(workload="other", annotations={QOS: "high"})
    assert generating.generated(other).spec["qos"] == "high"
    assert generating.generated(pod()).spec["qos"] == "medium"


def test_a_workload_that_is_gone_is_forgotten(generating):
    first = generating.generated(pod())
    generating.forget("team", "job")
    assert generating.generated(pod()) is not first
