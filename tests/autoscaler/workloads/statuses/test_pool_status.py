import pytest

from autoscaler.kube.condition import find_condition
from autoscaler.kube.resource import POOLS
from autoscaler.workloads.statuses.pool_status import PoolReconciler
from autoscaler.workloads.work import WorkKey, WorkKind
from tests.autoscaler.workloads.objects import gpu, node, placed, pool
from tests.autoscaler.workloads.placing_world import PlacingWorld

LATER = "2026-01-02T00:00:00Z"


def reconciled(name="pool", *, pods=(), **facts):
    """Return the status of a pool of a cluster."""
    world = PlacingWorld(**facts)
    world.add(*pods)
    PoolReconciler(world.tools).reconcile("", name)
    return world.api.find(POOLS, None, name)


def condition(of, kind):
    found = find_condition(of, kind)
    return (found["status"], found["reason"], found["message"])


def test_totals_count_what_gpus_have_and_what_is_not_requested():
    gpus = gpu("GPU-1"), gpu("GPU-2", index=1), gpu("GPU-3", node="n2")
    found = reconciled(gpus=gpus, nodes=(node("n1"), node("n2")), pods=(placed(),))

    assert found["status"]["totals"] == {
        "gpus": 3,
        "nodes": 2,
        "capacity": {"tflops": "300", "vram": "240Gi"},
        "available": {"tflops": "290", "vram": "236Gi"},
    }
    assert found["status"]["phase"] == "Running"
    assert found["status"]["observedGeneration"] == 1
    assert condition(found, "Ready") == ("True", "GPUsReady", "3 of 3 GPUs can be used")


def test_gpus_that_cannot_be_used_are_named_and_have_nothing_available():
    found = reconciled(gpus=(gpu("GPU-1"), gpu("GPU-2", index=1, phase="Unknown")))

    status, reason, message = condition(found, "Ready")
    assert (status, reason) == ("True", "SomeGPUsNotUsable")
    assert message.startswith("1 of 2 GPUs can be used; gpu-2: ")
    assert found["status"]["totals"]["available"] == {"tflops": "100", "vram": "80Gi"}


@pytest.mark.parametrize(
    ("facts", "reason", "words"),
    [
        ({"gpus": (gpu(phase="Pending"),)}, "NoGPUsUsable", "none of 1 GPUs can be used; gpu-1: "),
        ({"pools": (pool(node_selector={}),)}, "NoNodeSelector", "spec.nodeSelector is not set"),
        ({"pools": (pool(node_selector={"a": "b"}),)}, "NoGPUs", "no node that spec.nodeSelector"),
    ],
    ids=["none usable", "no selector", "no nodes"],
)
def test_a_pool_without_usable_gpus_says_why(facts, reason, words):
    status, found, message = condition(reconciled(**facts), "Ready")

    assert (status, found) == ("False", reason)
    assert words in message


def test_a_pool_without_gpus_is_pending():
    assert reconciled(pools=(pool(node_selector={}),))["status"]["phase"] == "Pending"


def test_the_younger_of_two_pools_is_told_which_nodes_it_does_not_have():
    pools = pool("old"), pool("young", created=LATER)
    nodes = node("n1"), node("n2")

    assert condition(reconciled("young", pools=pools, nodes=nodes), "NodeConflict") == (
        "True",
        "OlderPoolHasNodes",
        "pool old is older and has n1, n2",
    )
    assert condition(reconciled("old", pools=pools, nodes=nodes), "NodeConflict") == (
        "False",
        "NoConflict",
        "",
    )


def test_nodes_that_an_older_pool_has_are_told_once():
    world = PlacingWorld(pools=(pool("old"), pool("young", created=LATER)))
    for _ in range(2):
        PoolReconciler(world.tools).reconcile("", "young")
        world.show()

    told = ("GPUPool", "young", "NodeConflict", "pool old is older and has n1")
    assert world.box.told() == [told]
    PoolReconciler(world.tools).reconcile("", "old")
    assert world.box.told() == [told]


def test_of_two_default_pools_the_older_is_the_default():
    pools = pool("old"), pool("young", created=LATER)

    assert condition(reconciled("old", pools=pools), "IsDefault")[0] == "True"
    status, reason, message = condition(reconciled("young", pools=pools), "IsDefault")
    assert (status, reason) == ("False", "OlderPoolIsDefault")
    assert message.startswith("pool old is older")


def test_a_pool_that_does_not_claim_to_be_the_default_says_nothing_of_it():
    found = reconciled(pools=(pool(is_default=False),))

    assert find_condition(found, "IsDefault") is None


def test_nothing_is_written_twice():
    world = PlacingWorld()
    for _ in range(2):
        PoolReconciler(world.tools).reconcile("", "pool")
        world.show()

    assert len(world.api.writes()) == 1


def test_the_status_of_a_pool_is_written_once_a_second_at_most():
    world = PlacingWorld()
    reconciler = PoolReconciler(world.tools, monotonic_s=lambda: 5.0)
    reconciler.reconcile("", "pool")
    world.add(placed())
    reconciler.reconcile("", "pool")

    assert len(world.api.writes()) == 1
    assert (WorkKey(WorkKind.POOL, "", "pool"), 1.0) in world.box.work.delayed


def test_a_pool_that_is_gone_is_left_alone():
    world = PlacingWorld()
    PoolReconciler(world.tools).reconcile("", "other")

    assert world.api.writes() == []
