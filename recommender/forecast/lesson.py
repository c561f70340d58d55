"""What the fleet's model is taught of a block: the most of it, or its minutes.

A promise is about minutes.  The highest of five says enough of them; of an hour no single figure
says how many of its minutes lie above an amount.  So minutes of the hour are taught, a few of them.
"""

from __future__ import annotations

from dataclasses import dataclass

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
    minutes: int | None = None
    """Of a block that are taught; None: its statistic alone is."""

    @property
    def outcomes(self) -> int:
        """Number of outcomes of one block."""
        return 1 if self.minutes is None else self.minutes

    def of(self, outcome: Outcome) -> Floats:
        """Return what is taught of a block, ``[S, outcomes]``; NaN: nothing was measured."""
        return outcome.top[:, None] if self.minutes is None else outcome.spaced(self.minutes)


OF_BLOCKS = Lesson(levels=(0.9, 0.95, 0.975, 0.99), leaf_rows=50)
"""Of a few minutes."""
OF_HOURS = Lesson(levels=(0.8, 0.89, 0.95, 0.985), leaf_rows=100, minutes=4)
"""Outcomes of one hour are alike, so that a leaf needs more of them."""


def lesson_of(timing: Timing) -> Lesson:
    """Return what the model of forecasts by such blocks is taught."""
    return OF_HOURS if timing.block_s >= HOUR_S else OF_BLOCKS
