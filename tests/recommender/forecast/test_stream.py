"""One stream of forecasts: what it judges, and what it forgets with series that are gone."""

import numpy as np
import pytest

from recommender.forecast.asked import Asked, Judging
from recommender.forecast.forecaster import EXPERTS, allowed_by_default
from recommender.forecast.stream import Course, Stream
from recommender.forecast.use import LimitsUse, RequestsUse
from recommender.policy.table import MODEL_NAMES
from recommender.usage.peaks import HOUR_S
from tests.recommender.forecast.fleets import model_of

BLOCK_S = 300
NOTHING = np.array([np.nan])


def asked(*risks):
    """Return what series ask for that promise such risks and no forecast."""
    series = len(risks)
    return Asked(
        level=np.full(series, 0.9),
        risk=np.array(risks),
        predicts=np.zeros(series, np.bool_),
        model=np.full(series, MODEL_NAMES.index("auto")),
        allowed=allowed_by_default(series),
        reach=np.full(series, 2016),
        kept_ratio=np.zeros(series),
    )


def stream_of(use, *risks, kind=LimitsUse, closed_until_s=0):
    """Return a stream of minutes of use ``[T, S]`` that looks a block ahead."""
    judging = Judging(delay_s=120, ahead_s=kind.block_s, percentile=1.0)
    stream = Stream(kind(model_of(use), 0), judging)
    stream.ask(np.arange(len(risks)), asked(*risks), closed_until_s)
    return stream


def go_on(stream, until_s, in_force):
    """Forecast after each block; what is in force stays the same."""
    for end_s in range(stream.until_s + BLOCK_S, until_s + 1, BLOCK_S):
        stream.advance(end_s)
        for _ in range(2):
            stream.note(np.array([in_force]), NOTHING, NOTHING)


def test_minutes_after_a_gap_judge_nothing_of_before_it():
    stream = stream_of(np.full((60, 1), 10.0), 0.05)
    go_on(stream, 6 * BLOCK_S, 5.0)
    before = stream.realised.minutes.tolist(), stream.forecaster.examples.rows
    stream.advance(10 * BLOCK_S)
    assert (stream.realised.minutes.tolist(), stream.forecaster.examples.rows) == before


def test_minutes_until_a_forecast_can_be_in_force_say_nothing_of_it():
    use = np.ones((15, 1))
    use[5:7] = 10.0
    stream = stream_of(use, 0.05)
    go_on(stream, 3 * BLOCK_S, 5.0)
    assert (stream.realised.minutes.tolist(), stream.realised.above.tolist()) == ([5.0], [0.0])


def test_what_is_seen_first_after_a_forecast_was_in_force_before_it():
    stream = stream_of(np.full((10, 1), 10.0), 0.05)
    go_on(stream, BLOCK_S, 20.0)
    stream.advance(2 * BLOCK_S)
    for amount in (15.0, 30.0):
        stream.note(np.array([amount]), NOTHING, NOTHING)
    assert [window.lowest.tolist() for window in stream.windows] == [[15.0], [30.0]]


@pytest.mark.parametrize(("ratio", "says"), [(1.0, True), (0.5, False)])
def test_minutes_under_an_amount_steer_the_risk_where_it_was_forecast(ratio, says):
    stream = stream_of(np.full((60, 1), 10.0), 0.05)
    for end_s in range(BLOCK_S, 8 * BLOCK_S, BLOCK_S):
        stream.advance(end_s)
        stream.note(NOTHING, NOTHING, NOTHING)
        stream.note(ratio * stream.current.chosen, NOTHING, NOTHING)
    assert (stream.control.expected > 0).tolist() == [says]


def test_series_that_stay_ask_for_what_they_did_when_others_are_forgotten():
    stream = stream_of(np.full((10, 2), 10.0), 0.05, 0.2)
    stream.advance(BLOCK_S)
    stream.forget(np.array([0]))
    stream.advance(2 * BLOCK_S)
    assert stream.risk.tolist() == [0.2]


def test_what_a_model_by_name_expects_of_a_series_is_forgotten_with_it():
    stream = stream_of(np.full((10, 2), 10.0), 0.05, 0.05)
    stream.courses[0] = Course(first_block=0, use=np.full(9, 70.0))
    stream.forget(np.array([0]))
    stream.advance(BLOCK_S)
    assert np.isnan(stream.forecaster.made[-1].values[EXPERTS.index("named")]).all()


def test_a_stream_that_was_just_asked_for_knows_the_hours_before_it():
    stream = stream_of(np.full((60, 1), 10.0), 0.05, kind=RequestsUse, closed_until_s=HOUR_S)
    [(hour, use)] = stream.history(0)
    assert (hour, use[-1]) == (0, 10.0)


def test_parts_of_the_day_are_of_the_series_that_stay():
    use = np.tile([10.0, 20.0], (60, 1))
    stream = stream_of(use, 0.05, 0.05, kind=RequestsUse, closed_until_s=HOUR_S)
    assert stream.segments(np.shape) == (24, 2)
    stream.forget(np.array([0]))
    assert stream.segments(np.shape) == (24, 1)
