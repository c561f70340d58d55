from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from recommender.usage.minutes import minutes_of


def minutes(samples):
    worker, ts, value, saturated = (np.array(column) for column in zip(*samples, strict=True))
    made = minutes_of(worker, ts, value.astype(np.float64), saturated.astype(np.bool_))
    rows = zip(made.worker, made.minute, made.top, made.mean, made.is_saturated, strict=True)
    return {(int(w), int(m)): (float(t), float(a), bool(s)) for w, m, t, a, s in rows}, made


def test_a_minute_is_maximum_and_mean_of_its_samples():
    made, _ = minutes([(0, 60, 1.0, False), (0, 75, 3.0, True), (0, 119, 2.0, False)])
    assert made == {(0, 1): (3.0, 2.0, True)}


def test_a_minute_ends_before_its_end():
    made, _ = minutes([(0, 119, 1.0, False), (0, 120, 5.0, False)])
    assert made == {(0, 1): (1.0, 1.0, False), (0, 2): (5.0, 5.0, False)}


def test_of_two_samples_under_one_stamp_the_larger_counts():
    made, columns = minutes([(0, 60, 1.0, True), (0, 60, 4.0, False), (0, 90, 2.0, False)])
    assert made == {(0, 1): (4.0, 3.0, True)}
    assert columns.duplicates == 1


def test_workers_do_not_mix():
    made, _ = minutes([(1, 60, 1.0, False), (0, 60, 2.0, False)])
    assert made == {(0, 1): (2.0, 2.0, False), (1, 1): (1.0, 1.0, False)}


@given(
    st.lists(
        st.tuples(
            st.integers(0, 3), st.integers(0, 400), st.integers(0, 64).map(float), st.booleans()
        ),
        min_size=1,
        max_size=40,
    )
)
def test_minutes_agree_with_a_plain_computation(samples):
    stamps, flags = {}, {}
    for worker, ts, value, saturated in samples:
        stamps[worker, ts] = max(value, stamps.get((worker, ts), 0.0))
        key = worker, ts // 60
        flags[key] = flags.get(key, False) or saturated
    expected = {}
    for key, flag in flags.items():
        held = [v for (worker, ts), v in sorted(stamps.items()) if (worker, ts // 60) == key]
        expected[key] = (max(held), sum(held) / len(held), flag)
    made, columns = minutes(samples)
    assert made == expected
    assert columns.duplicates == len(samples) - len(stamps)


def aggregated(samples):
    """(worker, ts, value, saturated, top) rows; a top of None marks a single sample."""
    worker, ts, value, saturated, top = zip(*samples, strict=True)
    made = minutes_of(
        np.array(worker),
        np.array(ts),
        np.array(value, np.float64),
        np.array(saturated, np.bool_),
        np.array([np.nan if t is None else t for t in top]),
    )
    rows = zip(made.worker, made.minute, made.top, made.mean, made.is_saturated, strict=True)
    return {(int(w), int(m)): (float(t), float(a), bool(s)) for w, m, t, a, s in rows}, made


def test_a_minute_that_the_source_made_is_taken_as_it_is():
    made, _ = aggregated([(0, 60, 2.0, False, 7.0), (1, 120, 3.0, True, 3.0)])
    assert made == {(0, 1): (7.0, 2.0, False), (1, 2): (3.0, 3.0, True)}


def test_of_two_answers_for_one_minute_the_larger_counts():
    made, columns = aggregated([(0, 60, 2.0, False, 7.0), (0, 60, 3.0, True, 5.0)])
    assert made == {(0, 1): (7.0, 3.0, True)}
    assert columns.duplicates == 1


def test_beside_single_samples_the_mean_is_that_of_the_source_and_the_largest_value_counts():
    made, _ = aggregated(
        [
            (0, 60, 2.0, False, 7.0),
            (0, 60, 8.0, True, None),
            (0, 75, 6.0, False, None),
            (0, 130, 1.0, False, None),
        ]
    )
    assert made == {(0, 1): (8.0, 2.0, True), (0, 2): (1.0, 1.0, False)}
