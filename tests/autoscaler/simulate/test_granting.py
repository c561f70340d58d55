from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from autoscaler.simulate.granting import grant

AMOUNT = st.floats(0.0, 200.0)


def _grant(demand, request, limit, qos, card, capacity):
    used, share = grant(
        np.array([demand], float),
        np.array(request, float),
        np.array(limit, float),
        np.array(qos),
        np.array(card),
        np.array(capacity, float),
    )
    return used[0].tolist(), share[0].tolist()


def test_a_worker_alone_gets_what_it_wants_up_to_its_limit():
    used, share = _grant([30, 90], [10, 10], [50, 50], [1, 1], [0, 1], [100, 100])

    assert used == [30.0, 50.0]
    assert share == [50.0, 50.0]


def test_requests_are_guaranteed_before_spare_is_shared():
    used, _ = _grant([100, 100], [60, 20], [100, 100], [1, 1], [0, 0], [100])

    assert used == [70.0, 30.0]


def test_spare_capacity_is_shared_by_the_weight_of_the_qos_level():
    used, _ = _grant([100, 100], [0, 0], [100, 100], [0, 3], [0, 0], [90])

    assert used == [10.0, 80.0]


def test_what_one_worker_does_not_need_goes_to_the_others():
    used, _ = _grant([5, 100, 100], [0, 0, 0], [100, 100, 100], [3, 1, 1], [0, 0, 0], [65])

    assert used == [5.0, 30.0, 30.0]


def test_requests_of_idle_workers_can_be_used_by_others():
    used, _ = _grant([0, 100], [60, 20], [100, 100], [1, 1], [0, 0], [100])

    assert used == [0.0, 100.0]


def test_the_lowest_level_shrinks_first_when_requests_exceed_the_card():
    used, _ = _grant([60, 60], [60, 60], [60, 60], [0, 2], [0, 0], [80])

    assert used == [20.0, 60.0]


def test_the_share_of_a_worker_that_was_held_back_is_what_it_got():
    used, share = _grant([100, 100], [50, 50], [100, 100], [1, 1], [0, 0], [100])

    assert used == share == [50.0, 50.0]


@given(
    demand=arrays(float, (3, 6), elements=AMOUNT),
    request=arrays(float, 6, elements=AMOUNT),
    above=arrays(float, 6, elements=AMOUNT),
    qos=arrays(np.int64, 6, elements=st.integers(0, 3)),
    card=arrays(np.int64, 6, elements=st.integers(0, 1)),
)
def test_no_card_limit_or_demand_is_exceeded_and_no_capacity_is_wasted(
    demand, request, above, qos, card
):
    limit = request + above
    capacity = np.array([150.0, 90.0])

    used, share = grant(demand, request, limit, qos, card, capacity)

    wanted = np.minimum(demand, limit)
    on_card = np.zeros((6, 2))
    on_card[np.arange(6), card] = 1
    assert (used >= 0).all()
    assert (used <= wanted + 1e-6).all()
    assert (used <= share + 1e-6).all()
    total, asked = used @ on_card, wanted @ on_card
    assert (total <= capacity + 1e-6).all()
    np.testing.assert_allclose(total, np.minimum(asked, capacity), atol=1e-5)
