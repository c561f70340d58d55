"""A forecast of one series by a model that was asked for by name.

Pure: the same history gives the same forecast.  Many of them, each with a time limit, are run by
``recommender.forecast.pool``.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from threadpoolctl import threadpool_limits

from recommender.errors import ContractError, InvalidValueError
from recommender.forecast.models import FITTED_BY_NAME, model_named
from recommender.forecast.named.fits import FITS, NotConvergedError, load
from recommender.forecast.named.reason import Reason
from recommender.forecast.named.spread import of_blocks
from recommender.forecast.named.steps import steps_of
from recommender.observation import Floats


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class NamedForecast:
    """What comes, or why nobody knows: NaN wherever ``reason`` is set."""

    mean: Floats
    """[H]"""
    quantiles: Floats
    """[L, H]"""
    reason: Reason | None = None
    seconds: float | None = None
    """How long the fit took; None where nobody measured it."""


def fit_forecast(
    history: Floats,
    *,
    model: str,
    season_blocks: int,
    horizon_blocks: int,
    levels: tuple[float, ...],
) -> NamedForecast:
    """Fit a model to ``history`` and forecast the next ``horizon_blocks`` blocks.

    ``history`` is ``[T]``, one value per block of time, newest last, NaN where nothing was
    measured; ``season_blocks`` is how many blocks a season (a day) has; ``levels`` are between 0
    and 1.  Models see means of up to a 24th of a season over the last 28 seasons, gaps filled from
    what was known before them; the forecast is of blocks again.

    A history that is too short, has too many gaps or never changes, and a fit without a solution,
    give a reason in place of values.  Raises ``InvalidValueError`` for a model that is not fitted
    by name, ``ContractError`` for shapes and numbers outside their range.
    """
    check(
        history,
        model=model,
        season_blocks=season_blocks,
        horizon_blocks=horizon_blocks,
        levels=levels,
    )
    steps = steps_of(np.asarray(history, np.float64), season_blocks)
    if isinstance(steps, Reason):
        return without_value(steps, horizon_blocks, len(levels))
    load()  # what it imports puts filters of warnings in front of those that stand
    ahead = -(-horizon_blocks // steps.blocks_a_step)
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"), _one_thread():
            warnings.simplefilter("ignore")
            fitted = FITS[model_named(model).name](steps.values, steps.season, ahead)
        mean, quantiles = of_blocks(steps, fitted, horizon_blocks, levels)
    except (NotConvergedError, ValueError, ArithmeticError, np.linalg.LinAlgError):
        return without_value(Reason.NOT_CONVERGED, horizon_blocks, len(levels))
    return NamedForecast(mean=mean, quantiles=quantiles)


def without_value(reason: Reason, horizon_blocks: int, levels: int) -> NamedForecast:
    """Return the forecast that says only why there is none."""
    return NamedForecast(
        mean=np.full(horizon_blocks, np.nan),
        quantiles=np.full((levels, horizon_blocks), np.nan),
        reason=reason,
    )


def check(
    history: Floats,
    *,
    model: str,
    season_blocks: int,
    horizon_blocks: int,
    levels: tuple[float, ...],
) -> None:
    """Raise where ``fit_forecast`` would, without fitting anything."""
    if model_named(model).name not in FITTED_BY_NAME:
        raise InvalidValueError("model", model, ", ".join(FITTED_BY_NAME))
    if history.ndim != 1 or np.isinf(history).any():
        raise ContractError(
            f"history has the shape {history.shape}; allowed: one series of finite numbers and NaN"
        )
    for name, value in (("season_blocks", season_blocks), ("horizon_blocks", horizon_blocks)):
        if value < 1:
            raise ContractError(f"{name} {value}; allowed: 1 or more")
    if not levels or not all(0 < level < 1 for level in levels):
        raise ContractError(f"levels {levels}; allowed: one or more between 0 and 1")


def _one_thread() -> threadpool_limits:
    """Keep linear algebra on one thread: on matrices this small, two take thirty times as long."""
    return threadpool_limits(limits=1, user_api="blas")
