"""Everything that is kept of one resource, for all workers and workloads.

Per worker: recent samples, 1-minute maxima and means of the last hour, the open VRAM peak window.
Per workload: 5-minute maxima and means of 7 days, the requests and limits histograms.
"""

from __future__ import annotations

import numpy as np

from recommender.observation import Bools, Floats, Ints
from recommender.resources import Resource
from recommender.usage.day import DayCache
from recommender.usage.histograms import HistogramBank
from recommender.usage.layout import LEARNED_SPAN, Layout
from recommender.usage.minutes import MINUTE_S, Minutes, grouped, minutes_of
from recommender.usage.plateau import Plateaus
from recommender.usage.recent import KEPT_S, RecentSamples
from recommender.usage.rings import TimeRing

HOUR_S = 3600
DAY_S = 86400
BLOCK_S = 300
BLOCKS_KEPT = 7 * DAY_S // BLOCK_S
MINUTES_KEPT = 64
LIMITS_HALF_LIFE_S = HOUR_S
REQUESTS_HALF_LIFE_S = DAY_S
CLOSE_AFTER_S = 120
"""A block takes late samples for so long after its end."""


def closable_until_s(now_s: int) -> int:
    """Return the time up to which minutes are complete at ``now_s``."""
    return (now_s - CLOSE_AFTER_S) // MINUTE_S * MINUTE_S


