"""The newest samples of every worker in one resource: the last five minutes and the last three.

Samples lie on a grid of 5 s, the agent's own interval; of two in one slot the larger counts.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from recommender.observation import Bools, Floats, Ints
from recommender.usage.minutes import MINUTE_S, Minutes, grouped
from recommender.usage.rings import TimeRing

GRID_S = 5
SLOTS = 64
KEPT_S = 300
"""Older samples go to the backlog; the ring is longer than this by a few slots."""
EWMA_S = 30.0
PEAK_WINDOW_S = 60
BURST_WINDOW_S = 120
FEWEST_SAMPLES = 3


class RecentSamples:
    """Demand per worker on a 5-s grid, with what the newest sample said."""

    def __init__(self) -> None:
        self.demand = TimeRing(GRID_S, SLOTS, np.float32, np.nan)
        self.saturated = TimeRing(GRID_S, SLOTS, np.bool_, 0)
        self.last_three: Floats = np.full((3, 0), np.nan)
        """Oldest first, whatever the step."""
        self.last_sample_s: Ints = np.full(0, -1, np.int64)
        self.last_is_saturated: Bools = np.zeros(0, np.bool_)
        self.last_share: Floats = np.empty(0)
        """What held the newest sample down at most; NaN: not known."""

    def grow(self, workers: int) -> None:
        """Append workers until there are so many."""
        more = workers - len(self.last_sample_s)
        if more <= 0:
            return
        self.demand.grow(workers)
        self.saturated.grow(workers)
        self.last_three = np.concatenate([self.last_three, np.full((3, more), np.nan)], axis=1)
        self.last_sample_s = np.append(self.last_sample_s, np.full(more, -1, np.int64))
        self.last_is_saturated = np.append(self.last_is_saturated, np.zeros(more, np.bool_))
        self.last_share = np.append(self.last_share, np.full(more, np.nan))

    def clear(self, workers: Ints) -> None:
        """Empty some workers for reuse."""
        self.demand.clear(workers)
        self.saturated.clear(workers)
        self.last_three[:, workers] = np.nan
        self.last_sample_s[workers] = -1
        self.last_is_saturated[workers] = False
        self.last_share[workers] = np.nan

    def put(self, worker: Ints, ts: Ints, demand: Floats, saturated: Bools) -> int:
        """Lay samples on the grid; return how many fell on one that was there already."""
        if len(worker) == 0:
            return 0
        slot = self.demand.slots(ts // GRID_S)
        self.saturated.slots(ts // GRID_S)
        assert (slot >= 0).all(), "older samples belong into the backlog"
        values, flags = self.demand.values, self.saturated.values
        empty_before = np.count_nonzero(np.isnan(values))
        np.fmax.at(values, (slot, worker), demand.astype(np.float32))
        np.logical_or.at(flags, (slot, worker), saturated)
        filled = empty_before - np.count_nonzero(np.isnan(values))
        return int(len(worker) - filled)

    def remember(
        self, worker: Ints, ts: Ints, demand: Floats, saturated: Bools, share: Floats
    ) -> None:
        """Update what the newest samples said; older samples change nothing.

        A sample that comes again under the newest stamp counts where it is larger: it may have been
        incomplete when it was first read.
        """
        again = ts == self.last_sample_s[worker]
        np.fmax.at(self.last_three[-1], worker[again], demand[again])
        np.logical_or.at(self.last_is_saturated, worker[again], saturated[again])
        np.fmax.at(self.last_share, worker[again], share[again])
        newer = np.flatnonzero(ts > self.last_sample_s[worker])
        if len(newer) == 0:
            return
        stamps = grouped(worker[newer], ts[newer])
        order = newer[stamps.order]
        if len(stamps.start) < len(order):
            # of two under one stamp the larger, which sorts last
            order = newer[np.lexsort((demand[newer], ts[newer], worker[newer]))]
            changes = (np.diff(worker[order]) != 0) | (np.diff(ts[order]) != 0)
            order = order[np.append(changes, [True])]
        worker, ts, demand = worker[order], ts[order], demand[order]
        saturated, share = saturated[order], share[order]
        from_end = _rank_from_end(worker)
        for rank in (2, 1, 0):
            pick = from_end == rank
            who = worker[pick]
            self.last_three[:-1, who] = self.last_three[1:, who]
            self.last_three[-1, who] = demand[pick]
        newest = from_end == 0
        self.last_sample_s[worker[newest]] = ts[newest]
        self.last_is_saturated[worker[newest]] = saturated[newest]
        self.last_share[worker[newest]] = share[newest]

    def closed_minutes(self, first_minute: int, limit_minute: int) -> Minutes | None:
        """Return the minutes ``first <= minute < limit`` that hold samples."""
        per_minute = MINUTE_S // GRID_S
        held = self.demand.block
        found = np.unique(held[held >= 0] // per_minute)
        found = found[(found >= first_minute) & (found < limit_minute)]
        parts = [self._minute(int(minute)) for minute in found]
        parts = [part for part in parts if len(part)]
        if not parts:
            return None
        return Minutes(
            worker=np.concatenate([part.worker for part in parts]),
            minute=np.concatenate([part.minute for part in parts]),
            top=np.concatenate([part.top for part in parts]),
            mean=np.concatenate([part.mean for part in parts]),
            is_saturated=np.concatenate([part.is_saturated for part in parts]),
        )

    def samples_between(self, first_s: int, limit_s: int) -> tuple[Ints, Ints, Floats, Bools]:
        """Return worker, ts, demand, saturated of the samples of ``[first_s, limit_s)``."""
        slot = self.demand.held(first_s // GRID_S, limit_s // GRID_S)
        part = self.demand.values[slot]
        where = np.nonzero(~np.isnan(part))
        ts = self.demand.block[slot][where[0]] * GRID_S
        flags = self.saturated.values[slot][where].astype(np.bool_)
        return where[1], ts, part[where].astype(np.float64), flags

    def take_out(self, first_s: int, limit_s: int) -> tuple[Ints, Ints, Floats, Bools]:
        """Remove and return the samples of ``[first_s, limit_s)``."""
        samples = self.samples_between(first_s, limit_s)
        slot = self.demand.held(first_s // GRID_S, limit_s // GRID_S)
        self.demand.values[slot] = np.nan
        self.saturated.values[slot] = False
        return samples

    def burst(self, now_s: int) -> Floats:
        """Return max(EWMA of 30 s + 3 sigma, p99 of 60 s) per worker, ``[workers]``.

        NaN for less than three samples in the last 120 s.  With at most 12 samples in 60 s their
        p99 is their maximum.
        """
        last = -(-now_s // GRID_S)
        slot = self.demand.held(last - BURST_WINDOW_S // GRID_S, last)
        window = self.demand.values[slot]
        present = ~np.isnan(window)
        age_s = now_s - self.demand.block[slot] * GRID_S
        weight = np.exp(-age_s / EWMA_S).astype(np.float32)
        values = np.where(present, window, np.float32(0))
        total = weight @ present
        with np.errstate(invalid="ignore", divide="ignore"):
            mean = (weight @ values) / total
            spread = np.where(present, values - mean, np.float32(0))
            sigma = np.sqrt((weight @ spread**2) / total)
        recent = self.demand.held(last - PEAK_WINDOW_S // GRID_S, last)
        peak = _highest(self.demand.values[recent])
        burst: Floats = np.fmax(mean + 3 * sigma, peak).astype(np.float64)
        burst[present.sum(axis=0) < FEWEST_SAMPLES] = np.nan
        return burst

    def highest_since(self, since_s: int) -> Floats:
        """Return the highest sample at or after ``since_s`` per worker; NaN: none."""
        slot = self.demand.held(since_s // GRID_S, self.demand.newest + 1)
        highest: Floats = _highest(self.demand.values[slot]).astype(np.float64)
        return highest

    def oldest_since(self, since_s: int) -> Floats:
        """Return the stamp of the oldest sample at or after ``since_s`` per worker; NaN: none."""
        slot = self.demand.held(since_s // GRID_S, self.demand.newest + 1)
        present = ~np.isnan(self.demand.values[slot])
        stamp = np.append(self.demand.block[slot] * GRID_S, 0)
        oldest = stamp[present.argmax(axis=0) if len(slot) else np.full(present.shape[1], 0)]
        return np.where(present.any(axis=0), oldest, np.nan)

    def sum_between(self, since_s: int, until_s: int) -> tuple[Floats, Ints]:
        """Return sum and count of the samples of ``[since_s, until_s)`` per worker."""
        slot = self.demand.held(since_s // GRID_S, -(-until_s // GRID_S))
        window = self.demand.values[slot].astype(np.float64)
        return np.nansum(window, axis=0), (~np.isnan(window)).sum(axis=0)

    def _minute(self, minute: int) -> Minutes:
        per_minute = MINUTE_S // GRID_S
        slot = self.demand.held(minute * per_minute, (minute + 1) * per_minute)
        window = self.demand.values[slot]
        present = ~np.isnan(window)
        count = present.sum(axis=0)
        worker = np.flatnonzero(count)
        total = np.where(present, window, np.float32(0)).sum(axis=0, dtype=np.float64)
        saturated = self.saturated.values[slot].any(axis=0)
        return Minutes(
            worker=worker,
            minute=np.full(len(worker), minute, np.int64),
            top=_highest(window)[worker].astype(np.float64),
            mean=total[worker] / count[worker],
            is_saturated=np.asarray(saturated, np.bool_)[worker],
        )


def _highest(window: NDArray[Any]) -> NDArray[Any]:
    """Return the column maxima without NaN; NaN where a column has nothing."""
    highest: NDArray[Any] = np.fmax.reduce(window, axis=0, initial=-np.inf)
    highest[highest == -np.inf] = np.nan
    return highest


def _rank_from_end(sorted_key: Ints) -> Ints:
    """Return how many rows of the same key follow each row of a sorted column."""
    n = len(sorted_key)
    ends = np.flatnonzero(np.append(sorted_key[1:] != sorted_key[:-1], [True]))
    end_of_row = ends[np.searchsorted(ends, np.arange(n))]
    return end_of_row - np.arange(n)
