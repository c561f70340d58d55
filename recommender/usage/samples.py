"""Samples on their way into the usage model: what was used, and the demand that it stands for.

Columns of one call, checked already; what is kept of them is the business of the stores.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recommender.observation import Bools, Floats, Ints
from recommender.usage.quality import demand_of, is_saturated


@dataclass(frozen=True, slots=True, kw_only=True)
class Demands:
    """Demand per sample, ``[n]`` each, in the precision in which it is kept."""

    worker: Ints
    ts: Ints
    demand: Floats
    saturated: Bools
    share: Floats
    """What held the use down at most; NaN: not known."""
    top: Floats | None
    """Largest demand of the minute where the source aggregated; ``demand`` is then its mean."""


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageSamples:
    """Use per sample, ``[n]`` each; NaN: not known."""

    worker: Ints
    ts: Ints
    value: Floats
    top: Floats | None
    """Largest use of the minute where the source aggregated; ``value`` is then its mean."""
    share: Floats
    throttled_ratio: Floats

    @property
    def highest(self) -> Floats:
        """Return the largest use that each sample tells of."""
        return self.value if self.top is None else self.top

    def demands(self, rows: Bools) -> Demands:
        """Return the demand of some samples; mean and maximum are corrected each by itself."""
        demand, saturated = _corrected(self.value, self.share, self.throttled_ratio)
        top = None
        if self.top is not None:
            top, saturated = _corrected(self.top, self.share, self.throttled_ratio)
        return self._kept(rows, demand, saturated, top)

    def amounts(self) -> Demands:
        """Return the use itself, of which nothing can be hidden."""
        every = np.ones(len(self.ts), np.bool_)
        return self._kept(every, self.value, np.zeros(len(self.ts), np.bool_), self.top)

    def _kept(self, rows: Bools, demand: Floats, saturated: Bools, top: Floats | None) -> Demands:
        chosen = slice(None) if rows.all() else rows
        return Demands(
            worker=self.worker[chosen],
            ts=self.ts[chosen],
            demand=_rounded(demand[chosen]),
            saturated=saturated[chosen],
            share=self.share[chosen],
            top=None if top is None else _rounded(top[chosen]),
        )


def known(column: Floats | None, length: int) -> Floats:
    """Return a column, or one that takes no memory where there is none: NaN."""
    return np.broadcast_to(np.float64(np.nan), length) if column is None else column


def _corrected(value: Floats, share: Floats, throttled_ratio: Floats) -> tuple[Floats, Bools]:
    saturated = is_saturated(value, share, throttled_ratio)
    rows = np.flatnonzero(saturated)
    if not len(rows):
        return value, saturated
    demand = value.copy()
    demand[rows] = demand_of(value[rows], share[rows], throttled_ratio[rows], saturated[rows])
    return demand, saturated


def _rounded(values: Floats) -> Floats:
    """Return values in the precision of everything that is kept, so that all ways in agree."""
    return values.astype(np.float32).astype(np.float64)
