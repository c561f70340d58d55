"""What the fleet's model is told does not know names, sizes or calendars."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from recommender.forecast.features import features_of
from recommender.forecast.standing import Standing
from tests.recommender.forecast.series import daily, growing


def told(top):
    """Return the features after all blocks of ``[T, S]``."""
    standing = Standing.empty(top.shape[1])
    for past in growing(top):
        standing.advance(past)
    return features_of(past, standing)


@given(factor=st.floats(1e-3, 1e6))
def test_the_size_of_a_series_is_not_told(factor):
    demand = daily(3, 2)
    np.testing.assert_allclose(told(factor * demand), told(demand), atol=1e-3)


def test_series_do_not_know_of_one_another():
    demand = daily(3, 3)
    np.testing.assert_array_equal(told(demand)[[2, 0, 1]], told(demand[:, [2, 0, 1]]))


@pytest.mark.parametrize("hours", [1, 5, 30, 24 * 8])
def test_a_series_of_any_age_has_all_columns(hours):
    features = told(daily(9, 2)[:hours])
    assert features.shape == (2, told(daily(1, 1)).shape[1])
    assert features.dtype == np.float32
    assert not np.isinf(features).any()


def test_a_series_without_use_has_features():
    assert not np.isinf(told(np.full((30, 1), np.nan))).any()
    assert not np.isinf(told(np.zeros((30, 1)))).any()
