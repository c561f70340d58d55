"""Collecting: from a metrics source into the usage model.

A history is read once, by minutes and in parts of a day; after that every tick reads what is new,
one read per metric for all workers.  Each read begins a little before the last one ended, because
samples come late; what is held already is the usage model's business.

Every metric has its own reading position.  An error of one never costs the others: all are read
first, then the error is raised, with what was collected; the metric is read on from its position
when it answers again, and the minutes that it has still to deliver stay open until then.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from autoscaler.errors import SourceError
from autoscaler.scaling.collect.joining import highest_per_worker, summed_per_workload, values_at
from autoscaler.scaling.collect.positions import JOINED_METRICS, Positions
from autoscaler.scaling.collect.reading import Collected, Pass
from autoscaler.scaling.collect.series import SeriesIndex
from autoscaler.scaling.collect.shares import Shares
from autoscaler.scaling.collect.steps import Steps
from autoscaler.scaling.collect.windows import (
    PARTS_S,
    raw_window,
    shorter_part_s,
    window_from,
)
from autoscaler.sources.source import Metric
from recommender.policy.table import policy_table

if TYPE_CHECKING:
    from collections.abc import Container, Mapping, Sequence

    from autoscaler.scaling.cluster import WorkloadView
    from autoscaler.scaling.collect.joining import Columns
    from autoscaler.scaling.collect.steps import LearnedStep
    from autoscaler.scaling.collect.windows import Window
    from autoscaler.sources.source import MetricsSource
    from recommender.observation import Ints
    from recommender.usage.model import UsageModel

__all__ = ["Collected", "CollectionError", "Collector", "Position"]

FIRST_READ_S = 300
"""How far the first increment reaches back where no history was read."""
UNKNOWN_TIME_S = -1


@dataclass(frozen=True, slots=True, kw_only=True)
class Position:
    """Where reading has come to."""

    read_until_s: Mapping[str, int]
    """Metric to the end of what was read of it."""
    steps: Sequence[LearnedStep] = ()


class CollectionError(SourceError):
    """Some metrics could not be read; the others were, and stand in ``collected``."""

    def __init__(self, collected: Collected) -> None:
        self.collected = collected
        metrics: dict[str, list[str]] = {}
        for metric, error in collected.errors.items():
            metrics.setdefault(str(error), []).append(metric)
        super().__init__("; ".join(f"{', '.join(names)}: {why}" for why, names in metrics.items()))


class Collector:
    """Reads a source into a usage model; one per model.

    ``step_s`` is the wanted resolution of the last minutes.  A coarser source answers with what it
    has, and its own step is then learned from its stamps.
    """

    def __init__(self, source: MetricsSource, model: UsageModel, *, step_s: int = 15) -> None:
        self.index = SeriesIndex(model)
        self._source = source
        self._model = model
        self._step_s = step_s
        self._steps = Steps(step_s)
        self._shares = Shares(model.resources)
        self._views: Sequence[WorkloadView] = ()
        self._models_seen = 0
        self._since_s: int | None = None
        self._weighs_since_s: int | None = None
        """From where on a history that is being read decays as the fleet's policies say."""
        self._positions = Positions(model)
        self._part_s = PARTS_S[0]

    def see(self, views: Sequence[WorkloadView]) -> None:
        """Take over what the fleet says before samples are read.

        GPU models and shares are for samples that lack them; a worker's readiness tells which of
        its samples belong to its start-up.
        """
        self._views = views
        self._models_seen = self.index.models_reported
        self.index.state_gpu_models(views)
        keys = self.index.keys_of(views)
        rows = self._model.workload_rows(keys)
        self._shares.see(views, keys, rows)
        self._set_readiness(views, rows)
        if self._weighs_since_s is not None:
            table = policy_table([view.policy for view in views], self._model.resources)
            self._model.forecasts.want(rows, table)
            self._model.set_half_lives(rows, table.requests.half_life_s, self._weighs_since_s)

    def want(self, since_s: int) -> None:
        """Have the first read begin at ``since_s``, whenever it comes about."""
        self._since_s = since_s

    def bootstrap(self, start_s: int, end_s: int) -> Collected:
        """Read a history, ``start_s <= ts < end_s``.

        Its samples decay from the first one on as the policies of the fleet seen last say.  Raises
        ``CollectionError`` after everything that can be read was read, and ``SourceError`` where
        the source cannot say what it has; what is missing then is read by ``collect``.
        """
        self.want(start_s)
        starts = dict.fromkeys(self._metrics(), start_s)
        self._positions.begin(list(starts), start_s)
        self._weighs_since_s = start_s
        try:
            self.see(self._views)
            return self._collect(starts, end_s)
        finally:
            self._weighs_since_s = None

    def collect(self, now_s: int) -> Collected:
        """Read what came since the last read, before ``now_s``; errors as in ``bootstrap``."""
        if self._since_s is not None and not self._positions.end_s:
            return self.bootstrap(self._since_s, now_s)
        metrics = self._metrics()
        self._positions.begin(metrics, now_s - FIRST_READ_S)
        return self._collect(self._positions.starts(metrics, now_s), now_s)

    def position(self) -> Position:
        """Return where reading has come to, for a checkpoint."""
        return Position(read_until_s=dict(self._positions.end_s), steps=self._steps.learned())

    def resume(self, position: Position) -> None:
        """Go on reading from where a checkpoint ended."""
        self._positions.end_s.update(position.read_until_s)
        self._steps.restore(position.steps)

    def _set_readiness(self, views: Sequence[WorkloadView], rows: Ints) -> None:
        parts = self.index.workers_of(views, rows)
        seen = [worker for view in views for worker in view.workers]
        self._model.set_readiness(
            np.concatenate([*parts, np.empty(0, np.int64)]).astype(np.int64),
            np.array([worker.started_s for worker in seen], np.int64),
            np.array([UNKNOWN_TIME_S if w.ready_s is None else w.ready_s for w in seen], np.int64),
        )

    def _metrics(self) -> list[str]:
        offered = self._source.metrics()
        resources = [resource.name for resource in self._model.resources]
        wanted = [*resources, *JOINED_METRICS, Metric.VRAM_DENIED]
        return [str(metric) for metric in wanted if metric in offered]

    def _collect(self, starts: Mapping[str, int], end_s: int) -> Collected:
        self._model.forecasts.history_end_s = end_s
        one = Pass(self._source, self.index, starts, self._positions.end_s)
        is_whole = self._positions.is_closing(end_s)
        while one.going_s and (begin_s := min(one.going_s.values())) < end_s:
            window = window_from(begin_s, end_s, step_s=self._step_s, part_s=self._part_s)
            self._take(one, window, end_s)
            self._part_s = shorter_part_s(self._part_s, window, one.most_samples)
            one.most_samples = 0
            if not window.is_before_tail:
                self._advance(window.end_s, starts)
        self._positions.note_read(one.newest_s.values(), end_s, is_whole=is_whole)
        self._advance(end_s, starts)
        names = [resource.name for resource in self._model.resources]
        collected = one.collected(end_s, tuple(name for name in names if name not in starts))
        if collected.errors:
            raise CollectionError(collected)
        return collected

    def _advance(self, now_s: int, metrics: Container[str]) -> None:
        """Close what is complete, and leave open what some metric has still to deliver."""
        self._model.advance(
            now_s,
            read_until_s=[
                self._positions.complete_until_s(resource, metrics)
                if resource.name in metrics
                else now_s
                for resource in self._model.resources
            ],
        )

    def _take(self, one: Pass, window: Window, now_s: int) -> None:
        """Read one window of all metrics; as few of them as possible are held at a time.

        Compute comes last: what was scraped right before the window's end may become visible
        meanwhile, and of compute that makes the next decision a better one most often.
        """
        for i, resource in enumerate(self._model.resources):
            if not resource.is_compressible:
                columns = self._read(resource.name, one, window)
                self._ingest(i, columns, (None, None), one, window)
        self._take_refusals(one, window, now_s)
        self._take_compute(one, window)

    def _take_compute(self, one: Pass, window: Window) -> None:
        """Read what has joined metrics, and then those, over the same time."""
        earliest_s = window.end_s
        read: list[tuple[int, Columns | None]] = []
        for i, resource in enumerate(self._model.resources):
            if resource.is_compressible:
                begin_s = one.begin_s(resource.name, window)
                columns = self._read(resource.name, one, window)
                read.append((i, columns))
                earliest_s = earliest_s if columns is None else min(earliest_s, begin_s)
        shares, throttled = (
            one.read(metric, window, min(one.begin_s(metric, window), earliest_s))
            for metric in JOINED_METRICS
        )
        while read:
            self._ingest(*read.pop(0), (shares, throttled), one, window)

    def _read(self, metric: str, one: Pass, window: Window) -> Columns | None:
        columns = one.read(metric, window, one.begin_s(metric, window))
        if columns is not None:
            self._steps.learn(metric, columns, window)
            if self.index.models_reported != self._models_seen:
                # workloads that state no GPU model are now known by the one that was measured
                self.see(self._views)
        return columns

    def _take_refusals(self, one: Pass, window: Window, now_s: int) -> None:
        """Read refused allocations, which must not be counted twice.

        A minute of a history stands for all of its refusals, so what was read one by one ends on a
        whole minute before it.
        """
        denied = Metric.VRAM_DENIED
        begin_s = one.begin_s(denied, window)
        windows = [window]
        if window.is_history and begin_s % window.step_s:
            whole_s = -(-begin_s // window.step_s) * window.step_s
            windows.insert(0, raw_window(begin_s, whole_s, self._step_s))
        for part in windows:
            refused = one.read(denied, part, one.begin_s(denied, part))
            if refused is not None and len(refused):
                worker, ts, count = summed_per_workload(refused)
                self._model.deny(worker, ts, count, now_s=now_s)

    def _ingest(
        self,
        i: int,
        columns: Columns | None,
        joined: tuple[Columns | None, Columns | None],
        one: Pass,
        window: Window,
    ) -> None:
        if columns is None or not len(columns):
            return
        resource = self._model.resources[i]
        known_before_s = one.known_before_s[resource.name]
        shares, throttled = joined
        share = self._shares.of(i, columns, shares, known_before_s=known_before_s)
        ratio = values_at(columns, throttled) if resource.is_compressible else None
        rows: slice | Ints = slice(None)
        top = columns.top
        if columns.table.is_shared:
            rows, top = highest_per_worker(columns)
        self._model.ingest(
            i,
            columns.worker[rows],
            columns.ts[rows],
            columns.value[rows],
            top=top,
            now_s=window.end_s,
            step_s=self._steps.of(resource.name, window),
            share=share[rows],
            throttled_ratio=None if ratio is None else ratio[rows],
            known_before_s=known_before_s,
        )
