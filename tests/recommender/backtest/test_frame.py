import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.backtest.frame import SampleColumns, frame_of_columns, frame_of_evidence
from recommender.errors import ContractError, InvalidValueError
from recommender.resources import TFLOPS, VRAM
from recommender.usage.evidence_of import read_evidence
from tests.builders import policy
from tests.fleets import BEGIN_S, Fleet
from tests.recommender.backtest.frames import MIDNIGHT_S, frame_of

ONE = (("team", "chat", "0"),)


def columns(ts, value, series=None):
    series = [0] * len(ts) if series is None else series
    return SampleColumns(
        series=np.array(series), ts=np.array(ts, np.int64), value=np.array(value, np.float64)
    )


def test_samples_lie_at_the_start_of_their_step_and_gaps_stay_empty():
    ts = [MIDNIGHT_S + 5, MIDNIGHT_S + 125]
    frame = frame_of_columns(ONE, {TFLOPS: columns(ts, [1.0, 2.0])}, 60)
    assert frame.t0_s == MIDNIGHT_S
    assert frame.end_s == MIDNIGHT_S + 180
    np.testing.assert_array_equal(frame.values[0, 0], np.float32([1.0, np.nan, 2.0]))


def test_several_samples_of_one_step_are_kept_as_maximum_and_mean():
    ts = [MIDNIGHT_S, MIDNIGHT_S + 20, MIDNIGHT_S + 40]
    frame = frame_of_columns(ONE, {TFLOPS: columns(ts, [1.0, 2.0, 6.0])}, 60)
    assert frame.values[0, 0, 0] == 6.0
    assert frame.means[0, 0, 0] == 3.0


def test_samples_that_are_not_finite_are_left_out():
    ts = [MIDNIGHT_S, MIDNIGHT_S + 60]
    frame = frame_of_columns(ONE, {TFLOPS: columns(ts, [np.inf, 2.0])}, 60)
    assert frame.steps == 1


@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 599), st.floats(0, 100, width=32))))
def test_the_order_of_samples_does_not_matter(samples):
    samples = [*samples, (0, 0, 1.0)]
    series = (("team", "a", "0"), ("team", "b", "0"))

    def laid(rows):
        index, offset, value = (list(column) for column in zip(*rows, strict=True))
        ts = [MIDNIGHT_S + o for o in offset]
        return frame_of_columns(series, {TFLOPS: columns(ts, value, index)}, 60)

    forward, backward = laid(samples), laid(samples[::-1])
    np.testing.assert_array_equal(forward.values, backward.values)
    np.testing.assert_allclose(forward.means, backward.means, rtol=1e-6)


def test_usage_without_a_sample_is_refused():
    with pytest.raises(InvalidValueError, match="at least one finite sample"):
        frame_of_columns(ONE, {TFLOPS: columns([MIDNIGHT_S], [np.nan])}, 60)


def test_a_clock_that_jumped_is_named():
    with pytest.raises(InvalidValueError, match="did a clock jump"):
        frame_of_columns(ONE * 100, {TFLOPS: columns([0, MIDNIGHT_S], [1.0, 1.0])}, 60)


def test_a_time_off_the_grid_is_a_defect_of_the_caller():
    whole = frame_of([[1.0, 2.0]])
    with pytest.raises(ContractError, match="no multiple"):
        type(whole)(
            series=whole.series,
            resources=whole.resources,
            values=whole.values,
            means=whole.means,
            t0_s=MIDNIGHT_S + 1,
            step_s=60,
        )


def test_a_part_of_the_time_holds_whole_steps_only():
    part = frame_of([[1.0, 2.0, 3.0, 4.0]]).between(MIDNIGHT_S + 30, MIDNIGHT_S + 200)
    assert (part.t0_s, part.steps) == (MIDNIGHT_S + 60, 2)
    np.testing.assert_array_equal(part.values[0, 0], np.float32([2.0, 3.0]))


def test_a_time_outside_the_record_has_no_steps():
    assert frame_of([[1.0, 2.0]]).between(0, MIDNIGHT_S).steps == 0


def test_workers_of_one_workload_share_its_row():
    series = [("a", "x", "0"), ("a", "y", "0"), ("a", "x", "1")]
    frame = frame_of([[1.0], [2.0], [3.0]], series=series)
    assert frame.workloads == (("a", "x"), ("a", "y"))
    assert frame.row_of_series.tolist() == [0, 1, 0]
    assert frame.of_workloads([0]).series == (series[0], series[2])


def test_the_parts_of_a_frame_hold_each_series_once():
    series = [("a", "x", "0"), ("a", "y", "0"), ("a", "x", "1")]
    whole = frame_of([[1.0], [2.0], [3.0]], series=series)
    first, second = whole.in_parts([[1], [0]])
    assert (first.series, second.series) == ((series[1],), (series[0], series[2]))
    assert second.values[0, :, 0].tolist() == [1.0, 3.0]


def test_the_usage_models_blocks_become_a_frame():
    fleet = Fleet([policy(), policy()])
    fleet.run(10.0, 3600, vram=2e9)
    evidence = read_evidence(fleet.model, fleet.rows, fleet.now_s)
    frame = frame_of_evidence(evidence, [("team", "w0"), ("team", "w1")], (TFLOPS, VRAM))
    assert frame is not None
    assert (frame.t0_s, frame.step_s) == (BEGIN_S, 300)
    assert frame.values[0, 1, 0] == 10.0
    assert frame.values[1, 0, 0] == np.float32(2e9)


def test_a_model_without_a_block_has_no_frame():
    fleet = Fleet([policy()])
    evidence = read_evidence(fleet.model, fleet.rows, fleet.now_s)
    assert frame_of_evidence(evidence, [("team", "w0")], (TFLOPS, VRAM)) is None
