from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.backtest.comparison import Better, Comparison, better, loss_hours, loss_level
from recommender.backtest.contender import Contender
from recommender.backtest.fleet import run_backtests
from recommender.backtest.plan import ReplayPlan
from recommender.backtest.replayed_fleet import unbounded_workloads
from recommender.decision import Layer
from recommender.errors import ContractError
from recommender.resources import GIB, TFLOPS, VRAM
from tests.recommender.backtest.frames import HOUR_S, daily, frame_of

NAN = float("nan")
PLAN = ReplayPlan(steps_s={Layer.REQUESTS: HOUR_S})
FLEET = frame_of(np.stack([daily(3, 6), np.full((3, 360), 10 * GIB)]), resources=(TFLOPS, VRAM))


def stated(tflops, vram=20 * GIB):
    """Return the back-test of amounts that stay as they are, ``tflops`` per workload."""
    request = np.column_stack([tflops, np.full(3, vram)])
    (result,) = run_backtests(
        FLEET,
        [Contender(name="stated")],
        PLAN,
        workloads=unbounded_workloads(FLEET.workloads, 2, stated_request=request),
    )
    return result


TIGHT, WIDE, SHORT = (stated(np.array([35, 70, 140.0]) * factor) for factor in (1.0, 10.0, 0.1))


def test_too_much_and_too_little_are_both_worse():
    for other in (WIDE, SHORT):
        found = Comparison(first=other, second=TIGHT).overall()
        assert found is not None
        assert found.which == 1
        assert 0 < found.by_ratio < 1


def test_a_comparison_with_itself_finds_no_difference():
    found = Comparison(first=TIGHT, second=TIGHT)
    assert found.overall() == Better(which=None, by_ratio=0.0)
    assert found.movers(5) == ((), ())


def test_nothing_judged_is_no_verdict():
    nothing = stated(np.full(3, NAN), NAN)
    assert Comparison(first=nothing, second=nothing).overall() is None
    assert np.isnan(loss_hours(nothing, Layer.REQUESTS)).all()


def test_the_workloads_that_change_most_are_named_with_where():
    changed = stated(np.array([35, 700, 14.0]))
    gaining, losing = Comparison(first=TIGHT, second=changed).movers(5)
    assert gaining == ()
    assert {mover.row for mover in losing} == {1, 2}
    assert {(mover.layer, mover.resource) for mover in losing} == {(Layer.REQUESTS, 0)}
    back, none = Comparison(first=changed, second=TIGHT).movers(1)
    assert (back[0].row, back[0].share) == (losing[0].row, -losing[0].share)
    assert none == ()


def test_vram_is_weighed_for_what_is_refused():
    assert loss_level(Layer.REQUESTS, VRAM) > loss_level(Layer.REQUESTS, TFLOPS)
    less, more = (stated(np.full(3, 35.0), vram) for vram in (8 * GIB, 100 * GIB))
    hours = [loss_hours(result, Layer.REQUESTS)[0, 1] for result in (less, more)]
    assert hours[0] > hours[1]


def test_back_tests_of_different_fleets_are_no_comparison():
    other = replace(TIGHT, workloads=(("team", "other"),))
    with pytest.raises(ContractError, match="different fleets"):
        Comparison(first=TIGHT, second=other)


@given(st.floats(0, 1e9), st.floats(0, 1e9))
def test_the_smaller_loss_is_better_whichever_stands_first(first, second):
    found, mirrored = better(first, second), better(second, first)
    assert found.by_ratio == mirrored.by_ratio
    assert 0 <= found.by_ratio <= 1
    assert {found.which, mirrored.which} == ({0, 1} if first != second else {None})
