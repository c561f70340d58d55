"""What was in force from one forecast to the next, and whether it may steer the risk.

Minutes above an amount that a floor, a bound or a person decides say nothing of what is asked for.
Those above a request on its way to what was forecast do: else a pace that holds it back all day
would break the promise day after day.  One that still comes down from far above says nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recommender.observation import Bools, Floats

ROUNDING_RATIO = 0.01
"""An amount is what was forecast within so much."""
MOST_ABOVE_RATIO = 2.0
"""Of what was forecast: what is in force further above it has yet to come down."""


@dataclass(slots=True, kw_only=True)
class InForce:
    """What was in force from one forecast to the next, ``[S]``; NaN: nothing was seen."""

    chosen: Floats
    """What the forecast said."""
    lowest: Floats
    highest: Floats
    aimed: Floats
    """What decisions move it to in their pace; NaN: they do not, or at once."""
    least: Floats
    """The lowest that decisions let it be; NaN: no floor is known."""

    @classmethod
    def of(cls, chosen: Floats) -> InForce:
        """Return that of a forecast which nothing was seen of yet."""
        nothing = np.full(len(chosen), np.nan)
        return cls(chosen=chosen, lowest=nothing, highest=nothing, aimed=nothing, least=nothing)

    def take(self, amounts: Floats, aimed: Floats, least: Floats) -> None:
        """Take amounts that were in force, what decisions aimed at, and how low they may go."""
        self.lowest = np.fmin(self.lowest, amounts)
        self.highest = np.fmax(self.highest, amounts)
        self.aimed = aimed
        self.least = np.fmin(self.least, least)

    def is_of_forecast(self, kept_ratio: Floats) -> Bools:
        """Return where what was in force was what the forecast said, or on its way there.

        ``kept_ratio`` is how far the forecast may be below it without lowering it.
        """
        least, most = self.chosen * (1 - ROUNDING_RATIO), self.chosen * (1 + ROUNDING_RATIO)
        with np.errstate(invalid="ignore"):
            # use above a limit raises it at once, which must not hide that it was too low
            is_there = self.lowest >= least
            is_there &= (self.lowest <= most / (1 - kept_ratio)) | self._is_held
            is_coming = (self.aimed >= least) & (self.aimed <= most)
            is_coming &= self.highest <= MOST_ABOVE_RATIO * most
            return np.asarray(is_there | is_coming, np.bool_)

    @property
    def judged(self) -> Floats:
        """What minutes are compared with to steer the risk, ``[S]``.

        Where a floor holds the amount, that is what was forecast: compared with the floor, the risk
        would be raised until the forecast is far below it, and stay there when the floor goes.
        """
        return np.where(self._is_held, np.fmin(self.chosen, self.lowest), self.lowest)

    @property
    def _is_held(self) -> Bools:
        with np.errstate(invalid="ignore"):
            return np.asarray(self.lowest <= self.least * (1 + ROUNDING_RATIO), np.bool_)


def is_above(amount: Floats, series: NDArray[np.int32], use: NDArray[np.float32]) -> Bools:
    """Return which uses ``[n]`` of some ``series`` lie above the amount ``[S]`` of theirs."""
    with np.errstate(invalid="ignore"):
        return np.asarray(use > (amount * (1 + ROUNDING_RATIO / 10))[series], np.bool_)
