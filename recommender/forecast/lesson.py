"""What the fleet's model is taught of a block: the most of it, or its minutes.

A promise is about minutes.  The highest of five says enough of them; of an hour no single figure
says how many of its minutes lie above an amount.  So the minutes of an hour are taught, not all of
them: in the order of their use they are cut into a few parts, and of each its middle is taught, as
heavy as the part.  Parts are smaller towards the highest, where the quantiles lie.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recommender.forecast.outcome import Outcome
from recommender.forecast.timing import Timing
from recommender.observation import Floats
from recommender.usage.peaks import HOUR_S


@dataclass(frozen=True, slots=True, kw_only=True)
class Lesson:
    """Which quantiles a model learns, and of what."""

    levels: tuple[float, ...]
    """Quantiles, ascending; as many as there are experts of the model, and one above them."""
    leaf_rows: int
    """Outcomes that a leaf of the model has at least."""
    edges: tuple[float, ...] = ()
    """Of the parts of a block's minutes, from 0 to 1; empty: its statistic alone is taught."""

    @property
    def weights(self) -> Floats:
        """How heavy each of the ``K`` outcomes of a block is, ``[K]``; 1 in the mean."""
        shares = np.diff(self.edges) if self.edges else np.ones(1)
        return shares * len(shares)

    def of(self, outcome: Outcome) -> Floats:
        """Return what is taught of a block, ``[S, K]``; NaN where nothing was measured."""
        if not self.edges:
            return outcome.top[:, None]
        count = outcome.count
        order = np.lexsort((outcome.use, outcome.series))
        first = np.cumsum(count) - count
        middle = (np.array(self.edges[1:]) + self.edges[:-1]) / 2
        known = np.flatnonzero(count)
        rank = (middle * count[known, None]).astype(np.int64)
        taught = np.full((len(count), len(middle)), np.nan)
        taught[known] = outcome.use[order][first[known, None] + rank]
        return taught


OF_BLOCKS = Lesson(levels=(0.9, 0.95, 0.975, 0.99), leaf_rows=50)
"""Of a few minutes."""
OF_HOURS = Lesson(levels=(0.8, 0.89, 0.95, 0.985), leaf_rows=100, edges=(0.0, 0.5, 0.8, 0.95, 1.0))
"""Outcomes of one hour are alike, so that a leaf needs more of them."""


def lesson_of(timing: Timing) -> Lesson:
    """Return what the model of forecasts by such blocks is taught."""
    return OF_HOURS if timing.block_s >= HOUR_S else OF_BLOCKS