class ResourceUsage:
    """Usage of one resource."""

    def __init__(self, resource: Resource) -> None:
        self.resource = resource
        self.recent = RecentSamples()
        self.minute_top = TimeRing(MINUTE_S, MINUTES_KEPT, np.float32, np.nan)
        self.minute_mean = TimeRing(MINUTE_S, MINUTES_KEPT, np.float32, np.nan)
        self.minute_saturated = TimeRing(MINUTE_S, MINUTES_KEPT, np.bool_, 0)
        self.block_top = TimeRing(BLOCK_S, BLOCKS_KEPT, np.float32, np.nan)
        self.block_mean = TimeRing(BLOCK_S, BLOCKS_KEPT, np.float32, np.nan)
        self.block_count = TimeRing(BLOCK_S, 4, np.float32, 0)
        self.block_saturated = TimeRing(BLOCK_S, BLOCKS_KEPT, np.uint8, 0)
        self.requests = _bank(resource)
        self.limits = _bank(resource)
        self.plateaus = Plateaus()
        self.day = DayCache()
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
        # per worker: the open VRAM peak window
        self.peak_hour: Ints = np.full(0, -1, np.int64)
        self.peak: Floats = np.zeros(0)

    def grow_workers(self, workers: int) -> None:
        """Append workers until there are so many."""
        self.recent.grow(workers)
        self.plateaus.grow(workers)
        self.minute_top.grow(workers)
        self.minute_mean.grow(workers)
        more = workers - len(self.peak)
        if more > 0:
            self.peak_hour = np.append(self.peak_hour, np.full(more, -1, np.int64))
            self.peak = np.append(self.peak, np.zeros(more))

    def grow_workloads(self, workloads: int) -> None:
        """Append workloads until there are so many."""
        for ring in self._workload_rings():
            ring.grow(workloads)
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
        self.plateaus.clear(workers)
        self.minute_top.clear(workers)
        self.minute_mean.clear(workers)
        self.peak_hour[workers] = -1
        self.peak[workers] = 0.0

    def clear_workloads(self, rows: Ints) -> None:
        """Empty some workloads for reuse."""
        for ring in self._workload_rings():
            ring.clear(rows)
        self.requests.clear(rows)
        self.limits.clear(rows)
        self.first_sample_s[rows] = self.last_sample_s[rows] = -1
        self.points[rows] = self.step_s[rows] = 0
        self.loaded_since_s[rows] = -1
        self.loaded_peak[rows] = np.nan
        self.day = DayCache()

    def seen(self, row: Ints, ts: Ints, step_s: int) -> None:
        """Note that workloads have samples at these times."""
        first = np.full(len(self.points), np.iinfo(np.int64).max)
        np.minimum.at(first, row, ts)
        known = self.first_sample_s >= 0
        self.first_sample_s = np.where(known, np.minimum(self.first_sample_s, first), first)
        self.first_sample_s[self.first_sample_s == np.iinfo(np.int64).max] = -1
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
        row_of_worker: Ints,
        *,
        closed_until_s: int,
        now_s: int,
    ) -> int:
        """Take usable samples; return how many of the recent ones were duplicates.

        A batch that reaches further back than the ring of recent samples is history: whatever can
        be closed of it goes into minutes at once, together with what the ring held of them.
        """
        self.recent.remember(worker, ts, demand, saturated)
        limit_s = closable_until_s(now_s)
        if int(ts.min()) < now_s - KEPT_S and limit_s > closed_until_s:
            held = self.recent.take_out(max(closed_until_s, 0), limit_s)
            old = ts < limit_s
            minutes = minutes_of(
                np.append(held[0], worker[old]),
                np.append(held[1], ts[old]),
                np.append(held[2], demand[old]),
                np.append(held[3], saturated[old]),
            )
            self.absorb(minutes, row_of_worker)
            worker, ts, demand, saturated = (
                worker[~old],
                ts[~old],
                demand[~old],
                saturated[~old],
            )
        return self.recent.put(worker, ts, demand, saturated) if len(worker) else 0

    def close(self, row_of_worker: Ints, *, closed_until_s: int, limit_s: int) -> None:
        """Close the minutes of ``[closed_until_s, limit_s)``."""
        minutes = self.recent.closed_minutes(closed_until_s // MINUTE_S, limit_s // MINUTE_S)
        if minutes is not None:
            self.absorb(minutes, row_of_worker)
        self.closed_block = limit_s // BLOCK_S

    def absorb(self, minutes: Minutes, row_of_worker: Ints) -> None:
        """Take closed minutes into rings, histograms and blocks; each minute comes once."""
        row = row_of_worker[minutes.worker]
        stamp = minutes.minute * MINUTE_S
        self.limits.add(row, minutes.top, stamp)
        if self.resource.is_compressible:
            self.requests.add(row, minutes.mean, stamp)
        else:
            self._add_peaks(minutes, row_of_worker)
            self.plateaus.update(minutes)
        _set(self.minute_top, minutes.minute, minutes.worker, minutes.top)
        _set(self.minute_mean, minutes.minute, minutes.worker, minutes.mean)
        self._absorb_workload_minutes(minutes, row)

    def _absorb_workload_minutes(self, minutes: Minutes, row: Ints) -> None:
        by_minute = grouped(row, minutes.minute)
        row_m, minute_m = row[by_minute.first], minutes.minute[by_minute.first]
        saturated = by_minute.largest(minutes.is_saturated.astype(np.float64)) > 0
        np.add.at(self.points, row_m, 1)
        _set(self.minute_saturated, minute_m, row_m, saturated)

        block_m = minute_m * MINUTE_S // BLOCK_S
        by_block = grouped(row_m, block_m)
        row_b, block_b = row_m[by_block.first], block_m[by_block.first]
        top = by_block.largest(by_minute.largest(minutes.top))
        total = by_block.total(by_minute.total(minutes.mean))
        count = by_block.total(by_minute.size().astype(np.float64))
        self._merge_blocks(row_b, block_b, top, total, count)
        slot = self.block_saturated.slots(block_b)
        kept = slot >= 0
        np.add.at(
            self.block_saturated.values,
            (slot[kept], row_b[kept]),
            by_block.total(saturated.astype(np.float64))[kept].astype(np.uint8),
        )

    def _merge_blocks(
        self, row: Ints, block: Ints, top: Floats, total: Floats, count: Floats
    ) -> None:
        """Fold minutes into 5-minute blocks that may hold earlier minutes already."""
        slot = self.block_top.slots(block)
        self.block_mean.slots(block)
        kept = slot >= 0
        at = (slot[kept], row[kept])
        np.fmax.at(self.block_top.values, at, top[kept].astype(np.float32))
        count_slot = self.block_count.slots(block)[kept]
        open_block = count_slot >= 0
        before = np.zeros(int(kept.sum()))
        counts = self.block_count.values
        before[open_block] = counts[count_slot[open_block], row[kept][open_block]]
        mean = np.nan_to_num(self.block_mean.values[at].astype(np.float64))
        after = before + count[kept]
        self.block_mean.values[at] = (mean * before + total[kept]) / after
        counts[count_slot[open_block], row[kept][open_block]] = after[open_block]

    def _add_peaks(self, minutes: Minutes, row_of_worker: Ints) -> None:
        """Keep one sample per worker and hour in the requests histogram: the hour's peak.

        A higher peak replaces the earlier one of its window; both carry the window's start, so
        that exactly what was added is taken back.
        """
        hour = minutes.minute * MINUTE_S // HOUR_S
        groups = grouped(minutes.worker, hour)
        worker, hour = minutes.worker[groups.first], hour[groups.first]
        peak = groups.largest(minutes.top)
        row = row_of_worker[worker]
        running = hour == self.peak_hour[worker]
        higher = running & (peak > self.peak[worker])
        self.requests.subtract(row[higher], self.peak[worker[higher]], hour[higher] * HOUR_S)
        added = higher | (hour > self.peak_hour[worker])
        self.requests.add(row[added], peak[added], hour[added] * HOUR_S)
        # groups are sorted by worker, then hour: the last write of a worker is its newest window
        self.peak_hour[worker[added]] = hour[added]
        self.peak[worker[added]] = peak[added]

    def _workload_rings(self) -> tuple[TimeRing, ...]:
        return (
            self.minute_saturated,
            self.block_top,
            self.block_mean,
            self.block_count,
            self.block_saturated,
        )


def _set(ring: TimeRing, block: Ints, row: Ints, value: Floats | Bools) -> None:
    slot = ring.slots(block)
    kept = slot >= 0
    ring.values[slot[kept], row[kept]] = value[kept]


def _bank(resource: Resource) -> HistogramBank:
    if resource.first_bucket is None or resource.largest_value is None:
        return HistogramBank(Layout(LEARNED_SPAN))
    layout = Layout(resource.largest_value / resource.first_bucket)
    return HistogramBank(layout, first_bucket=resource.first_bucket)
