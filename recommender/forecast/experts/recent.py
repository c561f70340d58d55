"""What was: the last block, and the highest of the last hour.

The last block is the best there is for demand that wanders; the last hour for demand that jumps.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recommender.forecast.experts.base import Expected, expected
from recommender.forecast.past import Past, highest
from recommender.observation import Floats

VOLATILITY_HALF_LIFE_BLOCKS = 24
LEAST_HOUR_BLOCKS = 3
HOUR_SPREAD = 0.3


@dataclass(slots=True)
class Volatility:
    """How much use changes from block to block: a mean that halves in 24 blocks."""

    change: Floats
    weight: Floats

    @classmethod
    def empty(cls, series: int) -> Volatility:
        """Return that of series without use."""
        return cls(np.zeros(series), np.zeros(series))

    def advance(self, past: Past) -> None:
        """Take the newest block."""
        change = np.abs(past.lag(0) - past.lag(1))
        known = ~np.isnan(change)
        kept = np.where(known, 0.5 ** (1 / VOLATILITY_HALF_LIFE_BLOCKS), 1.0)
        self.change = kept * self.change + np.where(known, change, 0.0)
        self.weight = kept * self.weight + known

    @property
    def mean(self) -> Floats:
        """Mean change of each series, ``[S]``."""
        return self.change / np.maximum(self.weight, 1.0)


def last_block(past: Past, volatility: Volatility, scale: Floats) -> Expected:
    """Expect what was last."""
    return expected(past.lag(0), volatility.mean, scale)


def last_hour(past: Past, scale: Floats) -> Expected:
    """Expect the highest of the last hour, of at least three blocks."""
    value = highest(past.last(max(past.hour, LEAST_HOUR_BLOCKS)))
    return expected(value, HOUR_SPREAD * value, scale)
