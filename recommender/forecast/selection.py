"""Which experts count: those whose quantiles cost least lately, for the series and for the fleet.

Exponential weights on the pinball loss (Koenker and Bassett 1978), which fades in days, at the
very level that is asked for: who is best at the median may be bad at the 99th percentile.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recommender.forecast.fleet_sum import fleet_sum
from recommender.forecast.outcome import Outcome
from recommender.observation import Bools, Floats
from recommender.usage.minutes import MINUTE_S
from recommender.usage.store import DAY_S

LEAST_HALF_LIFE_DAYS, MOST_HALF_LIFE_DAYS = 1.0, 4.0
LEAST_VIOLATIONS = 15.0
"""Minutes above what was asked for that are expected in a half-life: the rarer they are, the longer
it is, for what a rare minute costs is most of what an expert cost."""
SHARPNESS = 16.0
OWN_SHARE = 0.5
"""Of the series' own losses; the rest are those of the fleet."""


@dataclass(slots=True)
class Losses:
    """Pinball losses in units of each series' level, which fade."""

    experts: Floats
    """[E, S]"""
    histogram: Floats
    """[S] of what was made of the histograms."""
    mixed: Floats
    """[S] of what was made of all experts."""
    windows: Floats
    """[S] outcomes that were judged, ever."""

    @classmethod
    def empty(cls, experts: int, series: int) -> Losses:
        """Return the losses of experts who were never asked."""
        return cls(
            experts=np.zeros((experts, series)),
            histogram=np.zeros(series),
            mixed=np.zeros(series),
            windows=np.zeros(series),
        )

    def add(
        self,
        uppers: Floats,
        answers: tuple[Floats, Floats],
        outcome: Outcome,
        *,
        level: Floats,
        asked: Floats,
        scale: Floats,
        day: int,
    ) -> None:
        """Take what came of forecasts ``[E, S]`` at ``level`` ``[S]``.

        ``answers`` are what was made of the histograms, and of all experts, ``[S]`` each; ``asked``
        is the level in the mean of many blocks, ``[S]``, and says how long losses are remembered.
        """
        said = np.stack([*uppers, *answers])
        losses = (_losses(said[:, few], part, level[few]) for few, part in outcome.parts())
        loss = np.concatenate([said[:, :0], *losses], axis=1) / scale
        known = ~np.isnan(loss).any(axis=0)
        kept = np.where(known, 0.5 ** (1 / (_half_life_days(asked) * day)), 1.0)
        loss = np.where(known, loss, 0.0)
        self.experts = kept * self.experts + loss[:-2]
        self.histogram = kept * self.histogram + loss[-2]
        self.mixed = kept * self.mixed + loss[-1]
        self.windows = self.windows + known

    def costs(self) -> Floats:
        """Return the loss of each expert, ``[E, S]`` in units of the best one's."""
        fleet = fleet_sum(self.experts, axis=1)[:, None]
        own, others = _to_best(self.experts), _to_best(fleet)
        return np.asarray(OWN_SHARE * own + (1 - OWN_SHARE) * others, np.float64)


def shares_of(costs: Floats, counts: Bools) -> Floats:
    """Return how much each expert counts among those that do, ``[E, S]``.

    Together 1; all 0 where none counts.  They are compared with the best of their own: beside
    somebody who made no error at all, as of a workload that rested, all others were nothing.
    """
    cost = np.where(counts, costs, np.inf)
    best = np.where(counts.any(axis=0), cost.min(axis=0), 0.0)
    share = np.exp(-SHARPNESS * (cost - best))
    return np.asarray(share / np.maximum(share.sum(axis=0), 1.0), np.float64)


def _losses(uppers: Floats, outcome: Outcome, level: Floats) -> Floats:
    """Return the mean pinball loss of each series' minutes, ``[E, S]``.

    Of one minute it is ``level * (use - upper)``, and ``upper - use`` more where that is above 0.
    """
    above_use = [
        outcome.mean(np.maximum(outcome.of_each(upper) - outcome.use, 0.0)) for upper in uppers
    ]
    mean = outcome.mean(outcome.use)
    return np.asarray(level * (mean - uppers) + np.stack(above_use), np.float64)


def _half_life_days(asked: Floats) -> Floats:
    violations_per_day = np.maximum(1.0 - asked, 1e-9) * (DAY_S // MINUTE_S)
    days = LEAST_VIOLATIONS / violations_per_day
    return np.asarray(np.clip(days, LEAST_HALF_LIFE_DAYS, MOST_HALF_LIFE_DAYS), np.float64)


def _to_best(loss: Floats) -> Floats:
    best = np.maximum(loss.min(axis=0), 1e-12)
    return np.where(loss.max(axis=0) > 0, loss / best, 1.0)
