import logging
from threading import Event

import pytest

from autoscaler.errors import ApiUnavailableError
from autoscaler.kube.candidate import Standing
from autoscaler.kube.elector import Elector, process_identity
from autoscaler.kube.lease import LeaseTimes
from tests.autoscaler.kube.lease_server import NAME, NAMESPACE, LeaseServer
from tests.autoscaler.kube.steady_clock import SteadyClock
from tests.components.processes import until

CALM = LeaseTimes(lease_s=30, renew_deadline_s=20.0, retry_s=0.05)
QUICK = LeaseTimes(lease_s=1, renew_deadline_s=0.5, retry_s=0.05)


def elector_of(server, *, exits=None, times=CALM, **others):
    return Elector(
        server,
        namespace=NAMESPACE,
        name=NAME,
        times=times,
        exit_process=(lambda code: None) if exits is None else exits.append,
        **others,
    )


@pytest.fixture
def server():
    return LeaseServer()


def test_no_two_processes_have_the_same_identity():
    assert process_identity() != process_identity()


def test_an_elector_leads_until_it_is_stopped_and_the_next_one_follows_at_once(server):
    exits = []
    first, second = elector_of(server, exits=exits), elector_of(server, exits=exits)
    first.start()
    assert first.wait_until_leader(10.0)
    second.start()
    assert not second.wait_until_leader(0.2)
    first.stop()
    assert not first.is_leader()
    assert second.wait_until_leader(10.0)
    assert second.epoch == first.epoch + 1
    second.stop()
    assert exits == []
    assert server.spec["holderIdentity"] == ""


def test_stopping_ends_the_wait_for_the_lead(server):
    leader, follower = elector_of(server), elector_of(server)
    leader.start()
    assert leader.wait_until_leader(10.0)
    follower.start()
    follower.stop()
    assert not follower.wait_until_leader(60.0)
    leader.stop()


def test_an_elector_that_was_never_started_can_be_stopped(server):
    elector_of(server).stop()
    assert server.requests == []


def test_a_leader_whose_renewals_fail_ends_the_process(server, caplog):
    exits = []
    elector = elector_of(server, exits=exits, times=QUICK)
    elector.start()
    assert elector.wait_until_leader(10.0)
    server.is_down = True
    until(lambda: exits, what="the process ends")
    elector.stop()
    assert exits == [1]
    shown = elector.snapshot()
    assert (shown.standing, shown.is_leader) == (Standing.LOST, False)
    assert shown.last_error == "connection refused"
    (loss,) = [each for each in caplog.records if each.levelno == logging.CRITICAL]
    assert "lost lease tests/leader, so the process ends: the lease was not renewed for" in str(
        loss.getMessage()
    )


def test_a_renewal_that_hangs_does_not_keep_an_old_leader_alive(server):
    exits = []
    elector = elector_of(server, exits=exits, times=QUICK)
    goes_on = Event()
    elector.start()
    assert elector.wait_until_leader(10.0)
    server.before = lambda method: goes_on.wait(60.0)
    until(lambda: exits, what="the process ends")
    assert exits == [1]
    goes_on.set()
    elector.stop()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_campaign_that_dies_ends_the_process(server):
    exits = []
    elector = elector_of(server, exits=exits)

    def break_down(method):
        raise RuntimeError("a defect")

    server.before = break_down
    elector.start()
    until(lambda: exits, what="the process ends")
    assert exits == [1]
    elector.stop()


def test_an_error_while_following_is_counted_and_tried_again(server):
    elector = elector_of(server)
    server.is_down = True
    elector.step()
    elector.step()
    assert (elector.snapshot().failures, elector.snapshot().standing) == (2, Standing.FOLLOWING)
    server.is_down = False
    elector.step()
    assert elector.is_leader()
    assert elector.snapshot().last_error == ""


def test_an_error_that_goes_on_is_logged_once(server, caplog):
    elector = elector_of(server)
    server.is_down = True
    elector.step()
    elector.step()
    assert [record.getMessage() for record in caplog.records] == [
        "lease tests/leader: connection refused"
    ]


def test_a_lease_that_cannot_be_released_is_left_to_expire(server, caplog):
    elector = elector_of(server)
    elector.step()
    server.is_down = True
    elector.stop()
    assert not elector.is_leader()
    assert "could not be released, and expires: connection refused" in caplog.text


def test_the_snapshot_tells_who_leads_and_since_which_epoch(server):
    leader, follower = elector_of(server, identity="a"), elector_of(server, identity="b")
    leader.step()
    follower.step()
    leads, follows = leader.snapshot(), follower.snapshot()
    assert (leads.identity, leads.is_leader, leads.holder, leads.changes) == ("a", True, "a", 1)
    assert leads.epoch == server.spec["leaseTransitions"]
    assert (follows.identity, follows.is_leader, follows.holder) == ("b", False, "a")
    assert (follows.epoch, follows.changes, follows.last_error) == (None, 0, "")


def test_the_watchdog_compares_the_steady_clock_itself(server):
    exits = []
    clock = SteadyClock()
    elector = elector_of(server, exits=exits, times=LeaseTimes(), steady_s=clock)
    elector.step()
    clock.wait(9.9)
    assert elector.watch()
    clock.wait(0.2)
    assert not elector.is_leader()
    assert not elector.watch()
    assert exits == [1]


def test_candidates_scatter_their_looks_and_a_leader_keeps_its_rhythm(server):
    elector = elector_of(server, times=LeaseTimes(), jitter=lambda: 0.5)
    assert elector._pause_s() == pytest.approx(2.2)
    elector.step()
    assert elector.is_leader()
    assert elector._pause_s() == 2.0


def test_errors_of_the_api_server_are_no_reason_to_end_a_follower(server):
    exits = []
    elector = elector_of(server, exits=exits)
    server.before = lambda method: fail(ApiUnavailableError("gone"))
    elector.start()
    until(lambda: elector.snapshot().failures > 15, what="several looks have failed")
    elector.stop()
    assert exits == []


def fail(error):
    raise error
