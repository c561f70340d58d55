"""What the fleet's model is trained on: features of earlier blocks, and what came then.

All blocks of 14 days are there, each with some of its series, and with fewer of them where there
would be more rows than a model is trained on.  Which ones, and in which order they are taught,
their values say: nothing depends on how series are called or sorted.
"""

from __future__ import annotations

from collections import deque

import numpy as np

from recommender.forecast.features import Matrix
from recommender.forecast.lesson import Lesson
from recommender.forecast.shuffled import shuffled
from recommender.observation import Floats, Ints

DAYS = 14
ROWS_PER_BLOCK = 64
MOST_ROWS = 65_536
TOLD_APART_BY = 8
"""Features that tell rows apart before all of them are looked at."""


class Examples:
    """The rows of the last 14 days."""

    def __init__(self, day: int, lesson: Lesson) -> None:
        """``day`` is blocks of a day; ``lesson`` says what is taught of each."""
        self.lesson = lesson
        self.blocks: deque[tuple[Matrix, Floats]] = deque(maxlen=DAYS * day)
        """Rows and what is taught of them, of each block, oldest first."""
        self.block = 0
        self.rows_per_block = ROWS_PER_BLOCK
        """Halved whenever there are too many."""

    def add(self, features: Matrix, outcome: Floats) -> None:
        """Take some rows of one block: ``[S, F]``, and shares of each series' level ``[S, K]``."""
        known = np.flatnonzero(~np.isnan(outcome).any(axis=1))
        self.block += 1
        known = known[_drawn_order(features[known], outcome[known], self.block)]
        known = known[: self.rows_per_block]
        self.blocks.append((features[known], outcome[known]))
        # the product is cheap, the sum is not
        while len(self.blocks) * self.rows_per_block > MOST_ROWS and self.rows > MOST_ROWS:
            self._thin()

    def _thin(self) -> None:
        """Keep the first half of each block's rows, which are in the order of a draw."""
        self.rows_per_block //= 2
        for at, (features, outcome) in enumerate(self.blocks):
            kept = slice(self.rows_per_block)
            self.blocks[at] = features[kept].copy(), outcome[kept].copy()

    @property
    def rows(self) -> int:
        """Number of rows."""
        return sum(len(outcome) for _, outcome in self.blocks)

    @property
    def outcomes(self) -> int:
        """Number of outcomes of all rows."""
        return sum(outcome.size for _, outcome in self.blocks)

    def table(self) -> tuple[Matrix, Floats]:
        """Return all rows, ``[N, F]`` and ``[N, K]``; oldest first."""
        if not self.blocks:
            return np.empty((0, 0), np.float32), np.empty((0, self.lesson.outcomes))
        return (
            np.concatenate([features for features, _ in self.blocks]),
            np.concatenate([outcome for _, outcome in self.blocks]),
        )


def _drawn_order(features: Matrix, outcome: Floats, salt: int) -> Ints:
    """Return the rows in the order of a draw that their values decide, not their places."""
    drawn = shuffled(np.concatenate([outcome, features[:, :TOLD_APART_BY]], axis=1), salt)
    _, which, count = np.unique(drawn, return_inverse=True, return_counts=True)
    alike = np.flatnonzero(count[which] > 1)
    # workloads that rest are alike but for their days
    further = np.zeros(len(drawn), np.uint64)
    further[alike] = shuffled(features[alike].astype(np.float64), salt)
    return np.lexsort((further, drawn))
