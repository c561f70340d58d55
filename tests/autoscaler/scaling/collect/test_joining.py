from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.scaling.collect.joining import (
    Columns,
    columns_of,
    highest_per_worker,
    summed_per_workload,
    usual_step_s,
    values_at,
)
from autoscaler.scaling.collect.series import UNLABELLED, SeriesRows
from autoscaler.sources.source import Samples

ROWS = st.lists(
    st.tuples(st.integers(0, 3), st.integers(0, 5), st.floats(0, 100, width=32)),
    min_size=1,
    max_size=40,
)


def _table(series=4):
    """Every two series are the devices of one worker; all are of one workload."""
    number = np.arange(series)
    return SeriesRows(number, number // 2, np.zeros(series, np.int64), is_shared=True)


def _columns(rows, top=None):
    return Columns(
        _table(),
        np.array([row[0] for row in rows], np.int32),
        np.array([1_767_571_200 + 15 * row[1] for row in rows], np.int64),
        np.array([row[2] for row in rows], np.float32),
        None if top is None else np.array(top, np.float32),
    )


def test_values_are_matched_by_series_and_stamp():
    wanted = _columns([(0, 0, 1.0), (0, 1, 1.0), (1, 0, 1.0)])
    offered = _columns([(1, 0, 30.0), (0, 1, 20.0), (2, 0, 99.0)])

    np.testing.assert_array_equal(values_at(wanted, offered), [np.nan, 20.0, 30.0])


def test_nothing_offered_is_unknown_and_no_zero():
    wanted = _columns([(0, 0, 1.0)])

    assert np.isnan(values_at(wanted, None)).all()
    nothing = wanted.taken(np.zeros(1, bool))
    assert np.isnan(values_at(wanted, nothing)).all()


@given(ROWS)
def test_the_busiest_device_stands_for_its_worker_at_each_stamp(rows):
    samples = _columns(rows)

    rows, _ = highest_per_worker(samples)
    chosen = samples.taken(rows)

    expected = {}
    for series, ts, value in zip(samples.series, samples.ts, samples.value, strict=True):
        key = (series // 2, ts)
        expected[key] = max(value, expected.get(key, 0.0))
    found = dict(zip(zip(chosen.worker, chosen.ts, strict=True), chosen.value, strict=True))
    assert found == expected


@given(ROWS)
def test_refusals_of_all_devices_and_workers_of_a_workload_are_added_up(rows):
    samples = _columns(rows)

    worker, stamps, sums = summed_per_workload(samples)

    assert len(set(stamps.tolist())) == len(stamps) == len(worker)
    for ts, value in zip(stamps, sums, strict=True):
        np.testing.assert_allclose(value, samples.value[samples.ts == ts].sum(), rtol=1e-6)


def test_of_several_devices_the_largest_maximum_of_a_minute_counts():
    samples = _columns([(0, 0, 30.0), (1, 0, 10.0), (2, 0, 5.0)], top=[35.0, 90.0, 6.0])

    rows, top = highest_per_worker(samples)

    assert samples.value[rows].tolist() == [30.0, 5.0]
    assert top.tolist() == [90.0, 6.0]


def test_samples_of_series_that_name_no_worker_are_left_out():
    rows = np.array([0, UNLABELLED])
    samples = Samples(
        series=np.array([1, 0, 1], np.int32),
        ts=np.arange(3),
        value=np.array([9.0, 1.0, 9.0], np.float32),
        labels=({"worker": "chat-0"}, {}),
    )

    columns = columns_of(samples, SeriesRows(rows, rows, rows, is_shared=False))

    assert columns.value.tolist() == [1.0]


@given(ROWS, ROWS)
def test_a_match_is_the_last_value_under_the_same_series_and_stamp(wanted, offered):
    known = {(series, ts): value for series, ts, value in offered}

    found = values_at(_columns(wanted), _columns(offered))

    expected = [known.get((series, ts), np.nan) for series, ts, _ in wanted]
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_the_usual_step_is_the_most_frequent_distance_and_gaps_do_not_count():
    rows = [(0, step, 1.0) for step in (0, 1, 2, 3, 10, 11)]

    assert usual_step_s(_columns(rows)) == 15


def test_a_single_sample_tells_no_step():
    assert usual_step_s(_columns([(0, 0, 1.0), (1, 5, 1.0)])) is None
