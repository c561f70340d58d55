from dataclasses import replace

import numpy as np
import pytest

from recommender.backtest.forecast_course import forecast_course
from recommender.backtest.forecast_scores import forecast_scores
from recommender.decision import Layer
from recommender.errors import ContractError, InvalidValueError
from recommender.forecast.gate import Gate
from recommender.policy.parse import parse_auto_scaling_config
from tests.recommender.backtest.frames import HOUR_S, daily, frame_of

BLOCK_S = 300
PREDICTS = {"enable": True, "prediction": {"enable": True}}


def policy(**blocks):
    parsed = parse_auto_scaling_config(blocks)
    assert parsed.problems == ()
    return parsed


LIMITS = policy(autoSetLimits=PREDICTS)
REQUESTS = policy(autoSetRequests=PREDICTS)
NOTHING = policy(autoSetLimits={"enable": True})


def usage(hours, *, series=2, step_s=60):
    """Return some series from the epoch on; whole days before it would be gone through too."""
    return replace(frame_of(daily(series, hours, step_s=step_s), step_s=step_s), t0_s=0)


def test_a_forecast_is_made_after_every_block():
    frame = usage(8)
    course = forecast_course(frame, [LIMITS] * 2, Layer.LIMITS)

    assert set(np.diff(course.until_s)) == {BLOCK_S}
    assert course.until_s[-1] == frame.end_s - BLOCK_S
    assert course.forecast.shape == course.histogram.shape == course.gate.shape
    assert course.gate[0].tolist() == [Gate.YOUNG] * 2
    assert course.level.tolist() == [0.99] * 2
    assert course.ahead_s.tolist() == [600] * 2
    assert course.shares.sum(axis=1).tolist() == pytest.approx([1.0] * 2)


def test_forecasts_never_see_what_is_to_come():
    frame = usage(9)
    short = forecast_course(frame.between(0, 7 * HOUR_S), [LIMITS] * 2, Layer.LIMITS)
    whole = forecast_course(frame, [LIMITS] * 2, Layer.LIMITS)
    blocks = len(short.until_s)

    for name in ("until_s", "forecast", "histogram", "gate"):
        np.testing.assert_array_equal(getattr(whole, name)[:blocks], getattr(short, name))


def test_what_is_forecast_covers_what_comes():
    frame = usage(14)
    course = forecast_course(frame, [LIMITS] * 2, Layer.LIMITS)
    scores = forecast_scores(frame, course)

    assert np.all(scores.covered_share > 0.9)
    assert np.all(scores.opened_after_hours >= 6)
    assert np.all(scores.counted_loss_ratio <= 1.0)


def test_requests_are_forecast_every_hour_on_longer_steps_too():
    frame = usage(9, step_s=300)
    course = forecast_course(frame, [REQUESTS] * 2, Layer.REQUESTS)

    assert set(np.diff(course.until_s)) == {HOUR_S}
    assert course.ahead_s.tolist() == [HOUR_S] * 2


def test_a_risk_is_the_level_of_its_forecasts():
    policies = [policy(autoSetLimits={**PREDICTS, "riskTarget": "2%"}), LIMITS]
    course = forecast_course(usage(2), policies, Layer.LIMITS)

    assert course.level.tolist() == pytest.approx([0.98, 0.99])


def test_workloads_that_ask_for_no_forecast_have_none():
    course = forecast_course(usage(7), [LIMITS, NOTHING], Layer.LIMITS)

    assert np.isnan(course.forecast[:, 1]).all()
    assert set(course.gate[:, 1]) == {Gate.NOT_ASKED}
    assert np.isnan(course.level).tolist() == [False, True]
    assert course.ahead_s.tolist() == [600, 0]


def test_workloads_may_look_ahead_differently():
    long = policy(
        autoSetLimits={"enable": True, "prediction": {"enable": True, "predictionPeriod": "1h"}}
    )
    course = forecast_course(usage(7), [long, LIMITS], Layer.LIMITS)

    assert course.ahead_s.tolist() == [3600, 600]
    assert np.isfinite(course.forecast[-1]).all()


def test_an_amount_is_held_from_the_first_minute_that_it_is_about():
    course = forecast_course(usage(2), [LIMITS] * 2, Layer.LIMITS)
    first_s = int(course.until_s[3]) + course.delay_s
    held = course.held_at(np.array([0, first_s - 1, first_s]), course.histogram)

    assert np.isnan(held[0]).all()
    np.testing.assert_array_equal(held[1:], course.histogram[2:4])


def test_what_cannot_be_forecast_is_refused_by_name():
    frame = usage(1)
    with pytest.raises(InvalidValueError, match=r"replicas.*limits or requests"):
        forecast_course(frame, [LIMITS] * 2, Layer.REPLICAS)
    with pytest.raises(InvalidValueError, match=r"prediction\.enable or riskTarget"):
        forecast_course(frame, [NOTHING] * 2, Layer.LIMITS)
    with pytest.raises(InvalidValueError, match=r"400.*a part of 300 s"):
        forecast_course(usage(7, step_s=400), [LIMITS] * 2, Layer.LIMITS)
    with pytest.raises(ContractError, match="2 workloads in the frame, 1 policies"):
        forecast_course(frame, [LIMITS], Layer.LIMITS)
