import threading

import pytest

from autoscaler.errors import (
    ApiUnavailableError,
    ConflictError,
    ForbiddenError,
    InvalidError,
    NotFoundError,
    ThrottledError,
)
from autoscaler.kube.lanes import Priority
from autoscaler.kube.work_queue import WorkQueue
from autoscaler.kube.writer import NotLeadingError
from autoscaler.workloads.counts import ControllerCounts, ReconcileOutcome
from autoscaler.workloads.dispatch import Dispatch, urgency_of
from autoscaler.workloads.work import WorkKey, WorkKind

KEY = WorkKey(WorkKind.POD, "team", "job")


class World:
    def __init__(self):
        self.now_s = 0.0
        self.seen = []
        self.error = None
        self.queue = WorkQueue[WorkKey](monotonic_s=lambda: self.now_s)
        self.counts = ControllerCounts()
        reconcilers = dict.fromkeys(WorkKind, self.reconcile)
        self.dispatch = Dispatch(
            self.queue, reconcilers, self.counts, monotonic_s=lambda: self.now_s
        )

    def reconcile(self, namespace, name):
        self.seen.append((namespace, name))
        self.now_s += 0.25
        if self.error is not None:
            raise self.error

    def look(self, error=None):
        """Have the key looked at once, with this outcome."""
        self.error = error
        self.queue.add(KEY, Priority.RAISE)
        assert self.dispatch.run_once(0.0)

    def outcome(self):
        found = self.counts.snapshot().reconciles
        [(kind, outcome)] = [key for key, number in found.items() if number]
        assert kind is WorkKind.POD
        return outcome


@pytest.fixture
def world():
    return World()


def test_a_key_is_looked_at_once_and_is_done(world):
    world.look()

    assert world.seen == [("team", "job")]
    assert world.outcome() is ReconcileOutcome.DONE
    assert world.queue.snapshot().delayed == 0
    assert not world.dispatch.run_once(0.0)


def test_time_is_counted_by_kind(world):
    world.look()

    assert world.counts.snapshot().reconcile_times[WorkKind.POD].sum_s == 0.25


@pytest.mark.parametrize("error", [ConflictError("changed"), NotFoundError("gone")])
def test_what_changed_meanwhile_comes_again_at_once(world, error):
    world.look(error)
    world.now_s += 0.01

    assert world.outcome() is ReconcileOutcome.RETRIED
    assert world.dispatch.run_once(0.0)


@pytest.mark.parametrize(
    ("error", "wait_s"),
    [
        (ApiUnavailableError("no answer"), 1.0),
        (ThrottledError("slowly", retry_after_s=7.0), 7.0),
        (ThrottledError("slowly", retry_after_s=1e6), 60.0),
    ],
    ids=["unavailable", "throttled", "throttled for long"],
)
def test_an_api_server_that_suffers_is_left_alone_for_a_while(world, error, wait_s):
    world.look(error)
    world.now_s += wait_s - 0.1
    came_before = world.dispatch.run_once(0.0)
    world.now_s += 0.2

    assert (came_before, world.dispatch.run_once(0.0)) == (False, True)


@pytest.mark.parametrize("error", [InvalidError("bad"), ForbiddenError("no right")])
def test_what_the_api_server_refuses_is_tried_again_less_and_less_often(world, error, caplog):
    world.look(error)

    assert world.outcome() is ReconcileOutcome.REFUSED
    assert f"pod team/job: refused: {error}" in caplog.text
    waits_s = []
    for _ in range(20):
        waited_from_s = world.now_s
        while not world.dispatch.run_once(0.0):
            world.now_s += 0.5
        waits_s.append(world.now_s - waited_from_s)
    assert waits_s[0] < 2.0
    assert waits_s == sorted(waits_s)
    assert waits_s[-1] > 200.0


def test_who_does_not_lead_drops_the_key(world):
    world.look(NotLeadingError("another one leads"))

    assert world.outcome() is ReconcileOutcome.NOT_LEADING
    assert world.queue.snapshot().delayed == 0


def test_a_defect_is_logged_and_ends_nothing(world, caplog):
    world.look(ValueError("oh"))

    assert world.outcome() is ReconcileOutcome.DEFECT
    assert "pod team/job: a defect" in caplog.text
    assert world.queue.snapshot().delayed == 1


def test_a_success_lets_the_next_failure_be_the_first(world):
    for _ in range(5):
        world.look(ConflictError("changed"))
        world.now_s += 10.0
        world.queue.backlog()
    world.look()
    assert world.queue.snapshot().failing == 0


def test_threads_end_when_the_queue_is_closed(world):
    thread = threading.Thread(target=world.dispatch.run)
    thread.start()
    world.queue.close()
    thread.join(20.0)

    assert not thread.is_alive()


def test_pods_are_more_urgent_than_what_only_tells_of_them():
    assert {kind: urgency_of(kind) for kind in WorkKind} == {
        **dict.fromkeys(WorkKind, Priority.STATUS),
        WorkKind.POD: Priority.RAISE,
    }
