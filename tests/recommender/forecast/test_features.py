"""What the fleet's model is told does not know names, sizes or calendars."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.forecast.features import OF_FLEET, features_of
from recommender.forecast.standing import Standing
from tests.recommender.forecast.series import HOURLY, daily, growing


def told(top):
    """Return the features after all blocks of ``[T, S]``."""
    standing = Standing.empty(top.shape[1], HOURLY.hour)
    for past in growing(top):
        standing.advance(past)
    return features_of(past, standing)


@given(factor=st.floats(1e-3, 1e6))
def test_the_size_of_a_series_is_not_told(factor):
    demand = daily(3, 2)
    np.testing.assert_allclose(told(factor * demand), told(demand), atol=1e-3)


def test_the_order_of_series_is_not_told():
    demand = daily(3, 3)
    np.testing.assert_array_equal(told(demand)[[2, 0, 1]], told(demand[:, [2, 0, 1]]))


def test_of_others_only_the_level_of_the_whole_fleet_is_told():
    demand = daily(3, 3)
    alone, beside = told(demand[:, :1])[0], told(demand)[0]
    np.testing.assert_array_equal(alone[:-OF_FLEET], beside[:-OF_FLEET])
    assert (alone[-OF_FLEET:] != beside[-OF_FLEET:]).all()


@given(factor=st.floats(1e-3, 1e6))
def test_in_the_level_of_the_fleet_a_large_series_counts_as_much_as_a_small_one(factor):
    demand = daily(3, 2)
    larger = demand * np.array([factor, 1.0])
    np.testing.assert_allclose(told(larger)[:, -OF_FLEET:], told(demand)[:, -OF_FLEET:], atol=1e-3)


def test_a_series_without_use_does_not_count_in_the_level_of_the_fleet():
    demand = daily(3, 2)
    beside_silence = np.column_stack([demand, np.full(len(demand), np.nan)])
    np.testing.assert_array_equal(told(beside_silence)[:2], told(demand))


def test_a_surge_of_others_is_told():
    surge = daily(3, 3)
    surge[-1, 1:] *= 4
    before, after = told(daily(3, 3))[0], told(surge)[0]
    newest = -OF_FLEET + 1
    assert after[newest] > 2 * before[newest]


@pytest.mark.parametrize("hours", [1, 5, 30, 24 * 8])
def test_a_series_of_any_age_has_all_columns(hours):
    features = told(daily(9, 2)[:hours])
    assert features.shape == (2, told(daily(1, 1)).shape[1])
    assert features.dtype == np.float32
    assert not np.isinf(features).any()


def test_a_series_without_use_has_features():
    assert not np.isinf(told(np.full((30, 1), np.nan))).any()
    assert not np.isinf(told(np.zeros((30, 1)))).any()
