"""A cluster in memory: workloads, workers on GPUs, and what becomes of a change.

It implements the loop's ``Cluster`` protocol and feeds ``SimulatedMetrics``, so that the loop under
simulation is the live one.  Time moves only by ``run_until``.  Everything is deterministic: loads
come from the generator that is passed in, placement and names from the order of events.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from autoscaler.scaling.cards import card_of_model
from autoscaler.scaling.cluster import WorkerView, WorkloadView, amounts
from autoscaler.simulate.changing import Changes
from autoscaler.simulate.devices import Course, run
from autoscaler.simulate.fleet import RESOURCES, Fleet, gpu_model
from autoscaler.simulate.metrics import SimulatedMetrics
from autoscaler.simulate.placement import cards_of, free_requests, largest_placeable
from autoscaler.sources.source import Metric

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from autoscaler.scaling.cluster import Amounts, Change, Outcome
    from recommender.observation import Floats, Ints

SAMPLE_S = 15
"""Scrape interval, and the grid of the loads."""


class SimulatedCluster:
    """Runs a fleet from ``start_s`` for at most ``length_s``."""

    def __init__(
        self, fleet: Fleet, *, start_s: int, length_s: int, rng: np.random.Generator
    ) -> None:
        self.fleet = fleet
        self.metrics = SimulatedMetrics()
        self.now_s = start_s
        self._start_s = start_s
        self._cards = cards_of(fleet.cards)
        self._changes = Changes(fleet, self._cards, self.metrics, start_s)
        self._price = {
            (group.pool, gpu_model(group.gpu_model).name): group.price_per_gpu_hour
            for group in fleet.cards
        }
        ts = np.arange(start_s, start_s + length_s + SAMPLE_S, SAMPLE_S)
        traces = [
            item.load.trace(ts, own)
            for item, own in zip(fleet.workloads, rng.spawn(len(fleet.workloads)), strict=True)
        ]
        self._tflops = np.stack([trace.tflops for trace in traces], axis=1)
        self._vram = np.stack([trace.vram_bytes for trace in traces], axis=1)
        self._is_missing = np.stack([trace.is_missing for trace in traces], axis=1)
        self._restarts = sorted(
            (moment, row) for row, trace in enumerate(traces) for moment in trace.restarts_s
        )
        self._is_shared = np.array([item.is_shared_load for item in fleet.workloads], bool)
        self._views: dict[int, tuple[tuple[float, ...], WorkloadView]] = {}
        self._workers_of: dict[int, tuple[WorkerView, ...]] = {}
        self._placed: tuple[Floats, Floats] | None = None

    # ----- time

    def run_until(self, now_s: int) -> None:
        """Let the workers run, and the metrics be scraped, until ``now_s``."""
        first = -(-(self.now_s - self._start_s) // SAMPLE_S)
        last = -(-(now_s - self._start_s) // SAMPLE_S)
        self._restart_due(now_s)
        if last > len(self._tflops):
            raise ValueError(f"the loads end before {now_s}")
        if last > first:
            rows = slice(first, last)
            ts = self._start_s + np.arange(first, last) * SAMPLE_S
            slots = self._changes.slots
            course = run(
                slots,
                self._cards,
                ts,
                SAMPLE_S,
                self._tflops[rows],
                self._vram[rows],
                self._is_shared,
            )
            self._scrape(ts, course, rows)
            self._changes.advance(course)
        self.now_s = now_s
        self._changes.now_s = now_s

    # ----- the Cluster protocol

    def snapshot(self) -> Sequence[WorkloadView]:
        """Return all workloads."""
        return self._views_of(range(len(self.fleet.workloads)))

    def reread(self, keys: Sequence[tuple[str, str]]) -> Sequence[WorkloadView]:
        """Return some workloads as they are now; those that are gone are left out."""
        rows = self._changes.row_of
        return self._views_of([rows[key] for key in keys if key in rows])

    def apply(self, changes: Sequence[Change]) -> Sequence[Outcome]:
        """Apply changes in order, each capped at what its cards can hold."""
        return [self._changes.apply(change) for change in changes]

    # ----- what a test or a user does to the cluster

    def recreate(self, key: tuple[str, str]) -> None:
        """Delete a workload and create it again: new uid, stated amounts, new workers."""
        self._changes.recreate(self._changes.row_of[key])

    def pause(self, key: tuple[str, str], *, is_paused: bool = True) -> None:
        """Set or lift the pause of one workload."""
        self._changes.set_paused(self._changes.row_of[key], is_paused=is_paused)

    def restart(self, key: tuple[str, str]) -> None:
        """Start the workers of one workload again, with the amounts for starting workers."""
        self._changes.restart(self._changes.row_of[key])

    def view(self, key: tuple[str, str]) -> WorkloadView:
        """Return one workload as it is now."""
        return self.reread([key])[0]

    # ----- internals

    def _restart_due(self, now_s: int) -> None:
        while self._restarts and self._restarts[0][0] < now_s:
            _, row = self._restarts.pop(0)
            self._changes.restart(row)

    def _scrape(self, ts: Ints, course: Course, rows: slice) -> None:
        slots = self._changes.slots
        peak = self._cards.capacity[slots.card, 0]
        values: dict[Metric, Floats] = {
            Metric.TFLOPS: course.used,
            Metric.VRAM_BYTES: course.resident,
            Metric.EFFECTIVE_SHARE_PERCENT: 100.0 * course.share / peak,
            Metric.THROTTLED_RATIO: course.throttled_ratio,
            Metric.VRAM_DENIED: course.denied,
        }
        self.metrics.record(ts, slots.series, values, self._is_missing[rows][:, slots.workload])

    def _views_of(self, rows: Iterable[int]) -> list[WorkloadView]:
        """Return views, each the same object as long as nothing in it changed."""
        slots = self._changes.slots
        workloads = len(self.fleet.workloads)
        ready = np.bincount(slots.workload, slots.ready_s <= self.now_s, minlength=workloads)
        placeable = self._placeable()
        views = []
        for row in rows:
            seen = (self._changes.standing(row).version, ready[row], *placeable[row])
            known = self._views.get(row)
            if known is None or known[0] != seen:
                known = seen, self._new_view(row, placeable[row])
                self._views[row] = known
            views.append(known[1])
        return views

    def _placeable(self) -> Floats:
        """Return the largest placeable requests, computed when requests or placement changed."""
        slots = self._changes.slots
        if self._placed is None or self._placed[0] is not slots.request:
            free = free_requests(self._cards, slots)
            largest = largest_placeable(self._cards, free, self._changes.suits, slots)
            self._placed = slots.request, largest
        return self._placed[1]

    def _new_view(self, row: int, placeable: Floats) -> WorkloadView:
        item, state = self.fleet.workloads[row], self._changes.standing(row)
        model = gpu_model(item.gpu_model)
        return WorkloadView(
            namespace=item.namespace,
            workload=item.workload,
            uid=state.uid,
            policy=item.policy,
            stated_request=_named(item.request),
            stated_limit=_named(item.limit),
            request=_named(state.request),
            limit=_named(state.limit),
            start_request=_by_name(state.start_request),
            start_limit=_by_name(state.start_limit),
            stated_sources=item.stated_sources,
            replicas=state.replicas if item.is_scalable else None,
            stated_replicas=item.replicas if item.is_scalable else None,
            gpu_count=item.gpu_count,
            gpu_model=model.name,
            pool=item.pool,
            qos=item.qos,
            owner=item.owner,
            card=card_of_model(model.name),
            largest_placeable=_named((float(placeable[0]), float(placeable[1]))),
            is_paused=state.is_paused,
            workers=self._workers(row),
            guard=state.guard,
            price_per_gpu_hour=self._price.get((item.pool, model.name)),
        )

    def _workers(self, row: int) -> tuple[WorkerView, ...]:
        slots = self._changes.slots
        mine = np.flatnonzero((slots.workload == row) & (slots.device == 0))
        workers = tuple(
            WorkerView(
                name=self._changes.worker_name(row, int(slots.worker[i])),
                started_s=int(slots.started_s[i]),
                ready_s=int(slots.ready_s[i]) if slots.ready_s[i] <= self.now_s else None,
            )
            for i in mine
        )
        if self._workers_of.get(row) != workers:
            self._workers_of[row] = workers
        return self._workers_of[row]


def _named(values: tuple[float, float]) -> Amounts:
    return amounts({resource.name: v for resource, v in zip(RESOURCES, values, strict=True)})


def _by_name(values: Mapping[int, float]) -> Amounts:
    return amounts({RESOURCES[column].name: value for column, value in values.items()})
