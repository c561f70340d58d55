"""Generated demand for the tests of forecasts: what a kind of workload looks like in blocks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from recommender.forecast.experts.histogram import DAY_LEVELS, HOUR_LEVELS
from recommender.forecast.forecaster import Forecast, Forecaster
from recommender.forecast.outcome import outcome_of
from recommender.forecast.past import Past, rings_of
from recommender.forecast.spending import EVENLY
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


def past_of(demand: Floats, block_s: int = HOURLY.block_s) -> Past:
    """Return blocks of demand ``[T, S]``, the last of which is the newest."""
    top, mean = rings_of(block_s, demand.shape[1])
    for block, use in enumerate(demand):
        top.set(block, use)
        mean.set(block, use)
    return Past(top=top, mean=mean, block=len(demand) - 1)


def growing(demand: Floats, block_s: int = HOURLY.block_s) -> Iterator[Past]:
    """Yield what is seen after each block."""
    past = past_of(demand[:0], block_s)
    for block, use in enumerate(demand):
        past.top.set(block, use)
        past.mean.set(block, use)
        yield replace(past, block=block)


def replayed(
    forecaster: Forecaster, demand: Floats, level: float = 0.9, most: float = EVENLY
) -> Iterator[Forecast]:
    """Yield the forecast made after each block; nothing is seen early."""
    lead, levels = forecaster.timing.lead, np.full(demand.shape[1], level)
    for k, past in enumerate(growing(demand, forecaster.timing.block_s)):
        outcome = outcome_of(demand[k - lead + 1 : k + 1]) if k >= lead else None
        percentiles = percentiles_of(demand[: k + 1])
        yield forecaster.advance(past, percentiles, levels, outcome, most=most)


def percentiles_of(seen: Floats) -> Floats:
    """Return what stands for the histograms of the last hours and of the last days."""
    found = [
        np.quantile(np.nan_to_num(seen[-blocks:]), levels, axis=0)
        for blocks, levels in ((72, HOUR_LEVELS), (240, DAY_LEVELS))
    ]
    return np.concatenate(found)
