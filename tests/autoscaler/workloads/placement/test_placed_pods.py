import pytest

from autoscaler.api.names import EventReason
from autoscaler.errors import ConflictError
from autoscaler.kube.resource import GPUS, PODS
from autoscaler.workloads.work import WorkKey, WorkKind
from tests.autoscaler.workloads.entries import amounts
from tests.autoscaler.workloads.objects import TEAM, made, owned, placed
from tests.autoscaler.workloads.placing_world import PlacingWorld

OWNER = made("ReplicaSet", "r", api_version="apps/v1")
REMEDY = "; the pod stays: look at its node, or delete the pod"


class SteadyClock:
    def __init__(self):
        self.now_s = 1000.0

    def __call__(self):
        return self.now_s


@pytest.fixture
def clock():
    return SteadyClock()


@pytest.fixture
def world(clock):
    return PlacingWorld(monotonic_s=clock)


def refused(pod=None, message="0/3 nodes are available", reason="Unschedulable"):
    """Return a placed pod that the scheduler does not bind."""
    pod = placed(is_bound=False) if pod is None else pod
    condition = {
        "type": "PodScheduled",
        "status": "False",
        "reason": reason,
        "message": message,
        "lastTransitionTime": "2020-01-01T00:00:00Z",
    }
    return {**pod, "status": {**pod["status"], "conditions": [condition]}}


def of_owner():
    return owned(placed(is_bound=False), OWNER)


def look_after(world, clock, duration_s):
    clock.now_s += duration_s
    world.reconcile()


def deletes(world):
    return [path for method, path in world.api.writes() if method == "DELETE"]


def test_a_refused_pod_is_looked_at_again_when_its_time_is_over(world, clock):
    world.place(refused(of_owner()))
    look_after(world, clock, 45)

    assert deletes(world) == []
    assert world.box.work.delayed == [
        (WorkKey(WorkKind.POD, TEAM, "job"), 60.0),
        (WorkKey(WorkKind.POD, TEAM, "job"), 15.0),
    ]


def test_a_pod_that_is_refused_for_long_is_deleted_where_it_is_made_anew(world, clock):
    world.place(refused(of_owner()))
    look_after(world, clock, 60)

    assert deletes(world) == [f"/api/v1/namespaces/{TEAM}/pods/job"]
    assert world.pod() is None
    assert world.reasons() == [EventReason.PLACEMENT_RELEASED]
    assert world.tools.counts.snapshot().releases == 1
    world.show()
    assert world.tools.books.used("gpu-1") == amounts()


def test_a_pod_that_was_bound_meanwhile_is_kept(world, clock):
    world.place(refused(of_owner()))

    world.api.edit(PODS, TEAM, "job", lambda pod: pod["spec"].update(nodeName="n1"))
    with pytest.raises(ConflictError):
        look_after(world, clock, 60)

    assert world.pod() is not None


def test_a_bare_pod_keeps_its_gpus_and_is_told(world, clock):
    world.place(refused())
    look_after(world, clock, 60)

    assert deletes(world) == []
    assert world.reasons() == [EventReason.UNSCHEDULABLE]
    assert world.shortage().reason == EventReason.UNSCHEDULABLE
    assert "0/3 nodes are available" in world.shortage().message
    assert world.tools.books.used("gpu-1") == amounts(10, 4)


def test_time_counts_from_the_first_refusal_that_was_seen_and_begins_anew(world, clock):
    world.place(refused(of_owner()))
    clock.now_s += 50
    world.api.edit(PODS, TEAM, "job", lambda pod: pod["status"].update(conditions=[]))
    world.show()
    world.reconcile()
    world.api.edit(PODS, TEAM, "job", lambda pod: pod.update(refused(pod)))
    world.show()
    world.reconcile()
    look_after(world, clock, 50)

    assert deletes(world) == []
    look_after(world, clock, 10)
    assert deletes(world) != []


@pytest.mark.parametrize(
    "pod",
    [
        placed(is_bound=False),
        placed(),
        refused(placed(is_bound=False), reason="SchedulingGated"),
        refused(placed(is_bound=False, metadata={"deletionTimestamp": "2026-01-01T00:00:00Z"})),
    ],
    ids=["not looked at", "bound", "gated before", "deleted"],
)
def test_pods_that_are_not_refused_are_left_alone(world, clock, pod):
    world.place(owned(pod, OWNER))
    look_after(world, clock, 1000)

    assert deletes(world) == []
    assert world.reasons() == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda gpu: gpu["status"].update(phase="Unknown"), "GPU gpu-1 is Unknown"),
        (lambda gpu: gpu["status"].pop("phase"), "GPU gpu-1 is unknown"),
    ],
    ids=["in another phase", "in none"],
)
def test_a_gpu_that_does_not_run_under_a_pod_is_told_until_it_does_again(world, change, message):
    world.place(placed())
    world.api.edit(GPUS, None, "gpu-1", change)
    world.show()
    world.reconcile()

    assert world.shortage().message == f"{message}{REMEDY}"
    assert world.reasons() == [EventReason.GPU_LOST]

    world.api.edit(GPUS, None, "gpu-1", lambda gpu: gpu["status"].update(phase="Running"))
    world.show()
    world.reconcile()
    assert world.shortage() is None


def test_a_gpu_that_vanishes_under_a_pod_is_told_and_the_pod_stays(world):
    world.place(placed())
    world.api.remove(GPUS, None, "gpu-1")
    world.show()
    world.reconcile()

    assert world.shortage().message == f"GPU gpu-1 is gone{REMEDY}"
    assert world.shortage().reason == EventReason.GPU_LOST
    assert world.pod() is not None
    assert world.tools.books.used("gpu-1") == amounts(10, 4)


def test_a_pod_that_is_being_deleted_misses_no_gpu(world):
    world.place(placed(metadata={"deletionTimestamp": "2026-01-01T00:00:00Z"}))
    world.api.remove(GPUS, None, "gpu-1")
    world.show()
    world.reconcile()

    assert world.reasons() == []
