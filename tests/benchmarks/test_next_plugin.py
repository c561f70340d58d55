"""What is in force in a replay is what the loop would have written, and nothing else decides it."""

import numpy as np
import pytest

from recommender.decision import Layer
from recommender.policy.model import Dimension
from recommender.usage.store import CLOSE_AFTER_S
from tests.benchmarks.next_plugin import Enrolled, Paced, policy_of

STEP_S = 300
STEPS_A_DAY = 288
SEEN_FROM = 12
RISK = 0.05
ROUNDING = 0.03
"""Amounts end at buckets of the histograms."""
QUIET, BUSY = 10.0, 40.0


def panel(series, task="limits"):
    return {
        "task": task,
        "resource": "tokens_per_s",
        "step_s": STEP_S,
        "hold_steps": 1,
        "delay_steps": 1,
        "series": [f"series-{i}" for i in range(series)],
        "agg": "max" if task == "limits" else "q95",
        "cap": np.inf,
    }


def in_force(use, *, until=None, amounts=None, knob=RISK, **changes):
    """Return what is in force at each column, ``[T, S]``."""
    described = {**panel(use.shape[1]), **changes}
    method = Enrolled(described) if amounts is None else Paced(described, amounts[SEEN_FROM:])
    hist = np.ascontiguousarray(use.T)
    columns = range(SEEN_FROM, until or len(use))
    return np.array([method.allocate(t, hist[:, :t], knob) for t in columns])


def wandering(steps, series):
    """Return use that rises and falls, ``[T, S]``."""
    random = np.random.default_rng(2)
    return np.abs(20 + np.cumsum(random.normal(0, 1, (steps, series)), axis=0))


def test_the_order_of_series_decides_nothing():
    use, order = wandering(120, 4), [2, 0, 3, 1]
    given = in_force(use)
    assert not np.isnan(given[-1]).any()
    np.testing.assert_array_equal(given[:, order], in_force(use[:, order]))


def test_what_comes_later_decides_nothing():
    use = wandering(120, 3)
    changed = use.copy()
    changed[80:] = 1000.0
    np.testing.assert_array_equal(in_force(use)[: 80 - SEEN_FROM], in_force(changed, until=80))


@pytest.mark.parametrize(("task", "columns"), [("limits", 1), ("requests", 12)])
def test_a_decision_has_the_forecast_of_what_has_just_closed(task, columns):
    ages_s = []

    class Watched(Enrolled):
        def _last_tick(self, fleet, now_s):
            super()._last_tick(fleet, now_s)
            [stream] = fleet.model.forecasts.streams.values()
            ages_s.append(now_s - stream.until_s - stream.use.after_s)

    method, use = Watched(panel(2, task)), np.full((2, 60), QUIET)
    for t in range(SEEN_FROM, 60, columns):
        method.allocate(t, use[:, :t], RISK)
    assert set(ages_s) == {CLOSE_AFTER_S}


def test_a_limit_comes_down_to_use_that_stays():
    last = in_force(np.full((100, 2), QUIET))[-1]
    assert (last >= QUIET).all()
    assert (last <= 1.1 * QUIET).all()


def test_a_larger_risk_is_never_more():
    use = wandering(150, 3)
    careful, bold = (np.nanmean(in_force(use, knob=risk)) for risk in (0.01, 0.2))
    assert bold < careful


def test_amounts_that_are_given_are_raised_at_once():
    use = np.full((60, 2), QUIET)
    amounts = np.full((60, 2), 1.5 * QUIET)
    amounts[40:] = 2 * QUIET
    given = in_force(use, amounts=amounts)
    assert (given[38 - SEEN_FROM] < 2 * QUIET).all()
    np.testing.assert_allclose(given[40 - SEEN_FROM], 2 * QUIET, rtol=ROUNDING)


def test_amounts_that_are_given_are_lowered_step_by_step():
    use = np.full((120, 2), QUIET)
    amounts = np.full((120, 2), BUSY)
    amounts[60:] = BUSY / 2
    given = in_force(use, amounts=amounts)[60 - SEEN_FROM :, 0]
    assert given[0] == pytest.approx(0.8 * BUSY, rel=ROUNDING)
    assert (np.diff(given) <= 0).all()
    assert given[-1] == pytest.approx(BUSY / 2, rel=0.1), "what is less is not worth a change"


def test_a_request_changes_a_few_times_a_day_however_often_it_is_asked_to():
    use = np.full((2 * STEPS_A_DAY, 1), QUIET)
    amounts = np.where(np.arange(2 * STEPS_A_DAY) // 12 % 2 == 0, 2 * QUIET, 4 * QUIET)[:, None]
    given = in_force(use, amounts=amounts, task="requests")[-STEPS_A_DAY:, 0]
    changes = np.count_nonzero(np.abs(np.diff(given)) > 0.01 * QUIET)
    asked = np.count_nonzero(np.diff(amounts[-STEPS_A_DAY:, 0]))
    assert 0 < changes <= 4 < asked


@pytest.mark.parametrize(("step_s", "ahead_s"), [(60, 600), (300, 600), (600, 1200)])
def test_a_limit_looks_ahead_to_where_a_decision_ends_to_be_in_force(step_s, ahead_s):
    policy = policy_of(Layer.LIMITS, RISK, in_force_s=2 * step_s)
    assert policy.limits[Dimension.COMPUTE].prediction.period_s == ahead_s


@pytest.mark.parametrize("knob", [0.0, 0.5, 0.9, 1.2, 60.0, float("nan")])
def test_a_knob_that_is_no_risk_is_refused(knob):
    with pytest.raises(ValueError, match=rf"knob {knob}: a riskTarget is above 0 and below 0.5"):
        policy_of(Layer.LIMITS, knob, STEP_S)
