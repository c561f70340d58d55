import numpy as np

from tests.benchmarks.replica_counts import ReplicaCounts, newest

NOTHING = np.array([np.nan])


def counts():
    """Return the counts of a service with a capacity of 10, one decision in two minutes."""
    return ReplicaCounts.of(np.array([10.0]), 120)


def test_the_larger_of_forecast_and_newest_demand_counts():
    assert counts().settle(np.array([31.0]), np.array([12.0])) == [4]
    assert counts().settle(np.array([12.0]), np.array([31.0])) == [4]
    assert counts().settle(NOTHING, np.array([30.0])) == [3]
    assert counts().settle(NOTHING, NOTHING) == [1]


def test_the_highest_count_stays_for_the_cool_down():
    some = counts()
    asked = [some.settle(np.array([each]), NOTHING)[0] for each in (50.0, 10.0, 10.0, 10.0)]
    assert asked == [5, 5, 1, 1]


def test_the_newest_demand_of_each_series_may_be_some_samples_old():
    demand = np.array([[1.0, 2.0, np.nan], [3.0, np.nan, np.nan]])
    np.testing.assert_array_equal(newest(demand), [3.0, 2.0, np.nan])
