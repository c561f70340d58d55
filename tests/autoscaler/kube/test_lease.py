import pytest

from autoscaler.errors import UsageError
from autoscaler.kube.lease import (
    LeaseTimes,
    elapsed_s,
    holder_of,
    released,
    renewed,
    taken,
    transitions_of,
)

NOW_S = 1_767_225_600.25
SECONDS_SINCE_2020 = 189_388_800


def test_the_default_times_are_those_of_kubernetes_itself():
    times = LeaseTimes()
    assert (times.lease_s, times.renew_deadline_s, times.retry_s) == (15, 10.0, 2.0)


def test_one_request_ends_before_the_next_look():
    assert LeaseTimes().request_timeout_s == 1.5


@pytest.mark.parametrize(
    ("lease_s", "renew_deadline_s", "retry_s"), [(10, 10, 2), (15, 2, 2), (15, 10, 0)]
)
def test_times_that_do_not_fit_together_are_refused(lease_s, renew_deadline_s, retry_s):
    with pytest.raises(UsageError, match=r"allowed: 0 < 1\.2 x retry < renew deadline < lease"):
        LeaseTimes(lease_s=lease_s, renew_deadline_s=renew_deadline_s, retry_s=retry_s)


def test_a_new_lease_counts_from_the_seconds_since_2020():
    lease = taken(None, "a", LeaseTimes(), now_s=NOW_S)
    assert lease == {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "spec": {
            "holderIdentity": "a",
            "leaseDurationSeconds": 15,
            "acquireTime": "2026-01-01T00:00:00.250000Z",
            "renewTime": "2026-01-01T00:00:00.250000Z",
            "leaseTransitions": SECONDS_SINCE_2020,
        },
    }


def test_a_lease_that_was_shipped_empty_counts_as_new():
    lease = taken({"metadata": {"name": "leader"}}, "a", LeaseTimes(), now_s=NOW_S)
    assert lease["metadata"] == {"name": "leader"}
    assert transitions_of(lease) == SECONDS_SINCE_2020


def test_a_lease_that_is_made_again_is_above_the_one_that_was_deleted():
    first = taken(None, "a", LeaseTimes(), now_s=NOW_S)
    second = taken(first, "b", LeaseTimes(), now_s=NOW_S + 1)
    again = taken(None, "c", LeaseTimes(), now_s=NOW_S + 2, seen=transitions_of(second))
    assert [transitions_of(each) - SECONDS_SINCE_2020 for each in (first, second, again)] == [
        0,
        1,
        2,
    ]
    later = taken(None, "d", LeaseTimes(), now_s=NOW_S + 3600)
    assert transitions_of(later) > transitions_of(again)


def test_a_lease_that_is_made_again_is_above_changes_of_hands_that_its_maker_did_not_see():
    first = taken(None, "a", LeaseTimes(), now_s=NOW_S)
    unseen = taken(first, "b", LeaseTimes(), now_s=NOW_S + 1)
    again = taken(None, "c", LeaseTimes(), now_s=NOW_S + 20, seen=transitions_of(first))
    assert transitions_of(again) > transitions_of(unseen)


def test_renewing_changes_the_time_of_renewal_and_nothing_else():
    lease = taken(None, "a", LeaseTimes(), now_s=NOW_S)
    later = renewed(lease, now_s=NOW_S + 2)
    assert later["spec"] == {**lease["spec"], "renewTime": "2026-01-01T00:00:02.250000Z"}


def test_releasing_leaves_the_transitions_and_no_holder():
    lease = taken(None, "a", LeaseTimes(), now_s=NOW_S)
    free = released(lease, now_s=NOW_S + 2)
    assert (holder_of(free), transitions_of(free)) == ("", SECONDS_SINCE_2020)


def test_the_steady_clock_goes_forward():
    assert 0 < elapsed_s() <= elapsed_s()
