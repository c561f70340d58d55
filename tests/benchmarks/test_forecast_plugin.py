"""Scores of the forecasts are honest: nothing but what a replay has shown decides an allocation."""

from itertools import pairwise

import numpy as np
import pytest

from tests.benchmarks.forecast_plugin import Forecasting, forget_models
from tests.recommender.forecast.series import daily

SEEN_FROM = 24
RISKS = (0.2, 0.05)
HOURS = daily(4, 12, noise=0.2)
"""Enough for the fleet's model to be trained twice."""
CAP = 20.0
CAPPED = np.minimum(HOURS, CAP)


@pytest.fixture(autouse=True)
def no_models():
    forget_models()


def panel(series, task="limits"):
    return {
        "name": "some-panel",
        "task": task,
        "resource": "tokens_per_s",
        "step_s": 3600,
        "hold_steps": 1,
        "delay_steps": 1,
        "series": series,
        "t0_unix": np.full(len(series), 1_700_000_000),
        "agg": "max" if task == "limits" else "q95",
        "cap": np.inf,
    }


def allocations(
    hours, knob, *, since=SEEN_FROM, until=None, task="limits", saturated=None, **changes
):
    """Return what is answered at each column, ``[T, S]``; at ``saturated`` more was wanted."""
    names = [f"series-{i}" for i in range(hours.shape[1])]
    replayed = Forecasting({**panel(names, task), **changes})
    hist, given = np.ascontiguousarray(hours.T), []
    for t in range(since, until or len(hours)):
        if saturated is not None:
            replayed.saturated = hist[:, :t] >= saturated
        given.append(replayed.allocate(t, hist[:, :t], knob))
    return np.array(given)


@pytest.mark.parametrize("task", ["limits", "requests"])
def test_the_order_of_series_decides_nothing(task):
    order = np.random.default_rng(1).permutation(12)
    given = allocations(HOURS, 0.1, task=task)
    forget_models()
    np.testing.assert_array_equal(
        given[:, order], allocations(np.ascontiguousarray(HOURS[:, order]), 0.1, task=task)
    )


def test_names_and_the_calendar_decide_nothing():
    given = allocations(HOURS, 0.1)
    forget_models()
    others = {"name": "other", "series": list("abcdefghijkl"), "t0_unix": np.arange(12) * 12_345}
    np.testing.assert_array_equal(given, allocations(HOURS, 0.1, **others))


def test_the_order_of_knobs_decides_nothing():
    first = {risk: allocations(HOURS, risk) for risk in RISKS}
    forget_models()
    then = {risk: allocations(HOURS, risk) for risk in reversed(RISKS)}
    for risk in RISKS:
        np.testing.assert_array_equal(first[risk], then[risk])


@pytest.mark.parametrize(
    "earlier",
    [
        lambda: allocations(CAPPED, 0.1),
        lambda: allocations(HOURS, 0.1, since=SEEN_FROM + 12),
    ],
    ids=["of the same use in an open loop", "that began later"],
)
def test_another_replay_before_it_decides_nothing(earlier):
    closed, whole = allocations(CAPPED, 0.1, saturated=CAP), allocations(HOURS, 0.1)
    forget_models()
    earlier()
    np.testing.assert_array_equal(closed, allocations(CAPPED, 0.1, saturated=CAP))
    np.testing.assert_array_equal(whole, allocations(HOURS, 0.1))


def test_what_comes_later_decides_nothing():
    whole = allocations(HOURS, 0.1)
    forget_models()
    changed = HOURS.copy()
    changed[80:] = 1000.0
    np.testing.assert_array_equal(whole[: 80 - SEEN_FROM], allocations(changed, 0.1, until=80))


@pytest.mark.parametrize("task", ["limits", "requests"])
def test_a_larger_risk_gives_no_series_more(task):
    means = [allocations(HOURS, risk, task=task).mean(axis=0) for risk in (0.02, 0.06, 0.15, 0.3)]
    for more, less in pairwise(means):
        assert (more >= less).all()
        assert more.sum() > less.sum()


@pytest.mark.parametrize("knob", [0.05, 0.9, 1.2])
def test_every_kind_of_knob_is_answered_for_every_series(knob):
    hours = HOURS.copy()
    hours[30:40] = np.nan
    hours[:, 3] = np.nan
    given = allocations(hours, knob)
    assert (given[:, :3] > 0).all()
    assert not np.isnan(given).any()


def test_about_as_many_minutes_are_above_as_the_risk_says():
    hours = daily(12, 6, noise=0.3, seed=7)
    given = allocations(hours, 0.1)
    came = hours[SEEN_FROM + 1 :]
    assert 0.06 <= (came > given[:-1])[100:].mean() <= 0.15


def test_demand_is_more_than_what_a_saturated_sample_shows():
    shown = allocations(CAPPED, 0.1)[-1]
    wanted = allocations(CAPPED, 0.1, saturated=CAP)[-1]
    often = (HOURS > CAP).mean(axis=0) > 0.2
    assert wanted[often].mean() > 1.1 * shown[often].mean()


SERVICES = {"task": "replicas", "startup_steps": 2, "capacity": np.full(12, 3.0), "agg": "max"}


def test_replicas_are_whole_and_serve_the_newest_demand_at_least():
    given = allocations(HOURS, 0.3, **SERVICES)
    np.testing.assert_array_equal(given, np.round(given))
    assert (given * 3.0 >= HOURS[SEEN_FROM - 1 : -1] - 1e-6).all()


def test_demand_is_above_what_replicas_serve_about_as_often_as_the_risk_says():
    hours = daily(12, 6, noise=0.3, seed=7)
    given = allocations(hours, 0.1, **{**SERVICES, "capacity": np.full(6, 0.1)})
    served = 0.1 * given[100:-2]
    came = hours[SEEN_FROM + 102 :]
    assert 0.04 <= (came > served).mean() <= 0.15


def test_replicas_do_not_depend_on_the_order_of_services():
    order = np.random.default_rng(1).permutation(12)
    capacity = np.linspace(1.0, 5.0, 12)
    given = allocations(HOURS, 0.1, **{**SERVICES, "capacity": capacity})
    forget_models()
    shuffled = allocations(
        np.ascontiguousarray(HOURS[:, order]), 0.1, **{**SERVICES, "capacity": capacity[order]}
    )
    np.testing.assert_array_equal(given[:, order], shuffled)
