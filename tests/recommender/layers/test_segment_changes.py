"""Requests at the begin of a learned part of the day: one change at once, watched like any."""

from dataclasses import replace

import numpy as np
import pytest

from recommender.decision import Code, Layer
from recommender.resources import GIB
from recommender.state import NEVER
from tests.builders import policy
from tests.fleets import BEGIN_S, StatedFleet

LAYER = Layer.REQUESTS
PREDICTS = {"autoSetRequests": {"enable": True, "prediction": {"enable": True}}}
USE = {"request_target": (10.0, 8 * GIB), "request_upper": 80.0, "limit_percentile": 1.0}


def fleet(*, request, segment, config=PREDICTS, since_s=BEGIN_S - 300, rows=1, **columns):
    """Workloads for which much less than ``segment`` is forecast, so that it alone decides."""
    return StatedFleet(
        *[policy(config)] * rows,
        usage=USE,
        foreseen={"request": 1.0, "segment": segment, "segment_since_s": since_s},
        request=(request, 8.8 * GIB),
        limit=(200.0, 16 * GIB),
        **columns,
    )


def next_request(made, **usage):
    return float(made.decide(applies=True, **usage).next_request[0, 0])


@pytest.mark.parametrize(("request_tflops", "segment_tflops"), [(5.0, 40.0), (40.0, 5.0)])
def test_a_request_follows_the_begin_of_a_part_of_the_day_at_once(request_tflops, segment_tflops):
    made = fleet(request=request_tflops, segment=segment_tflops)
    assert next_request(made) == segment_tflops
    assert made.steps(LAYER)[Code.SegmentBegins] == (request_tflops, segment_tflops)


@pytest.mark.parametrize(
    ("age_s", "request_tflops", "expected"),
    [(0, 5.0, 40.0), (0, 100.0, 80.0), (299, 100.0, 80.0), (300, 100.0, 40.0)],
)
def test_a_decrease_waits_until_the_forecast_has_seen_the_hour_before(
    age_s, request_tflops, expected
):
    made = fleet(request=request_tflops, segment=40.0, since_s=BEGIN_S - age_s)
    assert next_request(made) == expected


@pytest.mark.parametrize("age_s", [-1, 3600])
def test_outside_its_first_hour_requests_keep_their_pace(age_s):
    made = fleet(request=5.0, segment=40.0, since_s=BEGIN_S - age_s)
    assert next_request(made) == 10.0
    assert Code.RaisePace in made.steps(LAYER)


def test_it_is_one_change_the_next_ones_keep_their_pace():
    made = fleet(request=5.0, segment=10.0)
    assert next_request(made) == 10.0
    made.foreseen["segment"] = 80.0
    made.now_s += 600
    assert next_request(made) == 20.0


def test_the_next_part_of_the_day_has_a_change_of_its_own():
    made = fleet(request=5.0, segment=40.0)
    next_request(made)
    made.now_s += 4 * 3600
    made.foreseen |= {"segment": 8.0, "segment_since_s": made.now_s - 300}
    assert next_request(made) == 8.0


def test_it_does_not_count_among_the_four_changes_of_a_day_and_needs_none_of_them():
    made = fleet(request=5.0, segment=40.0)
    made.state.request_change_s[:] = BEGIN_S - 3 * 3600
    made.state.request_change_before[:] = 4.0
    before = made.state.request_change_s.copy()
    assert next_request(made) == 40.0
    assert np.array_equal(made.state.request_change_s, before)


def test_a_small_difference_is_no_change_and_leaves_it_to_come():
    made = fleet(request=38.0, segment=40.0)
    assert next_request(made) == 38.0
    made.foreseen["segment"] = 80.0
    made.now_s += 600
    assert next_request(made) == 80.0


def test_it_waits_for_the_budget_of_the_fleet():
    made = fleet(request=5.0, segment=40.0, rows=10)
    first = made.decide(applies=True).next_request[:, 0]
    assert (first == 40.0).sum() == 5
    made.now_s += 600
    assert (made.decide(applies=True).next_request[:, 0] == 40.0).all()


def test_a_decrease_of_it_is_watched_and_rolled_back_after_trouble():
    made = fleet(request=40.0, segment=5.0)
    assert next_request(made) == 5.0
    made.now_s += 600
    trouble = {"saturated_minutes": (5.0, 0.0), "saturated_share_day": 0.0}
    assert next_request(made, **trouble) == 40.0
    assert Code.RolledBack in made.steps(LAYER)


def test_after_a_roll_back_nothing_is_lowered_for_it():
    made = fleet(request=40.0, segment=5.0)
    made.state.no_decrease_until_s[:] = BEGIN_S + 3600
    assert next_request(made) == 40.0
    assert Code.NoDecreaseAfterRollBack in made.steps(LAYER)


def test_one_that_did_not_come_into_force_may_be_made_again():
    made = fleet(request=5.0, segment=40.0)
    made.decide()
    made.now_s += 600
    assert next_request(made) == 40.0
    assert (made.state.segment_change_s[0] == [made.now_s, NEVER]).all()


def test_where_use_is_not_followed_no_part_of_the_day_moves_a_request():
    made = fleet(request=5.0, segment=40.0)
    made.table = replace(
        made.table,
        requests=replace(
            made.table.requests,
            is_asked_only=np.ones(made.shape, np.bool_),
            keeps_unasked=np.ones(made.shape, np.bool_),
        ),
    )
    assert next_request(made) == 5.0
    assert (made.state.segment_change_s == NEVER).all()


def test_the_hard_bounds_hold():
    config = {"autoSetRequests": {**PREDICTS["autoSetRequests"], "maxAllowed": {"tflops": "25"}}}
    assert next_request(fleet(request=5.0, segment=40.0, config=config)) == 25.0
