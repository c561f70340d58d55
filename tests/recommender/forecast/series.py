"""Generated demand for the tests of forecasts: what a kind of workload looks like in blocks."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from recommender.forecast.forecaster import Forecast, Forecaster, Outcome
from recommender.forecast.past import Past
from recommender.forecast.timing import Timing
from recommender.observation import Floats

HOURLY = Timing(block_s=3600, lead=1)
"""A day of 24 blocks keeps tests short; nothing depends on the length of a block."""


def daily(days: int, series: int, *, noise: float = 0.1, seed: int = 1) -> Floats:
    """Return demand with a peak each day, ``[T, S]``."""
    random = np.random.default_rng(seed)
    hours = np.arange(24 * days)[:, None]
    shape = 1.0 + 0.8 * np.sin(2 * np.pi * hours / 24)
    level = random.uniform(5.0, 50.0, series)
    return level * np.maximum(shape + noise * random.normal(size=(len(hours), series)), 0.0)


def noisy(days: int, series: int, *, seed: int = 2) -> Floats:
    """Return demand without any pattern, ``[T, S]``."""
    return np.random.default_rng(seed).gamma(2.0, 5.0, (24 * days, series))


def replayed(
    forecaster: Forecaster, demand: Floats, level: float = 0.9
) -> Iterator[tuple[int, Forecast]]:
    """Yield the forecast made after each block, with the block's number; nothing is seen early."""
    lead, series = forecaster.timing.lead, demand.shape[1]
    levels = np.full(series, level)
    for k in range(len(demand)):
        outcome = None
        if k >= lead:
            came = demand[k - lead + 1 : k + 1]
            outcome = Outcome(minutes=came, top=np.fmax.reduce(came, axis=0))
        seen = demand[: k + 1]
        past = Past(top=seen, mean=seen, block_s=forecaster.timing.block_s)
        yield k, forecaster.advance(past, percentiles_of(seen), levels, outcome)


def percentiles_of(seen: Floats) -> Floats:
    """Return what stands for the histogram of the last hours, ``[2, S]``."""
    recent = np.nan_to_num(seen[-72:])
    return np.stack([np.quantile(recent, level, axis=0) for level in (0.95, 0.99)])
