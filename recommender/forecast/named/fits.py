"""Three models of statsmodels, each fitted to one series of steps.

Forecast variances of exponential smoothing are computed from the fitted constants (Hyndman,
Koehler, Ord and Snyder 2008, table 6.1): statsmodels gives none for Holt-Winters.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from recommender.forecast.models import ModelName
from recommender.observation import Floats

HARMONICS = 3
ORDER = (1, 0, 1)
SEASONAL_ORDERS = (0, 1)
"""Autoregressive terms of the same time one season before."""
MOST_ITERATIONS = 200


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Fitted:
    """A model's view of the past and of what comes."""

    past: Floats
    """[N] what it expected of each step one step before; NaN where it knew too little."""
    mean: Floats
    """[H]"""
    variance: Floats
    """[H]"""


class NotConvergedError(Exception):
    """The optimiser gave up, or what it found is no number."""


def load() -> None:
    """Import what the fits use, which takes seconds and is done once in a process."""
    import statsmodels.tsa.exponential_smoothing.ets
    import statsmodels.tsa.holtwinters
    import statsmodels.tsa.statespace.sarimax  # noqa: F401


def holt_winters(values: Floats, season: int, ahead: int) -> Fitted:
    """Return Holt-Winters' exponential smoothing, its constants by least squares."""
    from statsmodels.tsa.holtwinters import ExponentialSmoothing

    result = ExponentialSmoothing(
        values,
        trend="add",
        damped_trend=True,
        seasonal="add" if season > 1 else None,
        seasonal_periods=season if season > 1 else None,
        initialization_method="heuristic",
    ).fit()
    if not result.mle_retvals.success:
        raise NotConvergedError
    constants = result.params
    level = constants["smoothing_level"]
    growth = _variance_growth(
        ahead,
        season,
        level=level,
        trend=level * constants["smoothing_trend"],
        season_gain=constants["smoothing_seasonal"] if season > 1 else 0.0,
        damping=constants["damping_trend"],
    )
    error = float(np.mean(result.resid**2))
    return _checked(result.fittedvalues, result.forecast(ahead), error * growth)


def ets(values: Floats, season: int, ahead: int) -> Fitted:
    """Return exponential smoothing with additive errors, of the form with the least AICc."""
    from statsmodels.tsa.exponential_smoothing.ets import ETSModel

    results: list[Any] = []
    for seasonal in (None, "add") if season > 1 else (None,):
        for trend in (None, "add"):
            model = ETSModel(
                values,
                error="add",
                trend=trend,
                damped_trend=trend is not None,
                seasonal=seasonal,
                seasonal_periods=season if seasonal else None,
                initialization_method="heuristic",
            )
            results += _tried(model)
    best = _best(results)
    growth = _variance_growth(
        ahead,
        season,
        level=best.smoothing_level,
        trend=best.smoothing_trend if best.has_trend else 0.0,
        season_gain=best.smoothing_seasonal if best.has_seasonal else 0.0,
        damping=best.damping_trend if best.has_trend else 1.0,
    )
    error = float(np.mean(np.asarray(best.resid) ** 2))
    return _checked(best.fittedvalues, best.forecast(ahead), error * growth)


def sarimax(values: Floats, season: int, ahead: int) -> Fitted:
    """Return a regression on harmonics of the season and (seasonal) ARMA errors, as AICc chooses.

    The coefficients of the regression are states of the filter, so that the optimiser has four
    numbers to find and their uncertainty is part of the forecast's variance.
    """
    from statsmodels.tsa.statespace.sarimax import SARIMAX

    count = len(values)
    inputs = _harmonics(count + ahead, season)
    results: list[Any] = []
    for seasonal in SEASONAL_ORDERS if season > 1 else (0,):
        model = SARIMAX(
            values,
            exog=inputs[:count],
            order=ORDER,
            seasonal_order=(seasonal, 0, 0, season if seasonal else 0),
            mle_regression=False,
        )
        results += _tried(model, maxiter=MOST_ITERATIONS)
    best = _best(results)
    coming = best.get_forecast(ahead, exog=inputs[count:])
    past = np.array(best.fittedvalues, np.float64)
    past[: best.loglikelihood_burn] = np.nan
    return _checked(past, coming.predicted_mean, coming.var_pred_mean)


def _tried(model: Any, **options: int) -> list[Any]:
    """Return the result of a fit, or nothing where it broke down on these numbers."""
    try:
        return [model.fit(disp=False, **options)]
    except (ValueError, np.linalg.LinAlgError):
        return []


def _best(results: list[Any]) -> Any:
    """Return the one with the least AICc of those that converged."""
    usable = [
        result for result in results if result.mle_retvals["converged"] and np.isfinite(result.aicc)
    ]
    if not usable:
        raise NotConvergedError
    return min(usable, key=lambda result: result.aicc)


def _harmonics(steps: int, season: int) -> Floats:
    """Return a constant, and sines and cosines of the season, ``[steps, P]``."""
    highest = min(HARMONICS, (season - 1) // 2)
    angle = 2 * np.pi * np.arange(steps)[:, None] / season * np.arange(1, highest + 1)
    return np.concatenate([np.ones((steps, 1)), np.sin(angle), np.cos(angle)], axis=1)


def _variance_growth(
    ahead: int, season: int, *, level: float, trend: float, season_gain: float, damping: float
) -> Floats:
    """Return the variance of forecasts as multiples of that of one step, ``[ahead]``."""
    j = np.arange(1, ahead)
    weight = level + trend * np.cumsum(damping**j) + season_gain * (j % max(season, 1) == 0)
    return 1 + np.concatenate([[0.0], np.cumsum(weight**2)])


def _checked(past: Any, mean: Any, variance: Any) -> Fitted:
    made = Fitted(
        past=np.asarray(past, np.float64),
        mean=np.asarray(mean, np.float64),
        variance=np.asarray(variance, np.float64),
    )
    if not (np.isfinite(made.mean).all() and np.isfinite(made.variance).all()):
        raise NotConvergedError
    return made


FITS: MappingProxyType[ModelName, Callable[[Floats, int, int], Fitted]] = MappingProxyType(
    {ModelName.HOLT_WINTERS: holt_winters, ModelName.ETS: ets, ModelName.SARIMAX: sarimax}
)
