"""What came: minutes in the order of their use, and those that experts learn from."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.forecast.outcome import MOST_MINUTES, Outcome, outcome_of, outcome_of_minutes
from recommender.forecast.series import SERIES_AT_ONCE


def came(*uses, percentile=1.0):
    """Return what came of series with these uses, in mixed order."""
    series = np.concatenate([np.full(len(use), at, np.int32) for at, use in enumerate(uses)])
    use = np.concatenate([np.asarray(use, np.float32) for use in uses])
    mixed = np.random.default_rng(1).permutation(len(use))
    return outcome_of_minutes(series[mixed], use[mixed], len(uses), percentile)


def test_minutes_are_in_the_order_of_their_use_one_series_after_the_other():
    outcome = came([3.0, 0.0, 7.5], [], [2.0, 1.0, 1.0])
    assert outcome.use.tolist() == [0.0, 3.0, 7.5, 1.0, 1.0, 2.0]
    assert outcome.count.tolist() == [3, 0, 3]
    assert outcome.series.tolist() == [0, 0, 0, 2, 2, 2]
    np.testing.assert_array_equal(outcome.highest, [7.5, np.nan, 2.0])


def test_nothing_measured_is_nothing():
    outcome = came([], [])
    assert outcome.count.tolist() == [0, 0]
    assert np.isnan(outcome.top).all()
    assert np.isnan(outcome.mean(outcome.use)).all()


@pytest.mark.parametrize(("percentile", "top"), [(1.0, 20.0), (0.95, 19.0), (0.5, 10.0)])
def test_experts_learn_from_a_percentile_by_nearest_rank(percentile, top):
    assert came(np.arange(1, 21), percentile=percentile).top.tolist() == [top]


def test_a_mean_is_of_the_minutes_of_a_series():
    outcome = came([3.0, 0.0, 6.0], [], [2.0])
    np.testing.assert_array_equal(outcome.mean(outcome.use), [3.0, np.nan, 2.0])
    np.testing.assert_array_equal(outcome.of_each(np.array([5.0, 6.0, 7.0])), [5.0, 5.0, 5.0, 7.0])


def test_of_many_workers_so_many_minutes_are_learned_from_and_the_highest_is_known():
    outcome = came(np.arange(240), np.arange(30), percentile=0.95)
    assert outcome.count.tolist() == [MOST_MINUTES, 30]
    assert outcome.highest.tolist() == [239.0, 29.0]
    assert outcome.top.tolist() == [227.0, 28.0]
    many = outcome.use[:MOST_MINUTES]
    assert (np.diff(many) == 4.0).all()
    assert 0.0 <= many[0] < 4.0


def test_a_large_fleet_is_what_its_parts_are():
    random, begins = np.random.default_rng(5), SERIES_AT_ONCE - 3
    number = SERIES_AT_ONCE + 3
    series = random.integers(0, number, 9 * number).astype(np.int32)
    series[series == 5] = 4
    use = random.gamma(2.0, size=len(series)).astype(np.float32)
    whole = outcome_of_minutes(series, use, number, 0.95)
    last = series >= begins
    first = outcome_of_minutes(series[~last], use[~last], begins, 0.95)
    rest = outcome_of_minutes(series[last] - begins, use[last], number - begins, 0.95)
    joined = Outcome.joined([first, rest])
    taken_apart = Outcome.joined(part for _, part in whole.parts())
    for name in ("use", "count", "top", "highest"):
        for other in (joined, taken_apart):
            np.testing.assert_array_equal(getattr(whole, name), getattr(other, name))
    assert [few.stop for few, _ in whole.parts()] == [SERIES_AT_ONCE, number]
    assert whole.count[5] == 0
    assert np.isnan(whole.top[5])


def test_each_minute_of_many_workers_is_as_likely_to_be_learned_from():
    random = np.random.default_rng(3)
    uses = [np.append(np.arange(179), 179 + random.random()) for _ in range(3000)]
    learned = np.floor(came(*uses).use).astype(int)
    share = np.bincount(learned, minlength=180) / 3000
    np.testing.assert_allclose(share, MOST_MINUTES / 180, atol=0.05)


@given(st.lists(st.floats(0.0, 2.0**40, width=32), min_size=1, max_size=2 * MOST_MINUTES))
def test_whatever_the_minutes_those_learned_from_are_some_of_them_in_order(use):
    outcome = came(use, [1.0])
    assert outcome.count[0] == min(len(use), MOST_MINUTES)
    learned = outcome.use[:-1]
    assert (np.diff(learned) >= 0.0).all()
    assert set(learned.tolist()) <= {float(each) for each in use}


def test_one_use_a_minute_is_the_same_in_columns():
    minutes = np.array([[3.0, np.nan], [0.0, np.nan], [7.5, 2.0]])
    columns, rows = outcome_of(minutes), came([3.0, 0.0, 7.5], [2.0])
    for name in ("use", "count", "top", "highest"):
        np.testing.assert_array_equal(getattr(columns, name), getattr(rows, name))
