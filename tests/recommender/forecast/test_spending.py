"""A promised risk is spent where forecasts are wide, and is on the mean what was promised."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.forecast.forecaster import Forecaster
from recommender.forecast.gate import Gate
from recommender.forecast.sketches import ErrorSketches
from recommender.forecast.spending import (
    EVENLY,
    LARGEST_RISK,
    LEAST_FACTOR,
    LEAST_WIDTH,
    Widths,
    spent_level,
    wide_level,
)
from tests.recommender.forecast.series import HOURLY, daily, noisy, past_of, replayed

SCALE, DAY = np.ones(1), 24
MOST = 4.0
UNIT = 2.0**30
LEVEL = 0.9

widths_of_blocks = st.lists(st.floats(0, 50), min_size=1, max_size=3 * DAY)
levels = st.floats(0.01, 0.9999)
factors = st.floats(LEAST_FACTOR, MOST)


def taken(widths):
    """Return the factors on the risk of one series, ``[T]``, and what it has learned."""
    learned = Widths.empty(1)
    return np.array([learned.take(np.array([w]), SCALE, MOST, DAY)[0] for w in widths]), learned


@given(seed=st.integers(0, 99), spread=st.floats(0, 1))
def test_the_mean_of_the_factors_tends_to_one(seed, spread):
    found, _ = taken(np.random.default_rng(seed).lognormal(-2.0, spread, 1500))
    assert found[300:].mean() == pytest.approx(1.0, abs=0.06)


@given(st.floats(0, 50), st.integers(1, 200))
def test_a_width_that_never_changes_is_an_even_risk(width, blocks):
    np.testing.assert_allclose(taken([width] * blocks)[0], 1.0, rtol=1e-12)


@given(widths_of_blocks, st.floats(0, 50), st.floats(0, 50))
def test_a_wider_forecast_has_more_of_the_risk_within_bounds(before, one, other):
    narrow, wide = (taken([*before, w])[0][-1] for w in sorted((one, other)))
    assert LEAST_FACTOR <= narrow <= wide * (1 + 1e-12)
    assert wide <= MOST


@given(widths_of_blocks)
def test_what_is_not_known_is_an_even_risk_and_teaches_nothing(before):
    found, learned = taken([*before, np.nan, np.nan])
    assert found[-2:].tolist() == [1.0, 1.0]
    alone = taken(before)[1]
    assert (learned.powers, learned.blocks) == (alone.powers, alone.blocks)


def test_before_a_day_is_known_the_risk_is_even():
    early, late = (taken([*[0.1] * blocks, 1.0])[0][-1] for blocks in (DAY - 2, DAY - 1))
    assert early == 1.0
    assert late > 2.0


def test_what_is_narrower_than_can_be_told_counts_as_the_least_width():
    day = [0.1] * DAY
    found, least = taken([*day, 0.0])[0], taken([*day, LEAST_WIDTH])[0]
    assert found[-1] < 1.0
    np.testing.assert_array_equal(found, least)


@given(levels, factors, factors)
def test_a_larger_factor_is_a_lower_level_within_bounds(level, one, other):
    low, high = (spent_level(np.array([level]), np.array([f]))[0] for f in sorted((one, other)))
    assert high <= low < 1.0
    assert 1.0 - high <= max(LARGEST_RISK, 1.0 - level) + 1e-12


@given(levels)
def test_a_factor_of_one_is_the_very_level_that_was_asked_for(level):
    assert spent_level(np.array([level]), np.ones(1)) == level


@given(levels)
def test_the_width_is_from_an_amount_to_one_that_is_no_higher(level):
    assert 0.0 < wide_level(np.array([level]))[0] <= level + 1e-12


def test_the_same_share_of_minutes_costs_less_than_an_even_risk():
    widths = np.random.default_rng(3).lognormal(-2.0, 1.0, 2000)
    risk = 0.05 * taken(widths)[0]
    spent, even = (widths * np.log(1 / each) for each in (risk, risk.mean()))
    assert spent.mean() < 0.97 * even.mean()


def uneven(days, series, *, seed=5):
    """Return demand with a peak each day, calm and wild by turns of two days, ``[T, S]``."""
    random = np.random.default_rng(seed)
    hour = np.arange(24 * days)[:, None]
    noise = np.where(is_wild(days)[:, None], 0.6, 0.08) * random.normal(size=(24 * days, series))
    return 20.0 * np.exp(0.8 * np.sin(2 * np.pi * hour / 24) + noise)


def is_wild(days):
    return np.arange(24 * days) // 48 % 2 == 1


def shown(demand, *, most):
    """Return values, levels and gates of a replay, ``[T, S]`` each."""
    forecaster = Forecaster(demand.shape[1], HOURLY)
    columns = [
        (forecast.value, forecaster.made[-1].level, forecast.gate)
        for forecast in replayed(forecaster, demand, LEVEL, most=most)
    ]
    return tuple(np.array(each) for each in zip(*columns, strict=True))


def test_forecasts_that_count_spend_the_risk_where_they_are_wide():
    demand = uneven(14, 6)
    _, asked, gates = shown(demand, most=MOST)
    is_open = gates == Gate.OPEN
    assert is_open[-96:].mean() > 0.9
    wild = is_open & is_wild(14)[:, None]
    assert (1 - asked)[wild].mean() > 1.2 * (1 - asked)[is_open & ~wild].mean()
    assert (1 - asked)[is_open].mean() == pytest.approx(1 - LEVEL, rel=0.1)


def test_as_many_minutes_lie_below_as_at_an_even_risk():
    demand = uneven(21, 8)
    spent, even = (shown(demand, most=each)[0] for each in (MOST, EVENLY))
    covered = [(demand[193:] <= each[192:-1]).mean() for each in (spent, even)]
    assert (spent[193:] != even[193:]).mean() > 0.9
    assert covered[0] == pytest.approx(covered[1], abs=0.01)


def test_a_risk_is_spent_by_width_where_only_what_was_measured_counts():
    demand = np.concatenate([uneven(10, 3), noisy(10, 3)], axis=1)
    _, asked, gates = shown(demand, most=MOST)
    assert (asked[:DAY] == LEVEL).all()
    is_closed = gates[DAY + 3 :] != Gate.OPEN
    assert 0.3 < is_closed.mean() < 0.9
    assert (asked[DAY + 3 :][is_closed] != LEVEL).mean() > 0.9


class _Counted(ErrorSketches):
    """Sketches that count how often quantiles are read."""

    read = 0

    def uppers(self, forecast, levels, of_fleet=None):
        type(self).read += len(levels)
        return super().uppers(forecast, levels, of_fleet)


def test_an_even_risk_costs_nothing():
    demand = uneven(8, 3)
    forecaster = Forecaster(3, HOURLY)
    forecaster.sketches = _Counted(forecaster.sketches.weights)
    gates = [f.gate for f in replayed(forecaster, demand)]
    assert (np.array(gates) == Gate.OPEN).any()
    assert _Counted.read == len(demand)


def test_the_unit_of_demand_changes_nothing():
    demand = uneven(9, 3)
    own, other = (shown(d, most=MOST) for d in (demand, UNIT * demand))
    np.testing.assert_array_equal(UNIT * own[0], other[0])
    np.testing.assert_array_equal(own[1], other[1])
    assert (own[1] != LEVEL).any()


def test_the_order_of_series_changes_nothing():
    demand, order = np.concatenate([uneven(9, 3), daily(9, 2)], axis=1), [2, 0, 4, 1, 3]
    ordered, shuffled = (shown(d, most=MOST) for d in (demand, demand[:, order]))
    for one, other in zip(ordered, shuffled, strict=True):
        np.testing.assert_array_equal(one[:, order], other)
    assert (ordered[1] != LEVEL).any()


def test_what_was_learned_of_widths_stays_with_its_series():
    demand = uneven(8, 3)
    forecaster = Forecaster(3, HOURLY)
    for _ in replayed(forecaster, demand, most=MOST):
        pass
    blocks = forecaster.widths.blocks.tolist()
    assert min(blocks) > 0
    forecaster.append(past_of(demand[:, :1]))
    forecaster.keep(np.array([3, 2, 0]))
    assert forecaster.widths.blocks.tolist() == [0.0, blocks[2], blocks[0]]
    forecaster.catch_up(past_of(demand[:, [0, 2, 0]]), 1)
    assert forecaster.widths.blocks.tolist() == [0.0, blocks[2], blocks[0]]
