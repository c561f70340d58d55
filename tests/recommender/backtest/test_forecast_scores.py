from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.backtest.forecast_course import ForecastCourse
from recommender.backtest.forecast_scores import forecast_scores
from recommender.decision import Layer
from recommender.errors import ContractError
from recommender.forecast.gate import Gate
from recommender.resources import TFLOPS
from tests.recommender.backtest.frames import HOUR_S, MIDNIGHT_S, MINUTE_S, frame_of

BLOCK_S = 300


def course_of(forecast, histogram, *, gate=Gate.OPEN, level=0.9, delay_s=0, ahead_s=BLOCK_S):
    """Return a course of ``[D, W]`` amounts from the end of the first block on."""
    forecast, histogram = (np.array(each, np.float64) for each in (forecast, histogram))
    blocks, rows = forecast.shape
    return ForecastCourse(
        layer=Layer.LIMITS,
        resource=0,
        until_s=MIDNIGHT_S + BLOCK_S * (1 + np.arange(blocks)),
        forecast=forecast,
        histogram=histogram,
        gate=np.broadcast_to(np.array(gate, np.int64), forecast.shape),
        delay_s=delay_s,
        ahead_s=np.broadcast_to(np.array(ahead_s, np.int64), rows),
        level=np.full(rows, level),
        shares=np.zeros((rows, 1)),
    )


