"""Refused VRAM allocations, as a log of events: rare, and each one counts."""

from __future__ import annotations

import numpy as np

from recommender.observation import Floats, Ints

KEPT_S = 7 * 86400
EXACT_S = 3600
"""Older events are folded into one per workload and hour."""


class Denials:
    """Events (workload row, time, count)."""

    def __init__(self) -> None:
        self.row: Ints = np.empty(0, np.int64)
        self.ts: Ints = np.empty(0, np.int64)
        self.count: Floats = np.empty(0)
        self.arrived_s: Ints = np.empty(0, np.int64)
        """When the event was first known, which is later than when it happened."""

    def add(self, row: Ints, ts: Ints, count: Floats, *, now_s: int) -> None:
        """Record events; a count that is no positive number is none.

        An event that is delivered again under the same row and time counts once, with the larger
        count and its first arrival, so that overlapping reads are harmless.
        """
        real = (count > 0) & np.isfinite(count)
        rows = np.append(self.row, row[real])
        stamps = np.append(self.ts, ts[real])
        counts = np.append(self.count, count[real])
        arrivals = np.append(self.arrived_s, np.full(int(real.sum()), now_s, np.int64))
        order = np.lexsort((arrivals, stamps, rows))
        new = np.append([True], (np.diff(rows[order]) != 0) | (np.diff(stamps[order]) != 0))
        first = np.flatnonzero(new[: len(order)])
        if len(first) == 0:
            return
        self.row, self.ts = rows[order][first], stamps[order][first]
        self.arrived_s = arrivals[order][first]
        self.count = np.maximum.reduceat(counts[order], first)

    def since(self, since_s: Ints, workloads: int) -> Floats:
        """Return the sum of counts at or after ``since_s`` ([workloads]) per workload."""
        late = self.ts >= since_s[self.row]
        total = np.zeros(workloads)
        np.add.at(total, self.row[late], self.count[late])
        return total

    def new(self, tick_s: Ints, oldest_s: Ints, workloads: int) -> Floats:
        """Return the sum of counts first known after ``tick_s`` ([workloads]) per workload.

        Events before ``oldest_s`` ([workloads]) are history, whenever they were read.
        """
        new = (self.arrived_s > tick_s[self.row]) & (self.ts >= oldest_s[self.row])
        total = np.zeros(workloads)
        np.add.at(total, self.row[new], self.count[new])
        return total

    def clear(self, rows: Ints) -> None:
        """Forget some workloads."""
        keep = ~np.isin(self.row, rows)
        self.row, self.ts = self.row[keep], self.ts[keep]
        self.count, self.arrived_s = self.count[keep], self.arrived_s[keep]

    def fold(self, now_s: int) -> None:
        """Drop what is older than a week, sum what is older than an hour."""
        if len(self.row) == 0:
            return
        keep = self.ts >= now_s - KEPT_S
        row, ts, count = self.row[keep], self.ts[keep], self.count[keep]
        arrived_s = self.arrived_s[keep]
        old = ts < now_s - EXACT_S
        ts = np.where(old, ts // EXACT_S * EXACT_S, ts)
        pairs, index = np.unique(np.stack([row, ts]), axis=1, return_inverse=True)
        self.row, self.ts = pairs[0], pairs[1]
        self.count = np.zeros(len(self.row))
        np.add.at(self.count, index.ravel(), count)
        self.arrived_s = np.zeros(len(self.row), np.int64)
        np.maximum.at(self.arrived_s, index.ravel(), arrived_s)
