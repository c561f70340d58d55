"""VRAM plateaus: an allocator that takes a constant fraction of its limit whatever the load.

Such use is opaque: it says nothing about need, and following it up is self-fulfilling.  A worker
is on a plateau while its 1-minute maxima stay within 1 % of its limit; a plateau above 85 % of the
limit for ten minutes marks the worker.  Use that moves by more than 5 % of the limit from where
the mark was set, at once or little by little, clears it: that worker takes what it needs.
"""

from __future__ import annotations

import numpy as np

from recommender.observation import Bools, Floats, Ints
from recommender.usage.minutes import Minutes

FLAT_SHARE = 0.01
MOVED_SHARE = 0.05
OPAQUE_SHARE = 0.85
LEAST_MINUTES = 10
MINUTES_FOLLOWED = 64


class Plateaus:
    """The running plateau of every worker."""

    def __init__(self) -> None:
        self.limit: Floats = np.full(0, np.nan)
        """Limit in force with the newest sample; NaN: unknown, never opaque."""
        self.low: Floats = np.full(0, np.nan)
        self.high: Floats = np.full(0, np.nan)
        self.minutes: Ints = np.zeros(0, np.int64)
        """How long the plateau has lasted."""
        self.level: Floats = np.full(0, np.nan)
        """Use where the mark was set."""
        self.is_opaque: Bools = np.zeros(0, np.bool_)

    def grow(self, workers: int) -> None:
        """Append workers until there are so many."""
        more = workers - len(self.low)
        if more > 0:
            self.limit = np.append(self.limit, np.full(more, np.nan))
            self.low = np.append(self.low, np.full(more, np.nan))
            self.high = np.append(self.high, np.full(more, np.nan))
            self.level = np.append(self.level, np.full(more, np.nan))
            self.minutes = np.append(self.minutes, np.zeros(more, np.int64))
            self.is_opaque = np.append(self.is_opaque, np.zeros(more, np.bool_))

    def clear(self, workers: Ints) -> None:
        """Empty some workers for reuse."""
        self.limit[workers] = self.low[workers] = self.high[workers] = np.nan
        self.level[workers] = np.nan
        self.minutes[workers] = 0
        self.is_opaque[workers] = False

    def update(self, minutes: Minutes) -> None:
        """Follow closed minutes, at most the last hour of a long history."""
        newest = int(minutes.minute.max())
        recent = minutes.minute > newest - MINUTES_FOLLOWED
        minute = minutes.minute[recent]
        worker, top = minutes.worker[recent], minutes.top[recent]
        for each in np.unique(minute):
            now = minute == each
            self._follow(worker[now], top[now])

    def _follow(self, worker: Ints, top: Floats) -> None:
        limit = self.limit[worker]
        low, high = np.fmin(self.low[worker], top), np.fmax(self.high[worker], top)
        with np.errstate(invalid="ignore"):
            flat = high - low <= FLAT_SHARE * limit
            moved = np.abs(top - self.level[worker]) > MOVED_SHARE * limit
        self.low[worker] = np.where(flat, low, top)
        self.high[worker] = np.where(flat, high, top)
        self.minutes[worker] = np.where(flat, self.minutes[worker] + 1, 1)
        lasting = (self.minutes[worker] >= LEAST_MINUTES) & ~moved
        with np.errstate(invalid="ignore"):
            opaque = lasting & (top >= OPAQUE_SHARE * limit)
        marked = self.is_opaque[worker]
        self.is_opaque[worker] = (marked & ~moved) | opaque
        level = np.where(opaque & ~marked, top, self.level[worker])
        self.level[worker] = np.where(moved, np.nan, level)
        # a use that has just moved starts its plateau anew
        self.minutes[worker[moved]] = 1
