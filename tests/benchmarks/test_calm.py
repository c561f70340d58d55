"""Amounts that change seldom cover every forecast and follow what stays."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from tests.benchmarks.calm import CHANGES_PER_DAY, LEAST_CUT, SMALLEST_CHANGE, Calm

DAY = 288
AMOUNTS = st.one_of(st.just(np.nan), st.floats(0.0, 1e6, allow_subnormal=False))
COURSES = arrays(np.float64, st.tuples(st.integers(1, 40), st.integers(1, 4)), elements=AMOUNTS)


def settled(forecasts, day=DAY):
    """Return what is in force after each forecast, ``[T, S]``."""
    calm = Calm.empty(forecasts.shape[1], day)
    return np.array([calm.settle(forecast, day) for forecast in forecasts])


def changes(amounts):
    moved = np.abs(np.diff(amounts, axis=0)) > SMALLEST_CHANGE * amounts[:-1]
    return moved.sum(axis=0)


def noisy(days, spread, series=20, seed=1):
    drawn = np.random.default_rng(seed).standard_normal((days * DAY, series))
    return np.exp(spread * drawn)


@given(COURSES)
def test_every_forecast_is_covered(forecasts):
    amounts = settled(forecasts)
    known = ~np.isnan(forecasts)
    assert (amounts[known] >= forecasts[known]).all()


@given(COURSES)
def test_without_a_forecast_nothing_changes(forecasts):
    amounts = settled(forecasts)
    before = np.vstack([np.full(forecasts.shape[1], np.nan), amounts[:-1]])
    unknown = np.isnan(forecasts)
    np.testing.assert_array_equal(amounts[unknown], before[unknown])


@given(COURSES)
def test_twice_the_demand_is_twice_the_amount(forecasts):
    np.testing.assert_allclose(settled(2 * forecasts), 2 * settled(forecasts))


@given(COURSES)
def test_no_series_sees_another(forecasts):
    alone = [settled(forecasts[:, [i]])[:, 0] for i in range(forecasts.shape[1])]
    np.testing.assert_array_equal(np.array(alone).T, settled(forecasts))


def test_the_first_amount_is_the_forecast():
    np.testing.assert_array_equal(settled(np.array([[3.0, np.nan]]))[0], [3.0, np.nan])


@pytest.mark.parametrize("spread", [0.1, 0.3, 0.5])
def test_demand_that_never_rests_changes_about_as_often_as_it_may(spread):
    amounts = settled(noisy(14, spread))
    assert (changes(amounts[7 * DAY :]) / 7 <= 1.15 * CHANGES_PER_DAY).all()


def test_steady_demand_is_followed_closely():
    demand = noisy(6, 0.02)
    amounts = settled(demand)[3 * DAY :]
    assert amounts.mean() <= demand.max() * (1 + LEAST_CUT)


def test_a_step_down_is_followed_within_hours():
    forecasts = np.vstack([np.full((2 * DAY, 1), 10.0), np.full((DAY, 1), 4.0)])
    amounts = settled(forecasts)
    assert amounts[2 * DAY - 1, 0] == 10.0
    assert amounts[2 * DAY + DAY // 12, 0] <= 4.0 * (1 + LEAST_CUT)


def test_a_dip_of_one_block_is_not_followed_where_changes_are_many():
    calm = Calm.empty(1, DAY)
    for forecast in noisy(5, 0.5, series=1):
        calm.settle(forecast, DAY)
    held = calm.settle(np.array([20.0]), DAY)
    np.testing.assert_array_equal(held, calm.settle(np.array([10.0]), DAY))


def test_blocks_that_are_few_need_no_band():
    np.testing.assert_allclose(settled(np.array([[1.0], [2.0]]), day=24)[1], 2.0, rtol=0.01)
