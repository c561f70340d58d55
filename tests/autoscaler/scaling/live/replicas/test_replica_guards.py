"""Numbers of replicas: which are ours, which somebody else's, and when the layer rests."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.api.condition_reasons import ReplicasReason
from autoscaler.clock import VirtualClock
from autoscaler.scaling.live.replicas.replica_guard import (
    PAUSE_S,
    RESETS_S,
    OwnNumber,
    ReplicaGuard,
    is_somebody_elses,
    replica_guard_from,
    reset,
    scaled,
)
from autoscaler.scaling.live.replicas.replica_guards import FORBIDDEN_S, ReplicaGuards, Reset
from tests.autoscaler.api_double import START_S
from tests.autoscaler.scaling.builders import view
from tests.autoscaler.scaling.live.live_objects import workload
from tests.autoscaler.scaling.live.writing_world import KEY

UID = "uid-of-tensorfusionworkload-chat"


class Remembering:
    """The guards of one workload, as a tick after the other sees its replicas."""

    def __init__(self, status=None):
        self.clock = VirtualClock(START_S)
        self.guards = ReplicaGuards(self.clock)
        self.workload = workload(status=status)
        self.marked = []
        self.guards.on_change(self.marked.append)
        self.guards.learn([self.workload])

    def scale(self, before, after):
        self.guards.begin(self.workload, before=before, after=after)
        self.guards.confirm(self.workload)

    def see(self, replicas, *, after_s=15, enrolled=("auto-replicas",), uid=UID):
        self.clock.advance_to(self.clock.now_s() + after_s)
        seen = view("chat", *enrolled, uid=uid, replicas=replicas)
        return self.guards.observe({KEY: seen})

    def guard(self):
        return self.guards.of(self.workload)


def test_the_first_number_that_is_replaced_is_the_stated_one_from_then_on():
    here = Remembering()
    assert here.guards.stated_of(here.workload) is None
    here.scale(2, 4)
    here.see(4)
    here.scale(4, 6)

    assert here.guard() == ReplicaGuard(stated=2, scaled=6)


def test_a_number_of_our_own_is_no_reset_while_the_caches_lag():
    here = Remembering()
    here.scale(2, 4)

    assert here.see(2) == []
    assert here.see(4) == []
    assert here.guard() == ReplicaGuard(stated=2, scaled=4)


def test_another_number_than_ours_is_somebody_elses():
    here = Remembering()
    here.scale(2, 4)
    here.see(4)

    assert here.see(3) == [Reset(KEY, ours=4, theirs=3)]
    assert here.guard() == ReplicaGuard(stated=3, resets_s=(START_S + 30,))
    assert here.see(3) == []


def test_a_number_that_is_put_back_before_it_was_seen_is_a_reset_once_it_would_be_set_again():
    here = Remembering()
    here.scale(2, 4)

    assert here.see(2, after_s=600) == []
    remembered = here.guards.begin(here.workload, before=2, after=4)
    assert remembered.is_put_back(2)
    here.guards.put_back(here.workload, remembered, 2)
    assert here.see(2) == [Reset(KEY, ours=4, theirs=2)]
    assert here.see(2) == []
    assert here.guard() == ReplicaGuard(stated=2, resets_s=(START_S + 600,))


def test_a_number_whose_write_got_lost_is_never_somebody_elses():
    here = Remembering()
    here.guards.begin(here.workload, before=2, after=4)

    assert here.see(2, after_s=600) == []
    assert not here.guards.begin(here.workload, before=2, after=4).is_put_back(2)
    assert here.see(3) == [Reset(KEY, ours=4, theirs=3)]


def test_replicas_at_zero_leave_everything_as_it_is():
    here = Remembering()
    here.scale(2, 4)
    here.see(4)
    before = here.guard()

    assert here.see(0) == []
    assert here.guard() == before
    assert here.see(4) == []


def test_three_resets_in_an_hour_leave_replicas_alone_for_an_hour():
    here = Remembering()
    for _ in range(3):
        assert here.guards.held_of(here.workload) is None
        here.scale(2, 4)
        here.see(4)
        here.see(2)

    held = here.guards.held_of(here.workload)
    assert held.reason is ReplicasReason.RESET_BY_OTHERS
    here.marked.clear()
    here.see(2, after_s=PAUSE_S - 1)
    assert here.guards.held_of(here.workload) == held
    here.see(2, after_s=1)
    assert here.guards.held_of(here.workload) is None
    assert here.marked == [KEY]


def test_resets_that_are_far_apart_pause_nothing():
    here = Remembering()
    for _ in range(5):
        here.scale(2, 4)
        here.see(4)
        here.see(2, after_s=RESETS_S)

    assert here.guards.held_of(here.workload) is None
    assert len(here.guard().resets_s) == 1


def test_a_new_process_goes_on_from_the_status_and_counts_no_reset_that_it_cannot_know():
    here = Remembering(status={"guard": {"replicas": {"stated": 2, "scaled": 4}}})

    assert here.see(3) == []
    assert here.guard() == ReplicaGuard(stated=2, scaled=4)
    assert here.see(4) == []
    assert here.see(3) == [Reset(KEY, ours=4, theirs=3)]


def test_what_was_not_done_after_all_is_forgotten_again():
    here = Remembering()
    here.scale(2, 4)
    here.see(4)
    before = here.guard()
    remembered = here.guards.begin(here.workload, before=4, after=8)
    here.guards.undo(here.workload, remembered)

    assert here.guard() == before
    assert here.see(4) == []
    assert here.see(3) == [Reset(KEY, ours=4, theirs=3)]


def test_undoing_leaves_it_open_whether_an_earlier_number_was_seen():
    here = Remembering()
    here.scale(2, 4)
    remembered = here.guards.begin(here.workload, before=2, after=5)
    here.guards.undo(here.workload, remembered)

    assert here.see(2) == []
    assert here.see(4) == []


def test_a_missing_right_holds_replicas_for_some_minutes():
    here = Remembering()
    here.guards.forbid(here.workload, "this process lacks the right to scale Deployment chat")

    held = here.guards.held_of(here.workload)
    assert (held.reason, held.text.split()[-1]) == (ReplicasReason.FORBIDDEN, "chat")
    here.see(2, after_s=FORBIDDEN_S)
    assert here.guards.held_of(here.workload) is None


@pytest.mark.parametrize("fields", [{"enrolled": ()}, {"uid": "another"}])
def test_a_workload_that_left_or_was_made_anew_is_forgotten(fields):
    here = Remembering()
    here.scale(2, 4)
    here.see(4)

    assert here.see(3, **fields) == []
    assert here.guards.keys() == ()
    assert here.guard() == ReplicaGuard()


def test_what_cannot_be_read_of_a_guard_counts_as_absent():
    status = {"guard": {"replicas": {"stated": "2", "scaled": True, "resets": ["x"]}}}
    assert replica_guard_from(status) == ReplicaGuard()


GUARDS = st.builds(
    ReplicaGuard,
    stated=st.none() | st.integers(0, 50),
    scaled=st.none() | st.integers(0, 50),
    resets_s=st.lists(st.integers(START_S - 2 * RESETS_S, START_S), max_size=2).map(tuple),
    paused_until_s=st.none() | st.integers(START_S, START_S + PAUSE_S),
)


@given(GUARDS, st.integers(1, 50))
def test_a_reset_makes_the_number_the_stated_one_and_counts_once(guard, current):
    after = reset(guard, current, START_S)

    assert (after.stated, after.scaled) == (current, None)
    assert not is_somebody_elses(after, None, current)
    recent = [at_s for at_s in guard.resets_s if START_S - at_s < RESETS_S]
    assert after.is_paused(START_S) == (len(recent) >= 2)
    assert replica_guard_from({"guard": {"replicas": after.mapping()}}) == after


@given(GUARDS, st.integers(1, 50), st.integers(1, 50))
def test_our_own_number_is_never_somebody_elses(guard, before, after):
    own = OwnNumber(before=before, is_set=True)
    ours = scaled(guard, before=before, after=after)

    for is_seen in (False, True):
        seen = replace(own, is_seen=is_seen)
        assert not is_somebody_elses(ours, seen, after)