def minutes(*blocks):
    """Return a series with a value for each minute of some blocks."""
    return np.repeat(np.array(blocks, np.float64), BLOCK_S // MINUTE_S)[None]


def test_a_forecast_is_judged_on_the_minutes_that_it_was_about():
    frame = frame_of(minutes(9.0, 1.0, 3.0))
    scores = forecast_scores(frame, course_of([[2.0], [2.0]], [[4.0], [4.0]]))

    assert scores.covered_share.tolist() == [0.5]
    assert scores.histogram_covered_share.tolist() == [1.0]
    assert scores.slack_ratio.tolist() == pytest.approx([0.0])
    assert scores.histogram_slack_ratio.tolist() == pytest.approx([1.0])
    # 0.1 x 1 too much and 0.9 x 1 too little; the histogram 0.1 x 3 and 0.1 x 1 too much
    assert scores.loss_ratio.tolist() == pytest.approx([1.0 / 0.4])


def test_a_delay_moves_the_minutes_that_are_judged():
    use = minutes(9.0, 1.0, 1.0)
    use[0, 10:12] = 5.0
    late = course_of([[2.0]], [[2.0]], delay_s=2 * MINUTE_S)

    assert forecast_scores(frame_of(use), late).covered_share.tolist() == pytest.approx([0.6])


def test_each_workload_is_judged_as_far_ahead_as_it_asks():
    use = np.concatenate([minutes(9.0, 1.0, 3.0), minutes(9.0, 1.0, 3.0)])
    course = course_of([[2.0, 2.0]], [[2.0, 2.0]], ahead_s=[BLOCK_S, 2 * BLOCK_S])

    assert forecast_scores(frame_of(use), course).covered_share.tolist() == [1.0, 0.5]


def test_all_workers_of_a_workload_count():
    use = np.concatenate([minutes(9.0, 1.0), minutes(9.0, 3.0)])
    frame = frame_of(use, series=[("team", "w0", "0"), ("team", "w0", "1")])

    assert forecast_scores(frame, course_of([[2.0]], [[2.0]])).covered_share.tolist() == [0.5]


def test_requests_are_judged_on_means():
    frame = frame_of(minutes(9.0, 3.0))
    frame = replace(frame, means=frame.values / 2)
    course = course_of([[2.0]], [[2.0]])

    assert forecast_scores(frame, course).covered_share.tolist() == [0.0]
    of_requests = replace(course, layer=Layer.REQUESTS)
    assert forecast_scores(frame, of_requests).covered_share.tolist() == [1.0]


def test_only_steps_of_which_both_are_known_are_judged():
    frame = frame_of(minutes(9.0, 3.0, 1.0))
    scores = forecast_scores(frame, course_of([[np.nan], [2.0]], [[2.0], [2.0]]))

    assert scores.histogram_covered_share.tolist() == [1.0]


def test_what_counts_is_the_histogram_while_the_gate_is_closed():
    frame = frame_of(minutes(9.0, 1.0, 1.0))
    gate = [[Gate.YOUNG], [Gate.OPEN]]
    scores = forecast_scores(frame, course_of([[2.0], [2.0]], [[4.0], [4.0]], gate=gate))

    assert scores.loss_ratio.tolist() == pytest.approx([1 / 3])
    assert scores.counted_loss_ratio.tolist() == pytest.approx([2 / 3])
    assert scores.open_share.tolist() == [0.5]
    assert scores.opened_after_hours.tolist() == pytest.approx([2 * BLOCK_S / HOUR_S])


def test_a_gate_that_never_opened_did_so_at_no_time():
    scores = forecast_scores(
        frame_of(minutes(9.0, 1.0)), course_of([[2.0]], [[2.0]], gate=Gate.NO_GAIN)
    )

    assert np.isnan(scores.opened_after_hours).tolist() == [True]
    assert scores.open_share.tolist() == [0.0]


def test_nothing_is_judged_of_a_course_without_forecasts():
    nothing = np.empty((0, 1))
    scores = forecast_scores(frame_of(minutes(9.0, 1.0)), course_of(nothing, nothing))

    judged = (scores.covered_share, scores.loss_ratio, scores.open_share, scores.opened_after_hours)
    assert [np.isnan(each).tolist() for each in judged] == [[True]] * 4


def test_a_course_of_other_workloads_is_refused():
    with pytest.raises(ContractError, match="1 workloads in the frame, 2 in the course"):
        forecast_scores(frame_of(minutes(9.0, 1.0)), course_of([[2.0, 2.0]], [[2.0, 2.0]]))


@given(
    use=st.lists(st.floats(0.5, 100.0), min_size=3, max_size=12),
    amount=st.floats(0.5, 100.0),
    power=st.integers(-6, 6),
)
def test_scores_know_no_unit(use, amount, power):
    factor = 2.0**power
    frame = frame_of(minutes(*use))
    scaled = replace(frame, values=frame.values * factor, means=frame.means * factor)
    blocks = len(use) - 1
    one = forecast_scores(frame, course_of([[amount]] * blocks, [[50.0]] * blocks))
    other = forecast_scores(
        scaled, course_of([[amount * factor]] * blocks, [[50.0 * factor]] * blocks)
    )

    assert one.loss_ratio.tolist() == pytest.approx(
        other.loss_ratio.tolist(), rel=1e-3, nan_ok=True
    )
    assert one.slack_ratio.tolist() == pytest.approx(other.slack_ratio.tolist(), rel=1e-3, abs=1e-3)


@given(use=st.lists(st.floats(0.5, 100.0), min_size=3, max_size=12))
def test_a_forecast_that_knows_the_future_is_no_worse_than_any_constant(use):
    # the same on the grid, which holds single precision
    known = np.array(use, np.float32).astype(np.float64)[1:, None]
    frame = frame_of(minutes(*use))
    scores = forecast_scores(frame, course_of(known, np.full_like(known, 50.0)))

    assert scores.covered_share.tolist() == [1.0]
    assert np.nan_to_num(scores.loss_ratio).tolist() == pytest.approx([0.0], abs=1e-6)


def test_resources_are_judged_by_themselves():
    use = np.stack([minutes(9.0, 1.0), minutes(9.0, 3.0)])
    frame = frame_of(use, resources=(TFLOPS, replace(TFLOPS, name="other")))
    course = course_of([[2.0]], [[2.0]])

    assert forecast_scores(frame, course).covered_share.tolist() == [1.0]
    assert forecast_scores(frame, replace(course, resource=1)).covered_share.tolist() == [0.0]
