"""What decaying histograms expect of use."""

import numpy as np

from recommender.forecast.experts.base import LEAST_SPREAD
from recommender.forecast.experts.histogram import HISTOGRAMS, PERCENTILES, histograms

SCALE = np.array([10.0])


def test_each_histogram_expects_a_percentile_and_has_a_spread_of_its_own():
    percentiles = np.array([[1.0], [2.0], [4.0], [5.0], [6.0], [1.5], [3.0], [4.5]])
    assert len(percentiles) == PERCENTILES
    found = dict(zip(HISTOGRAMS, histograms(percentiles, SCALE), strict=True))
    values = {name: expected.value[0] for name, expected in found.items()}
    assert values == {
        "histogram": 4.0,
        "histogram-low": 2.0,
        "histogram-high": 6.0,
        "histogram-day": 3.0,
    }
    spreads = [expected.spread[0] for expected in found.values()]
    np.testing.assert_allclose(spreads, [5.0 - 0.9 * 4.0, 4.0 - 1.0, 6.0, 4.5 - 1.5])


def test_use_that_never_moves_has_a_spread_too():
    steady = histograms(np.full((PERCENTILES, 1), 0.5), SCALE)
    assert min(expected.spread[0] for expected in steady) >= LEAST_SPREAD * SCALE[0]


def test_an_empty_histogram_expects_nothing():
    unknown = histograms(np.full((PERCENTILES, 1), np.nan), SCALE)
    assert all(np.isnan(expected.value[0]) for expected in unknown)
