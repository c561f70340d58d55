from contextlib import suppress

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from autoscaler.errors import ApiUnavailableError, ConflictError, KubeError, NotFoundError
from autoscaler.kube.candidate import Candidate, Standing
from autoscaler.kube.lease import LeaseTimes
from tests.autoscaler.kube.lease_server import NAME, NAMESPACE, LeaseServer
from tests.autoscaler.kube.steady_clock import SteadyClock

TIMES = LeaseTimes()
NOW_S = 1_767_225_600.0


@pytest.fixture
def clock():
    return SteadyClock()


@pytest.fixture
def server():
    return LeaseServer()


def candidate_of(server, clock, identity, *, wall_s=NOW_S):
    return Candidate(
        server,
        namespace=NAMESPACE,
        name=NAME,
        identity=identity,
        times=TIMES,
        now_s=lambda: wall_s + clock.now_s,
        steady_s=clock,
    )


def renew_for(candidate, clock, seconds):
    end_s = clock.now_s + seconds
    while clock.now_s < end_s:
        clock.wait(TIMES.retry_s)
        candidate.step()


def test_the_first_candidate_makes_the_lease_and_leads(server, clock):
    first = candidate_of(server, clock, "a")
    assert (first.standing, first.is_leader(), first.epoch) == (Standing.FOLLOWING, False, None)
    first.step()
    assert (first.standing, first.is_leader()) == (Standing.LEADING, True)
    assert first.epoch == server.spec["leaseTransitions"]
    assert server.lease["metadata"]["name"] == NAME


def test_every_request_ends_before_the_next_look(server, clock):
    leader = candidate_of(server, clock, "a")
    renew_for(leader, clock, 10)
    assert {method for method, _ in server.requests} == {"GET", "POST", "PUT"}
    assert {timeout_s for _, timeout_s in server.requests} == {TIMES.request_timeout_s}


def test_a_leader_that_renews_is_not_replaced(server, clock):
    first, second = candidate_of(server, clock, "a"), candidate_of(server, clock, "b")
    first.step()
    for _ in range(60):
        clock.wait(TIMES.retry_s)
        first.step()
        second.step()
    assert (first.is_leader(), second.is_leader(), second.holder) == (True, False, "a")


@pytest.mark.parametrize("skew_s", [-86_400.0, 86_400.0])
def test_the_clock_of_the_other_machine_does_not_matter(server, clock, skew_s):
    first = candidate_of(server, clock, "a", wall_s=NOW_S + skew_s)
    second = candidate_of(server, clock, "b")
    first.step()
    second.step()
    clock.wait(14.9)
    second.step()
    assert not second.is_leader()
    clock.wait(0.1)
    second.step()
    assert second.is_leader()
    assert second.epoch == first.epoch + 1


def test_a_lease_found_at_the_start_is_waited_for_however_old_it_looks(server, clock):
    candidate_of(server, clock, "gone").step()
    clock.wait(86_400.0)
    late = candidate_of(server, clock, "b", wall_s=NOW_S + 86_400.0)
    late.step()
    assert not late.is_leader()
    clock.wait(15.0)
    late.step()
    assert late.is_leader()


def test_a_released_lease_is_taken_at_once_with_the_next_epoch(server, clock):
    first, second = candidate_of(server, clock, "a"), candidate_of(server, clock, "b")
    first.step()
    first.resign()
    assert not first.is_leader()
    first.release()
    second.step()
    assert second.is_leader()
    assert second.epoch == first.epoch + 1
    first.step()
    assert (first.standing, first.is_leader()) == (Standing.RESIGNED, False)


def test_a_follower_that_resigns_writes_nothing(server, clock):
    candidate_of(server, clock, "a").step()
    follower = candidate_of(server, clock, "b")
    follower.step()
    requests = len(server.requests)
    follower.resign()
    follower.release()
    assert len(server.requests) == requests


def test_a_leader_that_cannot_renew_stops_acting_before_another_may_begin(server, clock):
    first, second = candidate_of(server, clock, "a"), candidate_of(server, clock, "b")
    first.step()
    second.step()
    server.is_down = True
    for _ in range(4):
        clock.wait(2.4)
        with pytest.raises(ApiUnavailableError):
            first.step()
    assert first.is_leader()
    clock.wait(0.5)
    assert not first.is_leader()
    server.is_down = False
    second.step()
    assert not second.is_leader()


