"""What came of a promise: how many minutes lay above what was in force, fading over days."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recommender.observation import Floats

HALF_LIFE_DAYS = 7.0


@dataclass(slots=True)
class Realised:
    """Minutes that were judged, and those above the amount in force; ``[S]`` each."""

    minutes: Floats
    above: Floats

    @classmethod
    def empty(cls, series: int) -> Realised:
        """Return that of series which were never judged."""
        return cls(np.zeros(series), np.zeros(series))

    def take(self, minutes: Floats, above: Floats, day: int) -> None:
        """Take the minutes of one block, ``day`` of which are a day."""
        kept = 0.5 ** (1 / (HALF_LIFE_DAYS * day))
        self.minutes = kept * self.minutes + minutes
        self.above = kept * self.above + above

    @property
    def share(self) -> Floats:
        """Share of minutes above what was in force, ``[S]``; NaN: nothing was judged."""
        judged = self.minutes > 0
        return np.where(judged, self.above / np.where(judged, self.minutes, 1.0), np.nan)
