from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.scaling.joining import (
    Columns,
    highest_per_worker,
    summed_per_workload,
    usual_step_s,
    values_at,
)

ROWS = st.lists(
    st.tuples(st.integers(0, 3), st.integers(0, 5), st.floats(0, 100)), min_size=1, max_size=40
)


def _columns(rows, worker_of=lambda series: series // 2):
    series = np.array([row[0] for row in rows], np.int64)
    worker = np.array([worker_of(row[0]) for row in rows], np.int64)
    return Columns(
        series,
        worker,
        np.zeros(len(rows), np.int64),
        np.array([1_767_571_200 + 15 * row[1] for row in rows], np.int64),
        np.array([row[2] for row in rows], float),
    )


def test_values_are_matched_by_series_and_stamp():
    wanted = _columns([(0, 0, 1.0), (0, 1, 1.0), (1, 0, 1.0)])
    offered = _columns([(1, 0, 30.0), (0, 1, 20.0), (2, 0, 99.0)])

    np.testing.assert_array_equal(values_at(wanted, offered), [np.nan, 20.0, 30.0])


def test_nothing_offered_is_unknown_and_no_zero():
    wanted = _columns([(0, 0, 1.0)])

    assert np.isnan(values_at(wanted, None)).all()
    nothing = wanted.taken(np.array([], np.int64))
    assert np.isnan(values_at(wanted, nothing)).all()


@given(ROWS)
def test_the_busiest_device_stands_for_its_worker_at_each_stamp(rows):
    samples = _columns(rows)

    chosen = samples.taken(highest_per_worker(samples))

    expected = {}
    for series, ts, value in zip(samples.series, samples.ts, samples.value, strict=True):
        key = (series // 2, ts)
        expected[key] = max(value, expected.get(key, 0.0))
    found = dict(zip(zip(chosen.worker, chosen.ts, strict=True), chosen.value, strict=True))
    assert found == expected


@given(ROWS)
def test_refusals_of_all_devices_and_workers_of_a_workload_are_added_up(rows):
    samples = _columns(rows)

    total = summed_per_workload(samples)

    assert len(set(total.ts.tolist())) == len(total)
    for ts, value in zip(total.ts, total.value, strict=True):
        np.testing.assert_allclose(value, samples.value[samples.ts == ts].sum())


def test_the_usual_step_is_the_most_frequent_distance_and_gaps_do_not_count():
    rows = [(0, step, 1.0) for step in (0, 1, 2, 3, 10, 11)]

    assert usual_step_s(_columns(rows)) == 15


def test_a_single_sample_tells_no_step():
    assert usual_step_s(_columns([(0, 0, 1.0), (1, 5, 1.0)])) is None
