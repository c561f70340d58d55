"""The usage model: the only mutable part of the recommender.

It belongs to the loop, takes samples of all workers in columns, closes blocks as time passes, and
is checkpointed.  What is read from it stands in ``statistics`` and ``evidence_of``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from recommender.forecast.fleet_forecasts import FleetForecasts
from recommender.observation import Bools, Floats, Ints
from recommender.resources import Resource
from recommender.usage.denials import Denials
from recommender.usage.identity import RowIndex
from recommender.usage.quality import (
    LARGEST_VALUE,
    LONGEST_STARTUP_S,
    SampleCounts,
    is_since_start,
    is_startup,
)
from recommender.usage.samples import Demands, UsageSamples, known
from recommender.usage.store import ResourceUsage, closable_until_s

STARTS_REMEMBERED = 16
FIRST_STEP_TOLERANCE_S = 60


class UsageModel:
    """Usage of a fleet: rows per workload and GPU model, rows per worker."""

    def __init__(self, resources: Sequence[Resource]) -> None:
        self.resources = tuple(resources)
        self.stores = tuple(ResourceUsage(resource) for resource in self.resources)
        self.workloads: RowIndex[tuple[str, str, str]] = RowIndex()
        self.workers: RowIndex[tuple[int, str]] = RowIndex()
        self.denials = Denials()
        self.counts = SampleCounts()
        self.forecasts = FleetForecasts(self)
        self.begin_s = -1
        """First stamp ever seen: workers that were there then were running already."""
        # per worker
        self.row_of_worker: Ints = np.zeros(0, np.int64)
        self.first_sample_s: Ints = np.full(0, -1, np.int64)
        self.started_s: Ints = np.full(0, -1, np.int64)
        self.ready_s: Ints = np.full(0, -1, np.int64)
        # per workload: the last start-up times, newest at startup_count % STARTS_REMEMBERED
        self.startup_s: Floats = np.full((0, STARTS_REMEMBERED), np.nan)
        self.startup_count: Ints = np.zeros(0, np.int64)

    def workload_rows(self, keys: Sequence[tuple[str, str, str]]) -> Ints:
        """Return usage rows of (namespace, workload, GPU model); new keys get new rows."""
        rows = self.workloads.rows(keys)
        self._grow_workloads(len(self.workloads))
        return rows

    def name_gpu_models(self, keys: Iterable[tuple[str, str, str]]) -> None:
        """Give rows that were made before their GPU model was known to the first that is named.

        A row with samples stays what it is: they are of another model, or of one that nobody knows.
        """
        for key in keys:
            unnamed = (*key[:2], "")
            if key in self.workloads or unnamed not in self.workloads:
                continue
            [row] = self.workloads.known([unnamed])
            if all(store.first_sample_s[row] < 0 for store in self.stores):
                self.workloads.rename(unnamed, key)

    def worker_rows(self, workload_row: Ints, names: Sequence[str]) -> Ints:
        """Return worker rows; ``names`` are unique within a workload."""
        rows = self.workers.rows(zip(map(int, workload_row), names, strict=True))
        self._grow_workers(len(self.workers))
        self.row_of_worker[rows] = workload_row
        return rows

    def set_readiness(self, worker: Ints, started_s: Ints, ready_s: Ints) -> None:
        """Say when workers started (-1: unknown) and became Ready (-1: not now).

        A worker that was Ready once since it started is not starting when it is no longer Ready:
        it may be overloaded, and its use counts.  One that seems to have taken longer than any does
        was Ready before: nothing is learned of its start.
        """
        was_ready = (self.ready_s[worker] >= 0) & (self.started_s[worker] == started_s)
        newly = (ready_s >= 0) & ~was_ready & (started_s >= 0)
        newly &= ready_s - started_s <= LONGEST_STARTUP_S
        ready_s = np.where(was_ready, self.ready_s[worker], ready_s)
        self.started_s[worker] = started_s
        self.ready_s[worker] = ready_s
        for i in np.flatnonzero(newly):
            row = self.row_of_worker[worker[i]]
            slot = self.startup_count[row] % STARTS_REMEMBERED
            self.startup_s[row, slot] = max(0, ready_s[i] - started_s[i])
            self.startup_count[row] += 1

    def set_half_lives(self, rows: Ints, half_life_s: Ints, now_s: int) -> None:
        """Set the requests histograms' half-lives, ``[rows, R]``; kept history keeps its weight."""
        for column, store in enumerate(self.stores):
            store.set_half_life(rows, half_life_s[:, column], now_s, self.row_of_worker)

    def ingest(
        self,
        resource: int,
        worker: Ints,
        ts: Ints,
        value: Floats | NDArray[np.float32],
        *,
        now_s: int,
        step_s: int,
        share: Floats | None = None,
        throttled_ratio: Floats | None = None,
        is_frozen: Bools | None = None,
        top: Floats | NDArray[np.float32] | None = None,
        known_before_s: int = 0,
    ) -> None:
        """Take samples of one resource, ``[n]`` each, in any order.

        ``share`` is the effective share that could be used, in the resource's unit (VRAM: the
        limit), ``throttled_ratio`` the share of the interval that launches waited; NaN where not
        known.  Samples that are not finite, negative, at or after ``now_s``, or of a closed block
        are counted and left out.  Stamps closer than 5 s count as one, with the largest value.

        With ``top`` the samples are minutes that the source aggregated, stamped by their start:
        ``value`` is the mean and ``top`` the maximum (NaN: as the mean).  Each is judged and
        corrected by itself; a minute is saturated where its maximum is.  They are history, and no
        part of the recent samples.

        ``known_before_s``: samples before it have been read before.  They are taken where they are
        new or larger, and not counted a second time.
        """
        is_frozen = np.broadcast_to(np.False_, len(ts)) if is_frozen is None else is_frozen
        top = None if top is None else np.fmax(top, value)
        judged = value if top is None else np.where(value >= 0, top, value)
        usable = self._usable(resource, ts, judged, is_frozen, now_s, known_before_s)
        chosen = slice(None) if usable.all() else usable
        samples = UsageSamples(
            worker=worker[chosen],
            ts=ts[chosen],
            value=value[chosen].astype(np.float64, copy=False),
            top=None if top is None else top[chosen].astype(np.float64, copy=False),
            share=known(share, len(ts))[chosen],
            throttled_ratio=known(throttled_ratio, len(ts))[chosen],
        )
        if len(samples.ts) == 0:
            return
        starting = self._note_start(samples.worker, samples.ts, step_s)
        if self.resources[resource].is_compressible:
            self.counts.startup += int((starting & (samples.ts >= known_before_s)).sum())
            self._take(resource, samples.demands(~starting), now_s, step_s, known_before_s)
        else:
            self._note_vram(resource, samples, starting)
            self._take(resource, samples.amounts(), now_s, step_s, known_before_s)

    def deny(self, worker: Ints, ts: Ints, count: Floats, *, now_s: int) -> None:
        """Record refused VRAM allocations."""
        self.denials.add(self.row_of_worker[worker], ts, count, now_s=now_s)

    def advance(self, now_s: int, *, read_until_s: Sequence[int] | None = None) -> None:
        """Close the blocks whose end lies 120 s or more before ``now_s``.

        ``read_until_s`` says per resource up to where it has been read, where that is less: blocks
        that still have to be read stay open.
        """
        is_later = False
        for i, store in enumerate(self.stores):
            read_s = now_s if read_until_s is None else min(now_s, read_until_s[i])
            limit_s = closable_until_s(read_s)
            if limit_s > store.closed_until_s:
                stops_s = self.forecasts.stops_s(i, store.closed_until_s, limit_s)
                for until_s, new in zip(
                    stops_s, store.closing(self.row_of_worker, stops_s), strict=True
                ):
                    self.counts.duplicate += new
                    self.forecasts.closed(i, until_s)
                is_later = True
        if is_later:
            self.denials.fold(now_s)

    def drop_workers(self, worker: Ints) -> None:
        """Forget workers that are gone; what they added to their workloads stays."""
        self.workers.free(worker)
        for store in self.stores:
            store.clear_workers(worker)
        self.row_of_worker[worker] = 0
        self.first_sample_s[worker] = self.started_s[worker] = self.ready_s[worker] = -1

    def drop_workloads(self, rows: Ints) -> None:
        """Forget workloads and their workers."""
        gone = np.isin(self.row_of_worker, rows)
        named = np.array([key is not None for key in self.workers.keys], np.bool_)
        self.drop_workers(np.flatnonzero(gone & named))
        self.workloads.free(rows)
        self.forecasts.drop(rows)
        self.denials.clear(rows)
        for store in self.stores:
            store.clear_workloads(rows)
        self.startup_s[rows] = np.nan
        self.startup_count[rows] = 0

    def _usable(
        self,
        resource: int,
        ts: Ints,
        value: Floats | NDArray[np.float32],
        is_frozen: Bools,
        now_s: int,
        known_before_s: int,
    ) -> Bools:
        """Return which samples count; the others are counted by the first reason that holds."""
        usable = np.ones(len(ts), np.bool_)
        is_new = ts >= known_before_s
        reasons = {
            "not_finite": ~(np.abs(value) <= LARGEST_VALUE),
            "negative": value < 0,
            "future": ts >= now_s,
            "late": ts < self.stores[resource].closed_until_s,
            "frozen": is_frozen,
        }
        for name, holds in reasons.items():
            left_out = usable & holds & is_new
            setattr(self.counts, name, getattr(self.counts, name) + int(left_out.sum()))
            usable &= ~holds
        return usable

    def _note_start(self, worker: Ints, ts: Ints, step_s: int) -> Bools:
        """Return which samples belong to their worker's start-up."""
        if self.begin_s < 0:
            self.begin_s = int(ts.min()) + max(FIRST_STEP_TOLERANCE_S, step_s)
        first = np.where(self.first_sample_s < 0, np.iinfo(np.int64).max, self.first_sample_s)
        np.minimum.at(first, worker, ts)
        self.first_sample_s[worker] = first[worker]
        return is_startup(
            ts, first[worker], self.begin_s, self.started_s[worker], self.ready_s[worker]
        )

    def _note_vram(self, resource: int, samples: UsageSamples, starting: Bools) -> None:
        store, worker = self.stores[resource], samples.worker
        order = np.argsort(samples.ts, kind="stable")
        known = order[~np.isnan(samples.share[order])]
        store.plateaus.limit[worker[known]] = samples.share[known]
        if starting.any():
            who, value = worker[starting], samples.highest[starting]
            is_known = is_since_start(samples.ts[starting], self.started_s[who])
            begin = np.where(is_known, self.started_s[who], self.first_sample_s[who])
            store.load(self.row_of_worker[who], begin, value)

    def _take(
        self, resource: int, demands: Demands, now_s: int, step_s: int, known_before_s: int
    ) -> None:
        ts = demands.ts
        if len(ts) == 0:
            return
        store = self.stores[resource]
        store.seen(self.row_of_worker[demands.worker], ts, step_s)
        taken = store.take(
            demands.worker,
            ts,
            demands.demand,
            demands.saturated,
            share=demands.share,
            top=demands.top,
            now_s=now_s,
            known_before_s=known_before_s,
        )
        self.counts.accepted += len(ts) - taken.again
        self.counts.saturated += int((demands.saturated & (ts >= known_before_s)).sum())
        self.counts.duplicate += taken.duplicate

    def _grow_workloads(self, rows: int) -> None:
        more = rows - len(self.startup_count)
        if more <= 0:
            return
        for store in self.stores:
            store.grow_workloads(rows)
        self.startup_s = np.concatenate(
            [self.startup_s, np.full((more, STARTS_REMEMBERED), np.nan)]
        )
        self.startup_count = np.append(self.startup_count, np.zeros(more, np.int64))

    def _grow_workers(self, rows: int) -> None:
        more = rows - len(self.row_of_worker)
        if more <= 0:
            return
        for store in self.stores:
            store.grow_workers(rows)
        self.row_of_worker = np.append(self.row_of_worker, np.zeros(more, np.int64))
        self.first_sample_s = np.append(self.first_sample_s, np.full(more, -1, np.int64))
        self.started_s = np.append(self.started_s, np.full(more, -1, np.int64))
        self.ready_s = np.append(self.ready_s, np.full(more, -1, np.int64))
