"""From counters to intervals."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from autoscaler.sources.prometheus.counters import events, increments, shares_of_time


def counted(ts, value, series=None):
    ts = np.array(ts, np.float64)
    series = np.zeros(len(ts), np.int64) if series is None else np.array(series, np.int64)
    return increments(series, ts, np.array(value, np.float64))


def test_a_counter_gains_the_difference_of_neighbouring_samples():
    gained = counted([0, 15, 30], [10, 13, 13])
    assert gained.gained.tolist() == [3, 0]
    assert gained.ts.tolist() == [15, 30]
    assert gained.interval_s.tolist() == [15, 15]


def test_a_counter_that_fell_was_reset_and_gained_what_it_shows():
    assert counted([0, 15, 30], [10, 2, 5]).gained.tolist() == [2, 3]


def test_series_are_not_subtracted_from_one_another():
    gained = counted([0, 0, 15, 15], [100, 1, 104, 2], series=[0, 1, 0, 1])
    assert gained.series.tolist() == [0, 1]
    assert gained.gained.tolist() == [4, 1]


def test_the_first_sample_of_a_series_has_no_interval():
    assert len(counted([0], [7]).ts) == 0


def test_samples_that_are_no_number_are_left_out():
    assert counted([0, 15, 30], [1, np.nan, 4]).gained.tolist() == [3]
    assert counted([0, 15, 30], [1, np.inf, 4]).interval_s.tolist() == [30]


def test_of_samples_under_one_stamp_the_larger_counts():
    assert counted([0, 15, 15], [1, 3, 2]).gained.tolist() == [2]


@given(
    st.lists(st.integers(0, 1000), min_size=2, max_size=30),
    st.sets(st.integers(1, 29)),
    st.randoms(use_true_random=False),
)
def test_whatever_the_order_and_the_resets_nothing_that_was_counted_is_lost(steps, resets, random):
    """Sum of gains == what happened, where a reset comes right after a sample."""
    value, shown = 0, []
    for i, step in enumerate(steps):
        value = step if i in resets and step < value else value + step
        shown.append(value)
    rows = list(enumerate(shown))
    random.shuffle(rows)
    gained = counted([15 * i for i, _ in rows], [value for _, value in rows])
    assert gained.gained.sum() == sum(steps[1:])


def test_a_share_of_time_is_between_nothing_and_all_of_the_interval():
    series, ts, share = shares_of_time(counted([0, 15, 30, 45], [0, 3, 18.5, 18.5]))
    assert share.tolist() == [0.2, 1.0, 0.0]
    assert ts.tolist() == [15, 30, 45]
    assert series.tolist() == [0, 0, 0]


def test_a_share_of_a_long_interval_says_nothing():
    _, ts, _ = shares_of_time(counted([0, 301, 316], [0, 3, 6]))
    assert ts.tolist() == [316]


def test_events_are_the_intervals_in_which_something_happened():
    _, ts, count = events(counted([0, 15, 30, 900], [0, 0, 2, 5]))
    assert ts.tolist() == [30, 900]
    assert count.tolist() == [2, 3]
