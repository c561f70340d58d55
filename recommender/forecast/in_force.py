"""What was in force from one forecast to the next, and whether the forecast decided it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recommender.observation import Bools, Floats, Ints

ROUNDING_RATIO = 0.01
"""An amount in force is what was forecast within so much."""


@dataclass(slots=True, kw_only=True)
class InForce:
    """What was in force from one forecast to the next, ``[S]``; NaN: nothing was seen."""

    chosen: Floats
    """What the forecast said."""
    lowest: Floats
    highest: Floats

    def take(self, amounts: Floats) -> None:
        """Take amounts that were in force."""
        self.lowest = np.fmin(self.lowest, amounts)
        self.highest = np.fmax(self.highest, amounts)

    def is_of_forecast(self, kept_ratio: Floats) -> Bools:
        """Return where the forecast alone decided what was in force."""
        least = self.chosen * (1 - ROUNDING_RATIO)
        most = self.chosen * (1 + ROUNDING_RATIO) / (1 - kept_ratio)
        with np.errstate(invalid="ignore"):
            return np.asarray((self.lowest >= least) & (self.highest <= most), np.bool_)

    def is_above(self, series: Ints, use: Floats) -> Bools:
        """Return which uses ``[n]`` of some ``series`` lie above what was in force."""
        lowest = self.lowest[series]
        with np.errstate(invalid="ignore"):
            return np.asarray(use > lowest * (1 + ROUNDING_RATIO / 10), np.bool_)
