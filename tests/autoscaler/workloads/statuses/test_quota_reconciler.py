from autoscaler.kube.resource import PODS, QUOTAS
from autoscaler.workloads.statuses.quota_reconciler import QuotaReconciler
from autoscaler.workloads.work import WorkKey, WorkKind
from tests.autoscaler.workloads.objects import TEAM, placed, quota
from tests.autoscaler.workloads.placing_world import PlacingWorld

TOTAL = {"requests": {"tflops": "20"}, "maxWorkers": 3}


def world_of(*pods):
    world = World()
    world.api.add(QUOTAS, quota(total=TOTAL))
    world.add(*pods)
    reconcile(world)
    return world


class World(PlacingWorld):
    def __init__(self):
        super().__init__()
        self.now_s = 0.0
        self.reconciler = QuotaReconciler(self.tools, monotonic_s=lambda: self.now_s)


def reconcile(world):
    world.now_s += 1.0
    world.reconciler.reconcile(TEAM, "quota")
    world.show()


def test_a_quota_shows_what_all_workers_of_its_namespace_have():
    used = world_of(placed("a")).api.find(QUOTAS, TEAM, "quota")["status"]["used"]

    assert used == {
        "requests": {"tflops": "10", "vram": "4Gi"},
        "limits": {"tflops": "20", "vram": "8Gi"},
        "workers": 1,
    }


def test_use_near_its_end_is_told_once_until_it_fell():
    world = world_of(placed("a"), placed("b"))
    reconcile(world)
    assert world.reasons() == ["AlertThresholdReached"]

    world.api.remove(PODS, TEAM, "b")
    world.show()
    reconcile(world)
    world.box.advance(601)
    world.add(placed("c"))
    reconcile(world)
    assert world.reasons() == ["AlertThresholdReached"] * 2


def test_a_quota_that_was_lowered_below_its_use_is_told_and_nothing_is_taken_away():
    world = world_of(placed("a"), placed("b"))

    def lower(obj):
        obj["spec"]["total"]["requests"]["tflops"] = "15"

    world.api.edit(QUOTAS, TEAM, "quota", lower)
    world.show()
    reconcile(world)

    assert "QuotaExceeded" in world.reasons()
    assert world.pod("a") is not None
    assert world.pod("b") is not None


def test_the_status_of_a_quota_is_written_once_a_second_at_most():
    world = world_of(placed("a"))
    world.add(placed("b"))
    world.now_s += 0.25
    before = len(world.api.writes())
    world.reconciler.reconcile(TEAM, "quota")

    assert len(world.api.writes()) == before
    assert (WorkKey(WorkKind.QUOTA, TEAM, "quota"), 0.75) in world.box.work.delayed


def test_a_quota_that_is_gone_is_left_alone():
    world = World()
    reconcile(world)

    assert world.api.writes() == []
