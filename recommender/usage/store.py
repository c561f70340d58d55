"""Everything that is kept of one resource, for all workers and workloads.

Per worker: recent samples, 1-minute maxima and means of the last hour, the open VRAM peak window.
Per workload: 5-minute blocks of 7 days, the requests and limits histograms.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from recommender.observation import Bools, Floats, Ints
from recommender.resources import Resource
from recommender.usage.backlog import Backlog
from recommender.usage.blocks import BLOCK_S, Blocks
from recommender.usage.day import DayCache
from recommender.usage.histograms import HistogramBank
from recommender.usage.layout import LEARNED_SPAN, Layout
from recommender.usage.minutes import MINUTE_S, Minutes, grouped, minutes_of, minutes_until
from recommender.usage.peaks import HOUR_S, PeakWindows
from recommender.usage.plateau import Plateaus
from recommender.usage.recent import GRID_S, KEPT_S, RecentSamples
from recommender.usage.rings import TimeRing

DAY_S = 86400
MINUTES_KEPT = 64
LIMITS_HALF_LIFE_S = HOUR_S
REQUESTS_HALF_LIFE_S = DAY_S
CLOSE_AFTER_S = 120
"""A block takes late samples for so long after its end."""
NEVER_SEEN = np.iinfo(np.int64).max


def closable_until_s(now_s: int) -> int:
    """Return the time up to which minutes are complete at ``now_s``."""
    return (now_s - CLOSE_AFTER_S) // MINUTE_S * MINUTE_S


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """How many of the samples that were taken are no new ones."""

    duplicate: int = 0
    """Under a stamp of their worker that was there already, and read for the first time."""
    again: int = 0
    """Read before, and held already."""


class ResourceUsage:
    """Usage of one resource."""

    def __init__(self, resource: Resource) -> None:
        self.resource = resource
        self.recent = RecentSamples()
        self.backlog = Backlog()
        self.minute_top = TimeRing(MINUTE_S, MINUTES_KEPT, np.float32, np.nan)
        self.minute_mean = TimeRing(MINUTE_S, MINUTES_KEPT, np.float32, np.nan)
        self.minute_saturated = TimeRing(MINUTE_S, MINUTES_KEPT, np.bool_, 0)
        self.blocks = Blocks(is_compressible=resource.is_compressible)
        self.requests = _bank(resource)
        self.limits = _bank(resource)
        self.peaks = PeakWindows()
        self.plateaus = Plateaus()
        self.day = DayCache()
        self._waiting_again = 0
        """Samples of the backlog that were read before: no duplicates of the source's."""
        self.closed_until_s = 0
        """Minutes before this time are closed; samples of them are late."""
        self.closed_block = 0
        """Blocks before this one are closed."""
        # per workload
        self.first_sample_s: Ints = np.full(0, -1, np.int64)
        self.last_sample_s: Ints = np.full(0, -1, np.int64)
        self.points: Ints = np.zeros(0, np.int64)
        self.step_s: Ints = np.zeros(0, np.int64)
        self.loaded_since_s: Ints = np.full(0, -1, np.int64)
        """Latest start of a worker; its peak while starting is what the loaded model needs."""
        self.loaded_peak: Floats = np.full(0, np.nan)

    def grow_workers(self, workers: int) -> None:
        """Append workers until there are so many."""
        self.recent.grow(workers)
        self.peaks.grow(workers)
        self.plateaus.grow(workers)
        self.minute_top.grow(workers)
        self.minute_mean.grow(workers)

    def grow_workloads(self, workloads: int) -> None:
        """Append workloads until there are so many."""
        self.minute_saturated.grow(workloads)
        self.blocks.grow(workloads)
        self.requests.grow(workloads, REQUESTS_HALF_LIFE_S)
        self.limits.grow(workloads, LIMITS_HALF_LIFE_S)
        more = workloads - len(self.points)
        if more > 0:
            self.first_sample_s = np.append(self.first_sample_s, np.full(more, -1, np.int64))
            self.last_sample_s = np.append(self.last_sample_s, np.full(more, -1, np.int64))
            self.points = np.append(self.points, np.zeros(more, np.int64))
            self.step_s = np.append(self.step_s, np.zeros(more, np.int64))
            self.loaded_since_s = np.append(self.loaded_since_s, np.full(more, -1, np.int64))
            self.loaded_peak = np.append(self.loaded_peak, np.full(more, np.nan))

    def clear_workers(self, workers: Ints) -> None:
        """Empty some workers for reuse; what they added to histograms stays."""
        self.recent.clear(workers)
        self.backlog.clear(workers)
        self.peaks.clear(workers)
        self.plateaus.clear(workers)
        self.minute_top.clear(workers)
        self.minute_mean.clear(workers)

    def clear_workloads(self, rows: Ints) -> None:
        """Empty some workloads for reuse."""
        self.minute_saturated.clear(rows)
        self.blocks.clear(rows)
        self.requests.clear(rows, REQUESTS_HALF_LIFE_S)
        self.limits.clear(rows, LIMITS_HALF_LIFE_S)
        self.first_sample_s[rows] = self.last_sample_s[rows] = -1
        self.points[rows] = self.step_s[rows] = 0
        self.loaded_since_s[rows] = -1
        self.loaded_peak[rows] = np.nan
        self.day = DayCache()

    def set_half_life(self, rows: Ints, half_life_s: Ints, now_s: int, row_of_worker: Ints) -> None:
        """Change half-lives of the requests histograms from ``now_s`` on."""
        self.peaks.set_half_life(rows, half_life_s, now_s, row_of_worker, self.requests)

    def seen(self, row: Ints, ts: Ints, step_s: int) -> None:
        """Note that workloads have samples at these times."""
        first = np.where(self.first_sample_s >= 0, self.first_sample_s, NEVER_SEEN)
        np.minimum.at(first, row, ts)
        self.first_sample_s = np.where(first < NEVER_SEEN, first, -1)
        np.maximum.at(self.last_sample_s, row, ts)
        self.step_s[row] = step_s

    def load(self, row: Ints, start_s: Ints, value: Floats) -> None:
        """Note use during start-up; only the latest start of a workload counts."""
        newest = self.loaded_since_s.copy()
        np.maximum.at(newest, row, start_s)
        self.loaded_peak[newest > self.loaded_since_s] = np.nan
        self.loaded_since_s = newest
        latest = start_s == newest[row]
        np.fmax.at(self.loaded_peak, row[latest], value[latest])

    def take(
        self,
        worker: Ints,
        ts: Ints,
        demand: Floats,
        saturated: Bools,
        *,
        share: Floats,
        now_s: int,
        known_before_s: int = 0,
        top: Floats | None = None,
    ) -> Taken:
        """Take usable samples.

        What is older than the ring of recent samples waits in the backlog; so does what the ring
        would overwrite before its minute closes, after a loop that stood still, and what the source
        aggregated to minutes (``top`` is the largest demand of each).  Samples before
        ``known_before_s`` were read before.
        """
        if top is not None:
            # stamped by its start, a minute gives way to the single samples that follow
            self.recent.remember(worker, ts, top, saturated, share)
            self.backlog.add(worker, ts // MINUTE_S * MINUTE_S, demand, saturated, top)
            known = int((ts < known_before_s).sum())
            self._waiting_again += known
            return Taken(again=known)
        self.recent.remember(worker, ts, demand, saturated, share)
        # the ring may be ahead: a time that could not be read whole is read again from earlier on
        newest_s = max(now_s, (self.recent.demand.newest + 1) * GRID_S)
        reach_s = (newest_s - KEPT_S) // GRID_S * GRID_S
        if self.closed_until_s < reach_s:
            self.backlog.add(*self.recent.take_out(self.closed_until_s, reach_s))
        slot_s = ts // GRID_S * GRID_S
        old, again = slot_s < reach_s, ts < known_before_s
        self.backlog.add(worker[old], slot_s[old], demand[old], saturated[old])
        held = self._put(~old & again, worker, slot_s, demand, saturated)
        duplicate = self._put(~old & ~again, worker, slot_s, demand, saturated)
        waiting = int((old & again).sum())
        self._waiting_again += waiting
        return Taken(duplicate=duplicate, again=held + waiting)

    def _put(
        self, rows: Bools, worker: Ints, slot_s: Ints, demand: Floats, saturated: Bools
    ) -> int:
        if not rows.any():
            return 0
        return self.recent.put(worker[rows], slot_s[rows], demand[rows], saturated[rows])

    def closing(self, row_of_worker: Ints, stops_s: Sequence[int]) -> Iterator[int]:
        """Close the minutes before each stop (ascending, at least one), one stop after the other.

        Yields the duplicates that were found by it, at the first stop those of all of them.
        """
        closed_until_s, limit_s = self.closed_until_s, stops_s[-1]
        if len(self.backlog):
            minutes = self._minutes_with_backlog(closed_until_s, limit_s)
        else:
            minutes = self.recent.closed_minutes(closed_until_s // MINUTE_S, limit_s // MINUTE_S)
        new = 0
        if minutes is not None:
            again = min(self._waiting_again, minutes.duplicates)
            self._waiting_again -= again
            new = minutes.duplicates - again
        parts = minutes_until(minutes, stops_s)
        for stop_s, part in zip(stops_s, parts, strict=True):
            self.closed_until_s = stop_s
            self.closed_block = stop_s // BLOCK_S
            if part is not None:
                self.absorb(part, row_of_worker)
            yield new
            new = 0

    def absorb(self, minutes: Minutes, row_of_worker: Ints) -> None:
        """Take closed minutes (at least one) into rings, histograms and blocks, each once."""
        row = row_of_worker[minutes.worker]
        stamp = minutes.minute * MINUTE_S
        self.limits.add(row, minutes.top, stamp)
        if self.resource.is_compressible:
            self.requests.add(row, minutes.mean, stamp)
        else:
            self.peaks.add(minutes, row_of_worker, self.requests)
            self.plateaus.update(minutes)
        self.minute_top.put(minutes.minute, minutes.worker, minutes.top)
        self.minute_mean.put(minutes.minute, minutes.worker, minutes.mean)
        self._absorb_workload_minutes(minutes, row)

    def _absorb_workload_minutes(self, minutes: Minutes, row: Ints) -> None:
        by_minute = grouped(row, minutes.minute)
        row_m, minute_m = row[by_minute.first], minutes.minute[by_minute.first]
        saturated = by_minute.largest(minutes.is_saturated.astype(np.float64))
        np.add.at(self.points, row_m, 1)
        self.minute_saturated.put(minute_m, row_m, saturated > 0)

        block_m = minute_m * MINUTE_S // BLOCK_S
        by_block = grouped(row_m, block_m)
        self.blocks.add(
            row_m[by_block.first],
            block_m[by_block.first],
            top=by_block.largest(by_minute.largest(minutes.top)),
            total=by_block.total(by_minute.total(minutes.mean)),
            count=by_block.total(by_minute.size().astype(np.float64)),
            saturated=by_block.total(saturated).astype(np.int64),
        )

    def _minutes_with_backlog(self, closed_until_s: int, limit_s: int) -> Minutes | None:
        old = self.backlog.take_before(limit_s)
        new = self.recent.samples_between(closed_until_s, limit_s)
        if len(old[0]) + len(new[0]) == 0:
            return None
        return minutes_of(
            np.append(old[0], new[0]),
            np.append(old[1], new[1]),
            np.append(old[2], new[2]),
            np.append(old[3], new[3]),
            np.append(old[4], np.full(len(new[0]), np.nan)),
        )


def _bank(resource: Resource) -> HistogramBank:
    if resource.first_bucket is None or resource.largest_value is None:
        return HistogramBank(Layout(LEARNED_SPAN))
    layout = Layout(resource.largest_value / resource.first_bucket)
    return HistogramBank(layout, first_bucket=resource.first_bucket)
