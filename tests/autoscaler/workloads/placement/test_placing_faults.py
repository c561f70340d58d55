"""Writes that fail again and again: what is given back must not bring the same pod at once."""

import pytest

from autoscaler.api.names import EventReason
from autoscaler.errors import (
    ApiUnavailableError,
    ConflictError,
    ForbiddenError,
    InvalidError,
    NotFoundError,
    ThrottledError,
)
from autoscaler.kube.resource import PODS
from autoscaler.workloads.work import WorkKey, WorkKind
from tests.autoscaler.workloads.entries import amounts
from tests.autoscaler.workloads.objects import TEAM, worker
from tests.autoscaler.workloads.placing_world import PlacingWorld


@pytest.fixture
def world():
    return PlacingWorld()


def refuse(world, error):
    """Let the API server answer every write of a pod by an error."""

    def answer(method, path):
        if method == "PATCH" and "/pods/" in path:
            raise error

    world.api.before = answer


def heal(world):
    world.api.before = world.api.after = lambda _method, _path: None


def fails(world, error, name="job"):
    with pytest.raises(type(error)):
        world.reconcile(name)


def woken(world):
    """Return the names of the pods that are to be looked at soon, and forget them."""
    work = world.box.work
    keys = {key for key, _ in work.added} | {key for key, delay_s in work.delayed if delay_s < 1}
    work.added.clear()
    work.delayed.clear()
    return {key.name for key in keys if key.kind is WorkKind.POD}


def waiting_for_room(world, name="job"):
    """Let a pod have been looked at while there was no room, which there is now."""
    world.place(worker("big", amounts={"tflops-request": "100", "vram-request": "1Gi"}))
    world.place(worker(name))
    world.api.remove(PODS, TEAM, "big")
    world.show()


@pytest.mark.parametrize("error", [InvalidError("it is wrong"), ForbiddenError("a policy says no")])
def test_a_pod_whose_placement_is_refused_says_so_and_waits_for_a_change(world, error):
    waiting_for_room(world)
    refuse(world, error)
    fails(world, error)
    woken(world)

    fails(world, error)

    assert world.shortage().reason == EventReason.INVALID_WORKER
    assert str(error) in world.shortage().message
    assert woken(world) == set()
    assert world.tools.books.used("gpu-1") == amounts()


@pytest.mark.parametrize("error", [ConflictError("it changed"), NotFoundError("it is gone")])
def test_what_a_failed_write_gives_back_does_not_bring_the_same_pod_at_once(world, error):
    waiting_for_room(world)
    refuse(world, error)
    woken(world)

    fails(world, error)

    assert woken(world) == set()
    assert world.tools.books.used("gpu-1") == amounts()


def test_what_a_failed_write_gives_back_brings_others_that_wait(world):
    waiting_for_room(world)
    world.place(worker("other", amounts={"tflops-request": "101", "vram-request": "1Gi"}))
    refuse(world, ConflictError("it changed"))
    woken(world)

    fails(world, ConflictError("it changed"))

    assert woken(world) == {"other"}


def test_a_throttled_placement_keeps_its_gpus_until_it_may_be_written(world):
    waiting_for_room(world)
    refuse(world, ThrottledError("slowly"))
    woken(world)

    fails(world, ThrottledError("slowly"))

    assert woken(world) == set()
    assert world.tools.books.used("gpu-1") == amounts(10, 4)
    heal(world)
    world.reconcile()
    world.show()
    assert world.gpus_of() == "GPU-1"
    assert not world.tools.books.is_in_flight(world.pod()["metadata"]["uid"])


def test_a_placement_whose_answer_got_lost_is_settled_once_the_cache_shows_it(world):
    world.add(worker())

    def lose(method, _path):
        if method == "PATCH":
            raise ApiUnavailableError("the connection ended")

    world.api.after = lose
    fails(world, ApiUnavailableError("the connection ended"))
    heal(world)
    world.show()

    world.reconcile()

    assert not world.tools.books.is_in_flight(world.pod()["metadata"]["uid"])
    assert world.tools.books.used("gpu-1") == amounts(10, 4)


def test_a_pod_that_changed_after_a_write_of_unknown_outcome_is_placed_as_it_is_now(world):
    world.add(worker(), worker("other", amounts={"tflops-request": "1", "vram-request": "76Gi"}))
    refuse(world, ApiUnavailableError("the connection ended"))
    fails(world, ApiUnavailableError("the connection ended"))
    heal(world)

    def needs_more(pod):
        pod["metadata"]["annotations"]["tensor-fusion.ai/vram-request"] = "8Gi"

    world.api.edit(PODS, TEAM, "job", needs_more)
    world.show()
    world.reconcile()
    world.reconcile("other")

    assert (world.gpus_of(), world.gpus_of("other")) == ("GPU-1", None)
    assert world.tools.books.used("gpu-1") == amounts(10, 8)


def ungated(pod):
    pod["spec"]["schedulingGates"] = []


def test_a_placement_that_never_came_is_given_back_when_somebody_else_removed_the_gate(world):
    world.add(worker())
    refuse(world, ApiUnavailableError("the connection ended"))
    fails(world, ApiUnavailableError("the connection ended"))
    heal(world)
    world.api.edit(PODS, TEAM, "job", ungated)
    world.show()

    world.reconcile()

    assert world.tools.books.used("gpu-1") == amounts()
    assert world.node_books.taken("n1").pods == 0


def test_a_pod_whose_gate_somebody_else_removed_says_that_it_has_no_gpu(world):
    world.add(worker())
    world.api.edit(PODS, TEAM, "job", ungated)
    world.show()
    world.box.work.keys()

    world.reconcile()

    assert world.shortage().reason == EventReason.INVALID_WORKER
    assert "gate" in world.shortage().message
    assert world.reasons() == [EventReason.INVALID_WORKER]
    assert WorkKey(WorkKind.WORKLOAD, TEAM, "job") in world.box.work.keys()  # noqa: SIM118
