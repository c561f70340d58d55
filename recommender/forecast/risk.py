"""The promise: so many of the minutes may be above the amount, no more and not many less.

Calibrated quantiles are right for what is forecast; what is in force is higher for a while after
each change, and a mean of quantiles promises more than it has to.  The risk that is asked for is
steered so that the share of minutes above what was *in force* comes to the promise.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recommender.forecast.outcome import Outcome
from recommender.observation import Bools, Floats

LEAST_EXPECTED = 5.0
"""Violations that a window must expect before it says anything."""
LEAST_BLOCKS = 6
"""That a window lasts: violations come in heaps, and one block of an hour is one heap."""
GAIN = 0.03
FLEET_GAIN = 0.04
"""Of one window, per violation more or less than was promised, over those that were; larger ones
follow the hour of the day, and waste more than they mend."""
LARGEST_RATIO = 10.0
LEAST_FACTOR, MOST_FACTOR = 0.2, 5.0
LEAST_RISK, MOST_RISK = 1e-4, 0.49


@dataclass(slots=True)
class RiskControl:
    """One factor on the risk of each series, and the window that it was last judged on."""

    factor: Floats
    expected: Floats
    """[S] violations that were promised in the running window."""
    violated: Floats
    blocks: Floats
    """[S] of the running window."""
    fleet_factor: float = 1.0
    fleet_expected: float = 0.0
    fleet_violated: float = 0.0
    fleet_blocks: float = 0.0
    """Of all series together."""

    @classmethod
    def empty(cls, series: int) -> RiskControl:
        """Return control that has seen nothing."""
        return cls(np.ones(series), np.zeros(series), np.zeros(series), np.zeros(series))

    def level(self, risk: Floats) -> Floats:
        """Return the quantile to ask for, ``[S]``."""
        steered = risk * self.factor * self.fleet_factor
        return np.asarray(1.0 - np.clip(steered, LEAST_RISK, MOST_RISK), np.float64)

    def observe(self, outcome: Outcome, in_force: Floats, risk: Floats, is_free: Bools) -> None:
        """Take minutes of use under amounts ``[S]``; where none is in force, they say nothing.

        Nor do those of series whose amount something else than the forecast decided (``is_free`` is
        false): a floor, a bound or a pace.
        """
        counts = is_free & ~np.isnan(in_force)
        above = outcome.use > in_force[outcome.series] * (1 + 1e-6)
        expected = np.where(counts, outcome.count * risk, 0.0)
        violated = np.bincount(outcome.series, above, minlength=len(risk)) * counts
        self.expected = self.expected + expected
        self.violated = self.violated + violated
        self.blocks = self.blocks + (expected > 0)
        self.fleet_blocks += float((expected > 0).sum())
        self.fleet_expected += float(expected.sum())
        self.fleet_violated += float(violated.sum())
        is_long = self.fleet_blocks >= LEAST_BLOCKS * len(risk) ** 0.5
        if is_long and self.fleet_expected >= LEAST_EXPECTED * len(risk) ** 0.5:
            fleet = np.array(self.fleet_violated / self.fleet_expected)
            self.fleet_factor = float(_moved(np.array(self.fleet_factor), fleet, FLEET_GAIN))
            self.fleet_expected = self.fleet_violated = 0.0
            self.fleet_blocks = 0.0
        judged = (self.expected >= LEAST_EXPECTED) & (self.blocks >= LEAST_BLOCKS)
        ratio = self.violated / np.maximum(self.expected, LEAST_EXPECTED)
        self.factor = np.where(judged, _moved(self.factor, ratio, GAIN), self.factor)
        self.expected = np.where(judged, 0.0, self.expected)
        self.violated = np.where(judged, 0.0, self.violated)
        self.blocks = np.where(judged, 0.0, self.blocks)


def _moved(factor: Floats, ratio: Floats, gain: float) -> Floats:
    """Return the factor after a window with ``ratio`` times the promised violations.

    They come in heaps: of the ratio itself, not of its logarithm, the mean is 1 where the promise
    is kept.
    """
    moved = factor * np.exp(gain * (1.0 - np.minimum(ratio, LARGEST_RATIO)))
    return np.asarray(np.clip(moved, LEAST_FACTOR, MOST_FACTOR), np.float64)
