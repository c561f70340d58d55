"""When a forecast counts, and why not: too young, too few samples, no better than the histogram.

A forecast that does not earn its place does harm: on demand without a pattern the histogram is as
good as anything, and calmer.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from recommender.forecast.past import Past
from recommender.observation import Bools, Floats, Ints

LEAST_HOURS = 6
LEAST_COVERAGE = 0.7
"""Of the blocks of the last six hours that have use: experts look at the last hours first."""
LEAST_WINDOWS = 100.0
OPENS_RATIO = 0.95
"""The loss of the forecast over that of the histogram at which it begins to count."""
CLOSES_RATIO = 1.0
STEP_BLOCKS = 3
"""So many outcomes in a row above all that was expected are a step: nobody has seen it coming."""
STEP_CHANCE = 0.15**STEP_BLOCKS
"""It takes more of them where so many have a better chance than this, as at a risk of a third."""


class Gate(IntEnum):
    """Whether a forecast counts."""

    NOT_ASKED = -1
    """The policy asks for neither a forecast nor a share of risk."""
    OPEN = 0
    YOUNG = 1
    """Less than six hours of use."""
    GAPS = 2
    UNPROVEN = 3
    """It was not judged often enough."""
    NO_GAIN = 4
    """It costs no less than the histogram."""
    STEP = 5
    """Demand has left everything behind that was expected."""
    HISTOGRAM = 6
    """The policy asks for the histogram by name, or only for a share of risk."""


@dataclass(slots=True)
class Gates:
    """State of the gates of all series."""

    is_better: Bools
    """[S] with hysteresis: opened at 5 % better, closed at no better."""
    above: Ints
    """[S] outcomes in a row above the most that any expert said."""
    chance: Floats
    """[S] that so many in a row had, if all experts were right."""

    @classmethod
    def empty(cls, series: int) -> Gates:
        """Return closed gates."""
        return cls(np.zeros(series, np.bool_), np.zeros(series, np.int64), np.ones(series))

    def judge(self, forecast_loss: Floats, histogram_loss: Floats) -> None:
        """Compare what both cost lately, ``[S]``; 0 before anything was judged."""
        opens = (forecast_loss <= OPENS_RATIO * histogram_loss) & (histogram_loss > 0)
        stays = forecast_loss < CLOSES_RATIO * histogram_loss
        self.is_better = opens | (self.is_better & stays)

    def note(self, outcome: Floats, highest: Floats, level: Floats) -> None:
        """Compare what came with the most that any expert said at ``level``, ``[S]`` each."""
        with np.errstate(invalid="ignore"):
            is_above = outcome > highest
        self.above = np.where(is_above, self.above + 1, 0)
        self.chance = np.where(is_above, self.chance * (1.0 - level), 1.0)

    def state(self, past: Past, seen: Floats, windows: Floats) -> Ints:
        """Return the ``Gate`` of each series; ``windows`` is how many outcomes were judged."""
        least = LEAST_HOURS * past.hour
        young = seen < least
        coverage = (~np.isnan(past.last(least))).sum(axis=0) / least
        checks = (
            (Gate.YOUNG, young),
            (Gate.GAPS, coverage < LEAST_COVERAGE),
            (Gate.UNPROVEN, windows < LEAST_WINDOWS),
            (Gate.STEP, (self.above >= STEP_BLOCKS) & (self.chance <= STEP_CHANCE * (1 + 1e-9))),
            (Gate.NO_GAIN, ~self.is_better),
        )
        found = np.full(len(seen), int(Gate.OPEN))
        for gate, where in reversed(checks):
            found = np.where(where, int(gate), found)
        return found