def test_a_leader_that_stood_still_does_not_act_before_it_has_looked(server, clock):
    first, second = candidate_of(server, clock, "a"), candidate_of(server, clock, "b")
    first.step()
    second.step()
    clock.wait(15.0)  # the first process is stopped meanwhile
    second.step()
    assert second.is_leader()
    assert not first.is_leader()
    first.step()
    assert first.standing is Standing.LOST
    assert first.loss == "the lease was not renewed for 15.0 s; allowed: 10 s"
    assert server.spec["holderIdentity"] == "b"


def test_a_leader_that_was_late_has_lost_also_where_nobody_else_came(server, clock):
    leader = candidate_of(server, clock, "a")
    leader.step()
    clock.wait(60.0)
    leader.step()
    clock.wait(60.0)
    leader.step()
    assert (leader.standing, leader.is_leader()) == (Standing.LOST, False)


def test_an_answer_that_comes_too_late_does_not_make_a_leader_again(server, clock):
    leader = candidate_of(server, clock, "a")
    leader.step()
    clock.wait(9.0)
    server.after = lambda method: clock.wait(1.5)
    leader.step()
    assert (leader.standing, leader.is_leader()) == (Standing.LOST, False)


def test_the_time_of_a_renewal_counts_from_when_it_was_sent(server, clock):
    leader = candidate_of(server, clock, "a")
    server.after = lambda method: clock.wait(1.0) if method == "POST" else None
    leader.step()
    assert leader.left_s == TIMES.renew_deadline_s - 1.0


def test_a_lead_that_another_has_taken_is_lost(server, clock):
    leader = candidate_of(server, clock, "a")
    leader.step()
    server.lease["spec"]["holderIdentity"] = "b"
    server.lease["metadata"]["resourceVersion"] = "other"
    clock.wait(2.0)
    leader.step()
    assert (leader.standing, leader.loss) == (Standing.LOST, "the lease is held by b")


@pytest.mark.parametrize("method", ["PUT", "GET"])
def test_a_lease_that_was_deleted_is_lost(server, clock, method):
    leader = candidate_of(server, clock, "a")
    leader.step()
    if method == "GET":
        # It is deleted between the conflict and the second look.
        server.lease["metadata"]["resourceVersion"] = "other"
        server.before = lambda asked: setattr(
            server, "lease", server.lease if asked == "PUT" else None
        )
    else:
        server.lease = None
    clock.wait(2.0)
    leader.step()
    assert (leader.standing, leader.loss) == (Standing.LOST, "the lease was deleted")


def test_a_lease_that_was_deleted_is_waited_for_as_its_holder_may_still_act(server, clock):
    first, second = candidate_of(server, clock, "a"), candidate_of(server, clock, "b")
    first.step()
    second.step()
    server.lease = None
    clock.wait(2.0)
    second.step()
    assert (second.standing, second.holder) == (Standing.FOLLOWING, "a")
    clock.wait(TIMES.lease_s - 0.1)
    second.step()
    assert not second.is_leader()
    clock.wait(0.1)
    second.step()
    assert (second.is_leader(), first.is_leader()) == (True, False)
    assert second.epoch > first.epoch


def test_the_wait_for_a_deleted_lease_begins_when_it_is_missed(server, clock):
    first, second = candidate_of(server, clock, "a"), candidate_of(server, clock, "b")
    first.step()
    second.step()
    clock.wait(9.0)
    first.step()  # a renewal that the second one never sees
    server.lease = None
    clock.wait(6.0)
    second.step()
    assert (first.is_leader(), second.is_leader()) == (True, False)


def test_a_reign_that_was_not_seen_is_waited_for_too_when_the_lease_was_deleted(server, clock):
    first, second, late = (candidate_of(server, clock, name) for name in ("a", "b", "late"))
    first.step()
    late.step()
    first.resign()
    first.release()
    second.step()
    server.lease = None
    late.step()
    assert (second.is_leader(), late.is_leader()) == (True, False)
    clock.wait(TIMES.lease_s)
    late.step()
    assert (second.is_leader(), late.is_leader()) == (False, True)
    assert late.epoch > second.epoch


