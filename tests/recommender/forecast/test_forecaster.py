"""Forecasts block by block: calibrated, without a look ahead, whatever the data."""

from dataclasses import replace

import numpy as np
import pytest

from recommender.forecast.fleet_model import train
from recommender.forecast.forecaster import EXPERTS, Forecaster
from recommender.forecast.gate import Gate
from recommender.forecast.outcome import outcome_of
from recommender.forecast.series import SERIES_AT_ONCE
from tests.recommender.forecast.series import (
    HOURLY,
    daily,
    growing,
    noisy,
    percentiles_of,
    replayed,
)

UNIT = 2.0**30
"""A power of two, which changes no digit."""


def forecasts(demand, *, level=0.9, trains_at=None):
    """Return values and gates ``[T, S]`` of a replay, with a model trained at some block."""
    forecaster = Forecaster(demand.shape[1], HOURLY)
    values, gates = [], []
    for k, forecast in enumerate(replayed(forecaster, demand, level)):
        values.append(forecast.value)
        gates.append(forecast.gate)
        if k == trains_at:
            forecaster.model = train(*forecaster.examples.table(), forecaster.examples.lesson)
            assert forecaster.model is not None
    return np.array(values), np.array(gates)


@pytest.mark.parametrize("demand", [daily(14, 6, noise=0.3), noisy(14, 6)], ids=["daily", "noisy"])
@pytest.mark.parametrize("level", [0.8, 0.95])
def test_as_many_outcomes_are_below_a_forecast_as_its_level_says(demand, level):
    values, _ = forecasts(demand, level=level)
    covered = (demand[97:] <= values[96:-1]).mean()
    assert level - 0.03 <= covered <= level + 0.04


def test_demand_with_a_daily_shape_opens_the_gate_and_costs_less_than_its_peak():
    demand = daily(10, 6)
    values, gates = forecasts(demand, trains_at=120)
    assert (gates[-24:] == Gate.OPEN).all()
    assert values[-24:].mean() < 0.75 * demand.max(axis=0).mean()


def test_demand_without_a_pattern_keeps_the_gate_closed_mostly():
    _, gates = forecasts(noisy(14, 8))
    assert (gates[-48:] == Gate.OPEN).mean() < 0.5


def test_what_comes_later_changes_nothing_earlier():
    demand = daily(8, 6)
    changed = demand.copy()
    changed[150:] *= 7.0
    before, after = (forecasts(d, trains_at=120)[0][:150] for d in (demand, changed))
    np.testing.assert_array_equal(before, after)


def test_the_order_of_series_changes_nothing():
    demand, order = daily(8, 6), [2, 0, 3, 1, 5, 4]
    ordered, shuffled = (forecasts(d, trains_at=120)[0] for d in (demand, demand[:, order]))
    np.testing.assert_array_equal(ordered[:, order], shuffled)


def test_the_order_of_a_fleet_that_is_gone_through_in_parts_changes_nothing():
    demand = noisy(3, SERIES_AT_ONCE + 3)
    ordered, turned = (forecasts(d, trains_at=50)[0] for d in (demand, demand[:, ::-1]))
    assert np.isfinite(ordered[-1]).all()
    np.testing.assert_array_equal(ordered[:, ::-1], turned)


def test_the_unit_of_demand_changes_nothing():
    demand = daily(8, 3)
    np.testing.assert_array_equal(forecasts(UNIT * demand)[0], UNIT * forecasts(demand)[0])


@pytest.mark.parametrize(
    "demand",
    [
        np.zeros((60, 2)),
        np.full((60, 2), 7.0),
        np.full((60, 2), np.nan),
        np.where(np.random.default_rng(1).random((200, 2)) < 0.3, np.nan, daily(9, 2)[:200]),
        np.concatenate([np.full((100, 2), np.nan), daily(4, 2)]),
        np.concatenate([np.zeros((150, 2)), np.full((50, 2), 30.0)]),
    ],
    ids=["idle", "constant", "nothing", "gaps", "new", "step"],
)
def test_any_demand_has_forecasts_that_are_amounts(demand):
    values, _ = forecasts(demand)
    known = values[~np.isnan(values)]
    assert (known >= 0).all()
    assert not np.isinf(known).any()
    if not np.isnan(demand).all():
        assert not np.isnan(values[-1]).any()


def test_constant_demand_is_forecast_exactly():
    values, _ = forecasts(np.full((100, 1), 7.0))
    assert values[-1, 0] == pytest.approx(7.0, rel=0.02)


def test_no_forecast_is_far_above_all_that_was_seen():
    demand = daily(5, 3)
    values, _ = forecasts(demand, level=0.999)
    seen = np.fmax.accumulate(demand, axis=0)
    assert (values[30:] <= 2.0 * seen[30:]).all()


def test_a_fleet_says_how_much_each_expert_counts():
    forecaster = Forecaster(3, HOURLY)
    for _ in replayed(forecaster, daily(5, 3)):
        pass
    shares = forecaster.shares()
    assert shares.shape == (len(EXPERTS), 3)
    np.testing.assert_allclose(shares.sum(axis=0), 1.0)


@pytest.mark.parametrize("missed", [6, 12, 30])
def test_the_ridge_knows_the_time_of_day_after_a_gap(missed):
    days, begins = 21, 24 * 18
    demand = daily(days, 20, noise=0.02)
    forecaster, errors = Forecaster(20, HOURLY), []
    for k, past in enumerate(growing(demand)):
        if begins <= k < begins + missed:
            continue
        if k == begins + missed:
            forecaster.catch_up(replace(past, block=k - 1), missed)
        outcome = outcome_of(demand[k : k + 1]) if forecaster.made else None
        if outcome is not None and begins + missed < k < begins + missed + 24:
            [made] = forecaster.made
            errors.append(np.abs(made.values[EXPERTS.index("ridge")] - demand[k]))
        forecaster.advance(past, percentiles_of(demand[: k + 1]), np.full(20, 0.9), outcome)
    assert np.mean(errors) < 0.04 * demand.mean()
