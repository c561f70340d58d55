"""Variances of forecasts, against those that statsmodels has of its own."""

import numpy as np
import pandas as pd
import pytest
from statsmodels.tsa.exponential_smoothing.ets import ETSModel
from statsmodels.tsa.holtwinters import ExponentialSmoothing

from recommender.forecast.named.fits import ets, holt_winters, sarimax
from tests.recommender.forecast.named.series import daily

SEASON = 24
AHEAD = 60


def hours(days=8):
    """Return a daily wave around a level that wanders."""
    wander = np.cumsum(np.random.default_rng(3).normal(0, 0.5, days * SEASON))
    return daily(days, block_count=SEASON, noise=1.0) + wander + 30


def test_the_variance_of_ets_is_that_of_statsmodels():
    ours = ets(hours(), SEASON, AHEAD)
    theirs = [
        ETSModel(
            pd.Series(hours()),
            error="add",
            trend=trend,
            damped_trend=trend is not None,
            seasonal="add",
            seasonal_periods=SEASON,
            initialization_method="heuristic",
        ).fit(disp=False)
        for trend in (None, "add")
    ]
    best = min(theirs, key=lambda result: result.aicc)
    last = len(hours())
    analytic = best.get_prediction(last, last + AHEAD - 1).forecast_variance
    assert ours.variance == pytest.approx(np.asarray(analytic), rel=1e-6)


def test_the_variance_of_holt_winters_is_that_of_simulated_futures():
    ours = holt_winters(hours(), SEASON, AHEAD)
    result = ExponentialSmoothing(
        hours(),
        trend="add",
        damped_trend=True,
        seasonal="add",
        seasonal_periods=SEASON,
        initialization_method="heuristic",
    ).fit()
    futures = result.simulate(
        AHEAD, repetitions=4000, error="add", random_errors="bootstrap",
        rng=np.random.default_rng(0),
    )  # fmt: skip
    assert ours.variance == pytest.approx(np.var(np.asarray(futures), axis=1), rel=0.15)


@pytest.mark.parametrize("fit", [holt_winters, ets, sarimax])
def test_what_is_further_ahead_is_known_less(fit):
    variance = fit(hours(), SEASON, AHEAD).variance
    assert variance[-1] > variance[0] > 0


@pytest.mark.parametrize("fit", [holt_winters, ets, sarimax])
def test_most_of_the_past_was_expected(fit):
    values = hours()
    past = fit(values, SEASON, AHEAD).past
    is_known = ~np.isnan(past)
    assert is_known.mean() > 0.9
    assert np.std((values - past)[is_known]) < 0.4 * np.std(values)