def test_a_renewal_whose_answer_got_lost_is_found_at_the_next_look(server, clock):
    leader = candidate_of(server, clock, "a")
    leader.step()
    clock.wait(2.0)
    server.after = lambda method: fail(ApiUnavailableError("the connection broke"))
    with pytest.raises(ApiUnavailableError):
        leader.step()
    server.after = lambda method: None
    clock.wait(2.0)
    leader.step()
    assert (leader.standing, leader.left_s) == (Standing.LEADING, TIMES.renew_deadline_s)


def test_an_edit_by_somebody_else_does_not_end_a_reign(server, clock):
    leader = candidate_of(server, clock, "a")
    leader.step()
    server.lease["metadata"] |= {"resourceVersion": "other", "labels": {"by": "hand"}}
    clock.wait(2.0)
    leader.step()
    assert leader.left_s == TIMES.renew_deadline_s
    assert server.lease["metadata"]["labels"] == {"by": "hand"}


def test_a_lost_race_is_no_error(server, clock):
    first = candidate_of(server, clock, "a")
    second = candidate_of(server, clock, "b")
    # The second comes between the look and the write of the first.
    server.before = lambda method: second_steps() if method == "POST" else None

    def second_steps():
        server.before = lambda method: None
        second.step()

    first.step()
    assert (first.standing, second.is_leader()) == (Standing.FOLLOWING, True)


def test_a_namespace_that_is_missing_is_an_error(server, clock):
    error = NotFoundError('namespaces "tests" not found')
    server.before = lambda method: fail(error) if method == "POST" else None
    with pytest.raises(NotFoundError, match="namespaces"):
        candidate_of(server, clock, "a").step()


def test_an_error_of_the_second_try_leaves_the_reign_as_it_was(server, clock):
    leader = candidate_of(server, clock, "a")
    leader.step()
    server.lease["metadata"]["resourceVersion"] = "other"
    server.before = lambda method: fail(ConflictError("again")) if method == "PUT" else None
    clock.wait(2.0)
    with pytest.raises(ConflictError):
        leader.step()
    assert leader.left_s == TIMES.renew_deadline_s - 2.0


def fail(error):
    raise error


class ElectionLaws(RuleBasedStateMachine):
    """Three candidates on one server, which step, stand still, restart and lose requests."""

    def __init__(self):
        super().__init__()
        self.clock = SteadyClock()
        self.server = LeaseServer()
        self.started = 0
        self.candidates = [self.new() for _ in range(3)]
        self.epochs = {}

    def new(self):
        self.started += 1
        return candidate_of(self.server, self.clock, f"c{self.started}")

    @rule(number=st.integers(0, 2), fault=st.sampled_from(["none", "refused", "answer lost"]))
    def step(self, number, fault):
        def break_off(method):
            raise ApiUnavailableError("broken")

        if fault == "refused":
            self.server.before = break_off
        elif fault == "answer lost":
            self.server.after = lambda method: break_off(method) if method != "GET" else None
        try:
            self.candidates[number].step()
        except KubeError:
            assert fault != "none"
        self.server.before = self.server.after = lambda method: None

    @precondition(lambda self: self.server.lease is not None)
    @rule(number=st.integers(0, 2))
    def restart(self, number):
        self.candidates[number] = self.new()

    @precondition(lambda self: all(each.holder for each in self.candidates))
    @rule()
    def delete_the_lease(self):
        # Who comes new while there is none cannot know that somebody may still lead.
        self.server.lease = None

    @precondition(lambda self: self.server.lease is not None)
    @rule(number=st.integers(0, 2))
    def release(self, number):
        self.candidates[number].resign()
        with suppress(ConflictError):
            self.candidates[number].release()
        self.candidates[number] = self.new()

    @rule(wait_s=st.floats(0, 20))
    def let_time_pass(self, wait_s):
        self.clock.wait(wait_s)

    @invariant()
    def at_most_one_leads(self):
        assert sum(each.is_leader() for each in self.candidates) <= 1

    @invariant()
    def every_reign_has_an_epoch_above_those_before(self):
        for each in self.candidates:
            if each.is_leader():
                holder = self.epochs.setdefault(each.epoch, each.identity)
                assert holder == each.identity
                assert each.epoch == max(self.epochs)


ElectionLaws.TestCase.settings = settings(deadline=None, stateful_step_count=40)
TestElectionLaws = ElectionLaws.TestCase
