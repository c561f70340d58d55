"""Exponential smoothing with a damped trend and a day's season (Holt-Winters), for all at once.

Gardner and McKenzie 1985, additive season.  Constants stand for all series: fitting them for each
costs hours for a fleet and gains little.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recommender.forecast.experts.base import Expected, expected
from recommender.forecast.experts.recent import Volatility
from recommender.forecast.past import Past
from recommender.observation import Floats

LEVEL_GAIN = 0.3
TREND_GAIN = 0.02
SEASON_GAIN = 0.15
DAMPING = 0.95


@dataclass(slots=True)
class Seasonal:
    """Level, trend and season of all series."""

    level: Floats
    trend: Floats
    season: NDArray[np.float32]
    """[blocks of a day, S]"""
    block: int = 0

    @classmethod
    def empty(cls, series: int, day: int) -> Seasonal:
        """Return that of series without use."""
        return cls(np.full(series, np.nan), np.zeros(series), np.zeros((day, series), np.float32))

    def advance(self, past: Past) -> None:
        """Take the newest block."""
        newest = past.lag(0)
        slot = self.block % len(self.season)
        self.block += 1
        fresh = np.isnan(self.level) & ~np.isnan(newest)
        self.level = np.where(fresh, newest, self.level)
        ahead = self.level + DAMPING * self.trend
        error = np.nan_to_num(newest - ahead - self.season[slot])
        self.level = np.where(np.isnan(newest), self.level, ahead + LEVEL_GAIN * error)
        self.trend = DAMPING * self.trend + TREND_GAIN * error
        self.season[slot] += SEASON_GAIN * error

    def forecast(self, lead: int, volatility: Volatility, scale: Floats) -> Expected:
        """Expect the highest of the next blocks."""
        slots = (self.block + np.arange(lead)) % len(self.season)
        value = self.level + DAMPING * self.trend + self.season[slots].max(axis=0)
        return expected(np.maximum(value, 0.0), volatility.mean, scale)
