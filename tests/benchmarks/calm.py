"""From forecasts to amounts that change seldom: a band around the forecast that learns its width.

A forecast moves at every block, and each move of an amount in force costs: a patch, an event, a
line that somebody reads.  An amount is raised a little further than it must be, and lowered only
once that has been worth it for a while, to what was forecast at most in that time.  How much "a
little" is, each series learns: its band widens while it changes more often than it may, and narrows
otherwise, so that steady demand is followed closely.  With a cost per change this is the (s, S)
policy of stock keeping (Scarf 1960).  Bounds, pace and budgets of the layers are not here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recommender.observation import Bools, Floats

CHANGES_PER_DAY = 33.0
"""That each series may have; some blocks in which a band is still too narrow come on top."""
FIRST_BAND = 0.1
NARROWEST, WIDEST = 0.005, 0.4
GAIN = 0.5
"""By such a power of e a band narrows on a day without a change; it widens so at twice as many."""
LEAST_CUT = 0.1
"""An amount is lowered by so much at least, or by twice the band."""
WORTH_HOURS = 0.5
"""Hours of a saving of 100 % that a band of 1 waits for; all is in proportion."""
LOWERED_WITH = 0.5
"""Share of the band that is left above the forecasts after a cut."""
SMALLEST_CHANGE = 0.01
"""What is less does not count as a change."""


@dataclass(slots=True)
class Calm:
    """What is in force of each series, and what was forecast while that was too high, ``[S]``."""

    amount: Floats
    """NaN: nothing yet."""
    band: Floats
    """Share of the forecast by which an amount is raised beyond it."""
    highest: Floats
    """Highest forecast since the amount has been too high."""
    blocks: Floats
    """For so long."""

    @classmethod
    def empty(cls, series: int, day: int) -> Calm:
        """Return that of series without forecasts; ``day`` is blocks of a day."""
        first = FIRST_BAND if day > CHANGES_PER_DAY else NARROWEST
        return cls(
            amount=np.full(series, np.nan),
            band=np.full(series, first),
            highest=np.zeros(series),
            blocks=np.zeros(series),
        )

    def settle(self, forecast: Floats, day: int) -> Floats:
        """Take the forecast of one block, ``[S]``, and return what is right to have in force.

        Never less than the forecast.  Where that is NaN, nothing changes.  ``day`` is blocks of a
        day.
        """
        known = ~np.isnan(forecast)
        wanted = np.where(known, forecast, 0.0)
        self.highest = np.maximum(self.highest, wanted)
        self.blocks = self.blocks + known
        lowered = self.highest * (1 + LOWERED_WITH * self.band)
        is_above = self.amount > lowered
        cut = np.where(is_above, 1 - lowered / np.where(is_above, self.amount, 1.0), 0.0)
        is_raised = known & ~(wanted <= self.amount)
        is_high = cut > np.maximum(LEAST_CUT, 2 * self.band)
        hours = self.blocks * 24 / day
        is_cut = known & ~is_raised & is_high & (cut * hours > WORTH_HOURS * self.band)
        before = self.amount
        raised = wanted * (1 + np.where(np.isnan(before), 0.0, self.band))
        self.amount = np.where(is_raised, raised, before)
        self.amount = np.where(is_cut, lowered, self.amount)
        self._learn(known, np.abs(self.amount - before) > SMALLEST_CHANGE * before, day)
        waits = known & is_high & ~is_raised & ~is_cut
        self.highest = np.where(waits | ~known, self.highest, 0.0)
        self.blocks = np.where(waits | ~known, self.blocks, 0.0)
        return self.amount

    def _learn(self, known: Bools, changed: Bools, day: int) -> None:
        """Widen the bands of those that changed, and narrow the others."""
        step = GAIN / day * (np.where(changed, day / CHANGES_PER_DAY, 0.0) - 1)
        band = np.clip(self.band * np.exp(step), NARROWEST, WIDEST)
        self.band = np.where(known, band, self.band)
