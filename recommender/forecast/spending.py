"""Where a promised risk is spent: more of it in blocks whose forecast is wide.

A promise says which share of minutes may lie above the amount, not which minutes.  The mean amount
is least where the density of demand at the amount is the same in every block: else risk moved to
the block of the lower density would lower its amount by more than it raises that of the other one.
Tails that are alike in shape have the same density where each has a risk in proportion to its
width.  So the risk of a block follows the width of its forecast, in relation to the usual one of
the series in the last weeks; the mean over its blocks stays what was asked for, or is less where
many factors are held to the most: what a promise lacks then, its steering asks for.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recommender.observation import Floats

POWER = 0.5
"""Of the width that the risk is in proportion to.  1 were right if widths were known; they are
estimates, and the more is made of them the noisier are the amounts."""
WIDE_RATIO = 3.0
"""The width is from the amount at the risk to that at a risk so many times as large."""
LARGEST_WIDE_RISK = 0.7
LEAST_WIDTH = 0.003
"""In units of a series' level; what is narrower counts as so wide."""
HALF_LIFE_DAYS = 28.0
"""Of the usual width, from the first block on: days without use leave their risk to busy ones only
while both are remembered."""
LEAST_DAYS = 0.98
"""Of widths, which fade a little in a day: how wide forecasts are at night is not known before."""
LEAST_FACTOR = 1 / 8
"""On the risk of a block."""
EVENLY = 1.0
LIMITS_MOST_FACTOR = 1.5
"""More in the widest blocks brings a limit nothing, and use goes far above it there."""
REQUESTS_MOST_FACTOR = 4.0
"""A request only says what neighbours leave."""
LARGEST_RISK = 0.49
"""Up to which a factor raises a risk: what is asked for is above the median."""


@dataclass(slots=True)
class Widths:
    """How wide the forecasts of all series usually are; they fade."""

    powers: Floats
    """[S] sum of the widths, in the unit of the resource, to the power of ``POWER``."""
    blocks: Floats
    """[S] how many."""

    @classmethod
    def empty(cls, series: int) -> Widths:
        """Return the widths of series of which nothing was forecast."""
        return cls(np.zeros(series), np.zeros(series))

    def take(self, width: Floats, scale: Floats, most: float, day: int) -> Floats:
        """Take the widths of one block, ``[S]``, and return the factors on its risk, ``[S]``.

        ``width`` and the level of each series, ``scale``, are in the unit of the resource; where
        the width is NaN, the risk is spent evenly and nothing is learned, and on the first day it
        is spent evenly as well.  No factor is above ``most``; ``day`` is blocks of a day.
        """
        known = ~np.isnan(width)
        power = np.where(known, np.maximum(width, LEAST_WIDTH * scale) ** POWER, 0.0)
        kept = np.where(known, 0.5 ** (1 / (HALF_LIFE_DAYS * day)), 1.0)
        self.powers = kept * self.powers + power
        self.blocks = kept * self.blocks + known
        usual = self.powers / np.where(known, self.blocks, 1.0)
        ratio = np.where(known, power / np.where(known, usual, 1.0), 1.0)
        is_usual = self.blocks >= LEAST_DAYS * day
        return np.where(is_usual, np.clip(ratio, LEAST_FACTOR, most), 1.0)


def wide_level(level: Floats) -> Floats:
    """Return the level whose amount lies below that at ``level`` by the width, ``[S]``."""
    risk = 1.0 - level
    return 1.0 - np.minimum(WIDE_RATIO * risk, np.maximum(LARGEST_WIDE_RISK, risk))


def spent_level(level: Floats, factor: Floats) -> Floats:
    """Return the level to ask for where the risk at ``level`` is spent by ``factor``, ``[S]``.

    Exactly ``level`` where the factor is 1.
    """
    risk = 1.0 - level
    spent = np.minimum(risk * factor, np.maximum(LARGEST_RISK, risk))
    return np.where(factor == 1.0, level, 1.0 - spent)
