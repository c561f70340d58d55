import threading
from dataclasses import replace

import pytest

from autoscaler.api.names import Component
from autoscaler.kube.resource import PODS, QUOTAS, WORKLOADS
from autoscaler.workloads.resync import Resync, all_keys
from autoscaler.workloads.taking_over import learn_placements
from autoscaler.workloads.work import WorkKey, WorkKind
from tests.autoscaler.workloads.entries import amounts
from tests.autoscaler.workloads.objects import TEAM, gpu, placed, pod, quota, worker, workload
from tests.autoscaler.workloads.placing_world import PlacingWorld


def wait_for_nothing(_wait_s):
    return True


def test_all_that_is_ours_is_looked_at_pods_first():
    world = PlacingWorld()
    world.api.add(WORKLOADS, workload())
    world.api.add(QUOTAS, quota())
    client = worker("client", labels={"tensor-fusion.ai/component": str(Component.CLIENT)})
    world.add(worker("a", workload="without-object"), client, pod("foreign"))

    assert list(dict.fromkeys(all_keys(world.tools.cluster))) == [
        WorkKey(WorkKind.POD, TEAM, "a"),
        WorkKey(WorkKind.CONNECTION, TEAM, "client"),
        WorkKey(WorkKind.WORKLOAD, TEAM, "job"),
        WorkKey(WorkKind.WORKLOAD, TEAM, "without-object"),
        WorkKey(WorkKind.GPU, "", "gpu-1"),
        WorkKey(WorkKind.POOL, "", "pool"),
        WorkKey(WorkKind.QUOTA, TEAM, "quota"),
    ]


def test_books_that_agree_with_the_pods_are_left_alone():
    world = PlacingWorld()
    world.place(worker(), placed("other"))

    assert Resync(world.tools).check_books(wait_for_nothing) == ()
    assert world.tools.counts.snapshot().drifts == 0


def test_books_that_differ_are_put_right_counted_and_told(caplog):
    world = PlacingWorld()
    world.add(placed())
    world.tools.books.observe_gone("uid-of-pod-job")

    assert Resync(world.tools).check_books(wait_for_nothing) == ("gpu-1",)
    assert world.tools.books.used("gpu-1") == amounts(10, 4)
    assert world.tools.counts.snapshot().drifts == 1
    assert "gpu-1" in caplog.text
    assert Resync(world.tools).check_books(wait_for_nothing) == ()


def test_a_defect_of_one_look_is_counted_and_does_not_end_the_looks(caplog):
    world = PlacingWorld(resync_s=0.01)
    stop = threading.Event()

    def fail(_key, _priority):
        if world.tools.counts.snapshot().resync_failures == 3:
            stop.set()
        raise ValueError("as the test wants it")

    world.tools.work.add = fail
    Resync(world.tools).run(stop)

    assert world.tools.counts.snapshot().resync_failures == 4
    assert "as the test wants it" in caplog.text


def test_what_agrees_at_the_second_look_was_no_drift():
    world = PlacingWorld()
    world.add(placed())
    world.tools.books.observe_gone("uid-of-pod-job")

    def told_late(_wait_s):
        Resync(world.tools).rebuild_books()

    assert Resync(world.tools).check_books(told_late) == ()
    assert world.tools.counts.snapshot().drifts == 0


@pytest.mark.parametrize(
    "told",
    [("503", "503", "503", "503"), ("", "503", "", "")],
    ids=["all the time", "between two looks"],
)
def test_nothing_is_judged_while_the_cache_of_pods_fails(told):
    world = PlacingWorld()
    world.add(placed())
    world.tools.books.observe_gone("uid-of-pod-job")
    seen, errors = world.tools.cluster.counts(), iter(told)

    def counts():
        error = next(errors)
        return tuple(replace(each, last_error=error, failures=len(error)) for each in seen)

    world.tools.cluster.counts = counts

    assert Resync(world.tools).check_books(wait_for_nothing) == ()
    assert world.tools.counts.snapshot().drifts == 0


def test_a_gpu_whose_pods_come_and_go_may_differ_at_two_looks_by_chance():
    world = PlacingWorld()
    world.add(placed(), placed("other"))
    world.tools.books.observe_gone("uid-of-pod-job")
    looks = []

    def another_change_of_the_same_gpu(_wait_s):
        looks.append(world.tools.books.used("gpu-1"))
        Resync(world.tools).rebuild_books()
        if len(looks) == 1:
            world.tools.books.observe_gone("uid-of-pod-other")

    assert Resync(world.tools).check_books(another_change_of_the_same_gpu) == ()
    assert world.tools.counts.snapshot().drifts == 0
    assert len(looks) == 2


def test_what_differs_only_while_it_is_told_to_the_books_was_no_drift():
    world = PlacingWorld(gpus=(gpu(), gpu("GPU-2", index=1)))
    world.add(placed(), placed("other", gpus=("GPU-2",)))
    world.tools.books.observe_gone("uid-of-pod-job")

    def another_one_is_told_by_then(_wait_s):
        Resync(world.tools).rebuild_books()
        world.tools.books.observe_gone("uid-of-pod-other")

    assert Resync(world.tools).check_books(another_one_is_told_by_then) == ()
    assert world.tools.counts.snapshot().drifts == 0


def test_books_are_rebuilt_from_the_caches():
    world = PlacingWorld()
    world.add(placed())
    world.tools.books.observe_gone("uid-of-pod-job")
    Resync(world.tools).rebuild_books()

    assert world.tools.books.used("gpu-1") == amounts(10, 4)


def test_it_ends_when_it_is_told_to():
    stop = threading.Event()
    stop.set()
    world = PlacingWorld()
    world.box.work.keys()

    Resync(world.tools).run(stop)

    assert world.box.work.keys() == []


def test_a_new_leader_knows_placements_that_its_cache_does_not_show_yet():
    world = PlacingWorld()
    world.add(worker())

    def place(obj):
        obj.update(placed())
        obj["metadata"]["resourceVersion"] = "0"

    world.api.edit(PODS, TEAM, "job", place)
    assert world.tools.books.used("gpu-1") == amounts()

    assert learn_placements(world.tools) == 1
    assert world.tools.books.used("gpu-1") == amounts(10, 4)
    world.show()
    assert world.tools.books.used("gpu-1") == amounts(10, 4)


def test_an_older_state_that_the_cache_shows_late_does_not_undo_what_a_new_leader_learned():
    world = PlacingWorld()
    world.add(worker())
    before = world.tools.cluster.store(PODS).get(TEAM, "job")
    world.reconcile()
    world.tools.books.observe_gone(before["metadata"]["uid"])

    learn_placements(world.tools)
    world.tools.books.observe(
        before["metadata"]["uid"], None, before["metadata"]["resourceVersion"]
    )

    assert world.tools.books.used("gpu-1") == amounts(10, 4)
