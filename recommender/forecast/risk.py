"""The promise: so many of the minutes may be above the amount, no more and not many less.

Calibrated quantiles are right for what is forecast; what is in force is higher for a while after
each change, and a mean of quantiles promises more than it has to.  So the minutes above what was
*in force* are counted beside those that the quantiles asked for would have had, and the risk that
is asked for is the promise over that share.  It is a ratio of sums, not a loop with a gain: it is
right after some dozens of violations, and then follows neither an hour nor a heap of them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recommender.forecast.fleet_sum import fleet_sum
from recommender.observation import Bools, Floats

LEAST_EXPECTED = 5.0
"""Violations that a window must expect before it says anything."""
FIRST_SHARE = 0.5
"""Minutes above what is in force over those asked for, before anything is known: 0.2 to 0.5 were
measured on recorded demand, for limits and for requests."""
FIRST_EXPECTED = 10.0
"""Violations of each series that ``FIRST_SHARE`` counts as: hours of minutes at 1 %, so that it is
moved by no single hour of the day."""
FLEET_EXPECTED = 300.0
"""Violations that the share of the fleet counts as beside those of one series.  They come in heaps,
and the fewer count, the more each series wastes by following its own."""
FADING_EXPECTED = 100.0
"""Violations of a series after which earlier ones count 1/e: a week of minutes at 1 %."""
LEAST_FACTOR, MOST_FACTOR = 0.2, 5.0
LEAST_RISK, MOST_RISK = 1e-4, 0.49


@dataclass(slots=True)
class RiskControl:
    """What was asked of each series and of all, and what came; a window beside it still runs."""

    asked: Floats
    """[S] violations that the quantiles asked for would have had, fading."""
    above: Floats
    """[S] those of what was in force."""
    expected: Floats
    """[S] as ``asked``, in the running window."""
    violated: Floats
    fleet_asked: float = 0.0
    fleet_above: float = 0.0
    fleet_expected: float = 0.0
    fleet_violated: float = 0.0

    @classmethod
    def empty(cls, series: int) -> RiskControl:
        """Return control that has seen nothing."""
        return cls(
            asked=np.zeros(series),
            above=np.zeros(series),
            expected=np.zeros(series),
            violated=np.zeros(series),
        )

    def level(self, risk: Floats) -> Floats:
        """Return the quantile to ask for, ``[S]``."""
        return np.asarray(1.0 - self._steered(risk), np.float64)

    def observe(self, minutes: Floats, above: Floats, risk: Floats, is_free: Bools) -> None:
        """Take how many minutes were measured and how many lay above what was in force, ``[S]``.

        They say nothing of series whose amount something else than the forecast decided
        (``is_free`` is false): a floor, a bound or a pace.
        """
        expected = np.where(is_free, minutes * self._steered(risk), 0.0)
        violated = np.where(is_free, above, 0.0)
        self.expected = self.expected + expected
        self.violated = self.violated + violated
        # all minutes count here, as they do below
        self.fleet_expected += float(fleet_sum(expected, axis=0, largest=np.inf))
        self.fleet_violated += float(violated.sum())
        self._judge()

    def follow(self, other: RiskControl) -> None:
        """Take what ``other`` knows of its fleet; of its series nothing."""
        self.fleet_asked, self.fleet_above = other.fleet_asked, other.fleet_above

    @property
    def share(self) -> Floats:
        """Minutes above what is in force over those asked for, ``[S]``."""
        first = FIRST_EXPECTED * max(len(self.asked), 1)
        of_fleet = (self.fleet_above + first * FIRST_SHARE) / (self.fleet_asked + first)
        return (self.above + FLEET_EXPECTED * of_fleet) / (self.asked + FLEET_EXPECTED)

    def _steered(self, risk: Floats) -> Floats:
        factor = 1.0 / np.clip(self.share, 1.0 / MOST_FACTOR, 1.0 / LEAST_FACTOR)
        return np.asarray(np.clip(risk * factor, LEAST_RISK, MOST_RISK), np.float64)

    def _judge(self) -> None:
        """Close the windows that expect enough."""
        series = len(self.asked)
        if self.fleet_expected >= LEAST_EXPECTED * series**0.5:
            kept = float(np.exp(-self.fleet_expected / (FADING_EXPECTED * series)))
            self.fleet_asked = kept * self.fleet_asked + self.fleet_expected
            self.fleet_above = kept * self.fleet_above + self.fleet_violated
            self.fleet_expected = self.fleet_violated = 0.0
        judged = self.expected >= LEAST_EXPECTED
        kept_each = np.exp(-self.expected / FADING_EXPECTED)
        self.asked = np.where(judged, kept_each * self.asked + self.expected, self.asked)
        self.above = np.where(judged, kept_each * self.above + self.violated, self.above)
        self.expected = np.where(judged, 0.0, self.expected)
        self.violated = np.where(judged, 0.0, self.violated)
