"""VRAM in the requests histogram: one sample per worker and hour, the hour's peak.

A higher peak replaces the earlier one of its hour.  Both carry the start of the hour, so that
exactly what was added is taken back; a peak that is added at one time and taken back at another
would leave or destroy weight that belongs to other workers.
"""

from __future__ import annotations

import numpy as np

from recommender.observation import Floats, Ints
from recommender.usage.histograms import HistogramBank
from recommender.usage.minutes import MINUTE_S, Minutes, grouped

HOUR_S = 3600


class PeakWindows:
    """The open hour of every worker."""

    def __init__(self) -> None:
        self.hour: Ints = np.full(0, -1, np.int64)
        """Number of the hour since the epoch; -1: none."""
        self.peak: Floats = np.zeros(0)

    def grow(self, workers: int) -> None:
        """Append workers until there are so many."""
        more = workers - len(self.peak)
        if more > 0:
            self.hour = np.append(self.hour, np.full(more, -1, np.int64))
            self.peak = np.append(self.peak, np.zeros(more))

    def clear(self, workers: Ints) -> None:
        """Empty some workers for reuse; what they added stays."""
        self.hour[workers] = -1
        self.peak[workers] = 0.0

    def add(self, minutes: Minutes, row_of_worker: Ints, bank: HistogramBank) -> None:
        """Take closed minutes, in the order of time from call to call."""
        hour = minutes.minute * MINUTE_S // HOUR_S
        groups = grouped(minutes.worker, hour)
        worker, hour = minutes.worker[groups.first], hour[groups.first]
        peak = groups.largest(minutes.top)
        row = row_of_worker[worker]
        higher = (hour == self.hour[worker]) & (peak > self.peak[worker])
        bank.subtract(row[higher], self.peak[worker[higher]], hour[higher] * HOUR_S)
        added = higher | (hour > self.hour[worker])
        bank.add(row[added], peak[added], hour[added] * HOUR_S)
        # groups are sorted by worker, then hour: the last write of a worker is its newest hour
        self.hour[worker[added]] = hour[added]
        self.peak[worker[added]] = peak[added]

    def set_half_life(
        self, rows: Ints, half_life_s: Ints, now_s: int, row_of_worker: Ints, bank: HistogramBank
    ) -> None:
        """Change the half-lives of ``bank``; open peaks are weighed anew, to be taken back so."""
        if np.array_equal(bank.half_life_s[rows], half_life_s):
            return
        changed = rows[bank.half_life_s[rows] != half_life_s]
        open_peak = np.flatnonzero((self.hour >= 0) & np.isin(row_of_worker, changed))
        row, peak = row_of_worker[open_peak], self.peak[open_peak]
        start_s = self.hour[open_peak] * HOUR_S
        bank.subtract(row, peak, start_s)
        bank.set_half_life(rows, half_life_s, now_s)
        bank.add(row, peak, start_s)
