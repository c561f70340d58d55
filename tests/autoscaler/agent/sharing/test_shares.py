import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.agent.sharing.shares import LEAST_SHARE, ShareDemand, allocate
from autoscaler.simulate.granting import grant

SHARE = st.floats(0.0, 1.0)


def _demand(demand, request=0.0, limit=1.0, qos_rank=1):
    return ShareDemand(request=request, limit=limit, demand=demand, qos_rank=qos_rank)


@st.composite
def demands(draw):
    request, limit = sorted((draw(SHARE), draw(SHARE)))
    return _demand(draw(SHARE), request, max(limit, 0.001), draw(st.integers(0, 3)))


def test_who_gets_all_it_wants_keeps_its_limit():
    shares = allocate([_demand(0.3, limit=0.5), _demand(0.0, request=0.2, limit=0.4)])

    assert shares == [0.5, 0.4]


def test_requests_are_guaranteed_before_spare_is_shared():
    shares = allocate([_demand(1.0, request=0.6), _demand(1.0, request=0.2)])

    assert shares == pytest.approx([0.7, 0.3])


def test_spare_is_shared_by_the_weight_of_the_level():
    shares = allocate([_demand(1.0, qos_rank=0), _demand(1.0, qos_rank=3)])

    assert shares == pytest.approx([1 / 9, 8 / 9])


def test_a_critical_worker_that_arrives_gets_its_request_and_most_of_the_spare():
    low = _demand(1.0, request=0.2, limit=1.0, qos_rank=0)
    critical = _demand(1.0, request=0.6, limit=0.8, qos_rank=3)

    assert allocate([low, critical]) == pytest.approx([0.2 + 0.2 / 9, 0.6 + 0.2 * 8 / 9])


def test_what_one_does_not_need_goes_to_the_others():
    shares = allocate([_demand(0.1, request=0.5), _demand(1.0), _demand(1.0)])

    assert shares == pytest.approx([1.0, 0.45, 0.45])


def test_the_lowest_level_shrinks_first_where_requests_exceed_the_card():
    low, high = (_demand(1.0, request=0.6, limit=0.6, qos_rank=rank) for rank in (0, 2))

    assert allocate([low, high]) == pytest.approx([0.4, 0.6])


def test_who_is_left_nothing_still_ends_its_kernels():
    low = _demand(1.0, request=0.5, limit=0.5, qos_rank=0)
    critical = _demand(1.0, request=1.0, qos_rank=3)

    assert allocate([low, critical]) == [LEAST_SHARE, 1.0]


def test_nobody_on_the_card_is_no_share():
    assert allocate([]) == []


@given(st.lists(demands(), min_size=1, max_size=6))
def test_no_share_is_above_its_limit_and_none_is_nothing(users):
    shares = allocate(users)

    for share, user in zip(shares, users, strict=True):
        assert min(LEAST_SHARE, user.limit) <= share <= user.limit


@given(st.lists(demands(), min_size=1, max_size=6))
def test_nothing_is_kept_back_from_who_wants_it(users):
    shares = allocate(users)

    used = [min(share, user.demand) for share, user in zip(shares, users, strict=True)]
    wanted = sum(min(user.demand, user.limit) for user in users)
    assert sum(used) >= min(wanted, 1.0) - 1e-6


@given(st.lists(demands(), min_size=1, max_size=6))
def test_the_requests_of_the_highest_level_are_met_as_far_as_the_card_goes(users):
    highest = max(user.qos_rank for user in users)
    top = [i for i, user in enumerate(users) if user.qos_rank == highest]
    guaranteed = sum(min(users[i].demand, users[i].request) for i in top)

    shares = allocate(users)

    used = sum(min(shares[i], users[i].demand) for i in top)
    assert used >= min(guaranteed, 1.0) - 1e-6


@given(st.lists(demands(), min_size=1, max_size=6))
def test_the_rule_is_that_of_the_simulation(users):
    expected = grant(
        np.array([[user.demand for user in users]]),
        np.array([user.request for user in users]),
        np.array([user.limit for user in users]),
        np.array([user.qos_rank for user in users]),
        np.zeros(len(users), dtype=np.int64),
        np.ones(1),
    )[1][0]

    least = [min(LEAST_SHARE, user.limit) for user in users]
    assert allocate(users) == pytest.approx(np.maximum(expected, least).tolist(), abs=1e-6)
