"""What the fleet's model is trained on: features of earlier blocks, and what came then.

All blocks of 14 days are there, each with some of its series.  Which ones, and in which order they
are taught, their values say: nothing depends on how series are called or sorted.
"""

from __future__ import annotations

from collections import deque

import numpy as np

from recommender.forecast.features import Matrix
from recommender.forecast.shuffled import shuffled
from recommender.observation import Floats

DAYS = 14
ROWS_PER_BLOCK = 64
TOLD_APART_BY = 8
"""Features; rows that agree in so many and in what came are as good as one another."""


class Examples:
    """The rows of the last 14 days."""

    def __init__(self, day: int) -> None:
        """``day`` is blocks of a day."""
        self.blocks: deque[tuple[Matrix, Floats]] = deque(maxlen=DAYS * day)
        """Rows and what came, of each block, oldest first."""
        self.block = 0

    def add(self, features: Matrix, outcome: Floats) -> None:
        """Take some rows of one block: ``[S, F]``, and shares of each series' level ``[S]``."""
        known = np.flatnonzero(~np.isnan(outcome))
        row = np.concatenate([outcome[known, None], features[known, :TOLD_APART_BY]], axis=1)
        self.block += 1
        known = known[np.argsort(shuffled(row, self.block), kind="stable")][:ROWS_PER_BLOCK]
        self.blocks.append((features[known], outcome[known]))

    @property
    def rows(self) -> int:
        """Number of rows."""
        return sum(len(outcome) for _, outcome in self.blocks)

    def table(self) -> tuple[Matrix, Floats]:
        """Return all rows, ``[N, F]`` and ``[N]``; oldest first."""
        if not self.blocks:
            return np.empty((0, 0), np.float32), np.empty(0)
        return (
            np.concatenate([features for features, _ in self.blocks]),
            np.concatenate([outcome for _, outcome in self.blocks]),
        )
