"""The share of minutes above what is in force comes to what was promised."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.forecast.risk import LEAST_FACTOR, MOST_FACTOR, RiskControl

FREE = np.ones(1, np.bool_)


def observe(control, use, amount, risk, is_free):
    """Let a control take minutes of use, ``[N, 1]``, under an amount."""
    minutes = (~np.isnan(use)).sum(axis=0)
    control.observe(minutes, (use > amount).sum(axis=0), risk, is_free)


def violations(control, *, promised, quantile, rounds=600, minutes=60, seed=4):
    """Return the share of minutes above an amount that ``quantile(level)`` gives."""
    random = np.random.default_rng(seed)
    risk, seen = np.array([promised]), []
    for _ in range(rounds):
        amount = quantile(control.level(risk))
        use = random.uniform(0.0, 1.0, (minutes, 1))
        observe(control, use, amount, risk, FREE)
        seen.append((use > amount).mean())
    return float(np.mean(seen[rounds // 3 :]))


@pytest.mark.parametrize(
    ("name", "quantile"),
    [
        ("right", lambda level: level),
        ("too careful", lambda level: level + 0.6 * (1 - level)),
        ("too bold", lambda level: level - 1.5 * (1 - level)),
    ],
)
def test_whatever_the_forecast_the_promise_is_kept(name, quantile):
    kept = violations(RiskControl.empty(1), promised=0.03, quantile=quantile)
    assert kept == pytest.approx(0.03, rel=0.3), name


def test_few_expected_violations_say_nothing():
    control, risk = RiskControl.empty(1), np.array([0.001])
    before = control.level(risk)
    for _ in range(40):
        observe(control, np.zeros((60, 1)), np.array([1.0]), risk, FREE)
    np.testing.assert_array_equal(control.level(risk), before)


def test_an_amount_that_something_else_decided_says_nothing():
    control, risk = RiskControl.empty(1), np.array([0.1])
    before = control.level(risk)
    for _ in range(50):
        observe(control, np.ones((60, 1)), np.array([0.5]), risk, ~FREE)
    np.testing.assert_array_equal(control.level(risk), before)


def test_what_was_not_measured_says_nothing():
    control, risk = RiskControl.empty(1), np.array([0.1])
    before = control.level(risk)
    for _ in range(50):
        observe(control, np.full((60, 1), np.nan), np.array([0.5]), risk, FREE)
    np.testing.assert_array_equal(control.level(risk), before)


def test_all_minutes_of_a_large_workload_count_in_the_fleet_wherever_it_stands():
    minutes, asked = np.array([60_001, 7, 13, 29, 60]), []
    for each in (minutes, minutes[::-1]):
        control = RiskControl.empty(5)
        control.observe(each, np.zeros(5), np.full(5, 0.07), np.ones(5, np.bool_))
        asked.append(control.fleet_asked)
    assert asked[0] == asked[1] == pytest.approx(0.14 * minutes.sum())


@given(shares=st.lists(st.floats(0, 1), min_size=1, max_size=40), risk=st.floats(0.001, 0.49))
def test_steering_stays_within_its_bounds(shares, risk):
    control, promised = RiskControl.empty(1), np.array([risk])
    for share in shares:
        use = (np.arange(60)[:, None] < 60 * share).astype(float)
        observe(control, use, np.array([0.5]), promised, FREE)
    asked = 1 - control.level(promised)[0]
    assert LEAST_FACTOR * risk <= asked * (1 + 1e-9)
    assert asked <= min(MOST_FACTOR * risk, 0.49) * (1 + 1e-9)
