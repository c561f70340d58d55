"""Demand that leaves its pattern, and histories that are damaged."""

import numpy as np

from recommender.forecast.forecaster import Forecaster
from recommender.forecast.gate import STEP_BLOCKS, Gate
from tests.recommender.forecast.fleets import (
    BLOCK_STEPS,
    LIMITS_ALONE,
    STEP_S,
    daily_minutes,
    fleet,
    show,
)
from tests.recommender.forecast.series import HOURLY, daily, replayed

DAY = 1440
SERIES = 4


def test_demand_that_doubles_each_hour_closes_the_gate_which_opens_again_at_the_new_level():
    demand, moved_at = daily(20, SERIES), 10 * 24 + 5
    doublings = np.clip(np.arange(len(demand)) - moved_at + 1, 0, 5)
    demand *= 2.0 ** doublings[:, None]
    shown = list(replayed(Forecaster(SERIES, HOURLY), demand))
    gates = np.stack([each.gate for each in shown])
    assert (gates[moved_at - 1] == Gate.OPEN).all()
    assert (gates[moved_at : moved_at + 2 * STEP_BLOCKS] == Gate.STEP).any(axis=0).all()
    assert (gates[-1] == Gate.OPEN).all()

    chosen = np.stack([each.chosen for each in shown])
    soon = np.arange(moved_at + 6, moved_at + 24)
    assert (demand[soon] <= chosen[soon - 1]).mean() > 0.8


def test_demand_that_loses_its_pattern_is_no_longer_forecast():
    demand = daily(40, SERIES)
    random, lost_at = np.random.default_rng(5), 10 * 24
    demand[lost_at:] = demand[:lost_at].mean(axis=0) * random.gamma(2.0, 0.5, (30 * 24, SERIES))
    gates = np.stack([each.gate for each in replayed(Forecaster(SERIES, HOURLY), demand)])
    assert (gates[lost_at - 1] == Gate.OPEN).all()
    assert (gates[-10 * 24 :] == Gate.OPEN).mean() < 0.2


def damaged(use):
    """Return minutes of use of which a fifth, and ten minutes of each day, are missing."""
    random = np.random.default_rng(4)
    is_out = (np.arange(len(use)) % DAY) // 10 == 60
    return np.where((random.random(use.shape) < 0.2) | is_out[:, None], np.nan, use)


def judged(use, seen):
    """Return what limits take beyond the use of the last day, and how many minutes lie above."""
    limits = np.stack([each.limit[:, 0] for each in show(fleet(SERIES, LIMITS_ALONE), seen)])
    in_force = np.repeat(limits[:-1], BLOCK_STEPS, axis=0)[-DAY:]
    coming = use[-DAY:]
    return (in_force - coming).mean() / coming.mean(), (coming > in_force).mean()


def test_a_damaged_history_costs_little():
    use = daily_minutes(2, SERIES)
    slack, above = judged(use, use)
    slack_of_damaged, above_of_damaged = judged(use, damaged(use))
    assert slack_of_damaged < 1.05 * slack
    assert above_of_damaged < above + 0.01


def test_samples_that_come_twice_and_a_clock_that_runs_ahead_break_nothing():
    use, twice = daily_minutes(1, SERIES), fleet(SERIES, LIMITS_ALONE)
    for minute in range(0, len(use), BLOCK_STEPS):
        now_s = (minute + BLOCK_STEPS) * STEP_S
        ahead_s = 300 if 720 <= minute < 1080 else 0
        part = use[minute : minute + BLOCK_STEPS].T
        for _ in range(2):
            twice.see(0, minute * STEP_S + ahead_s, part, now_s=now_s)
        twice.decide(now_s)
    *_, expected = show(fleet(SERIES, LIMITS_ALONE), use)
    found = twice.forecasts(len(use) * STEP_S)
    np.testing.assert_allclose(found.limit[:, 0], expected.limit[:, 0], rtol=0.2)
