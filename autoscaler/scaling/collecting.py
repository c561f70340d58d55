"""Collecting: from a metrics source into the usage model.

A history is read once, in chunks of a day; after that every tick reads what is new, one read per
metric for all workers, with one step of overlap because the newest sample of the last read may
have been incomplete.  Duplicates are the usage model's business.  An error of one metric never
costs the others: all are read first, then the error is raised, with what was collected.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from autoscaler.errors import SourceError
from autoscaler.scaling.cards import card_of
from autoscaler.scaling.joining import (
    Columns,
    highest_per_worker,
    summed_per_workload,
    usual_step_s,
    values_at,
)
from autoscaler.scaling.series import SeriesIndex
from autoscaler.sources.source import Metric
from recommender.policy.table import policy_table
from recommender.resources import COMPUTE_PERCENT, TFLOPS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from autoscaler.scaling.cluster import WorkloadView
    from autoscaler.sources.source import MetricsSource
    from recommender.observation import Floats, Ints
    from recommender.resources import Resource
    from recommender.usage.model import UsageModel

DAY_S = 86400
FIRST_READ_S = 300
"""How far the first increment reaches back where no history was read."""
STEP_CHECK_S = 600
UNKNOWN_TIME_S = -1
JOINED_METRICS = (Metric.EFFECTIVE_SHARE_PERCENT, Metric.THROTTLED_RATIO)


@dataclass(frozen=True, slots=True, kw_only=True)
class Collected:
    """What one read of all metrics brought."""

    start_s: int
    end_s: int
    samples: Mapping[str, int]
    """Metric to number of samples, overlap included."""
    missing: tuple[str, ...] = ()
    """Resources that the source has no metric for."""
    is_partial: bool = False
    warnings: tuple[str, ...] = ()
    unlabelled: int = 0
    """Samples of series that lack ``namespace``, ``workload`` or ``worker``."""
    errors: Mapping[str, SourceError] = field(default_factory=dict)


class CollectionError(SourceError):
    """Some metrics could not be read; the others were, and stand in ``collected``."""

    def __init__(self, collected: Collected) -> None:
        self.collected = collected
        texts = [f"{metric}: {error}" for metric, error in collected.errors.items()]
        super().__init__("; ".join(texts))


@dataclass(slots=True)
class _Tally:
    samples: dict[str, int] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    errors: dict[str, SourceError] = field(default_factory=dict)
    is_partial: bool = False
    unlabelled: int = 0


class Collector:
    """Reads a source into a usage model; one per model.

    ``step_s`` is the wanted resolution.  A coarser source answers with what it has, and its own
    step is then learned from its stamps.
    """

    def __init__(self, source: MetricsSource, model: UsageModel, *, step_s: int = 15) -> None:
        self.index = SeriesIndex(model)
        self._source = source
        self._model = model
        self._step_s = step_s
        self._views: Sequence[WorkloadView] = ()
        self._end_s: dict[str, int] = {}
        self._learned_step_s: dict[str, int] = {}
        self._look_again_s: dict[str, int] = {}
        self._card: list[Floats] = [np.empty(0) for _ in model.resources]
        self._limit: list[Floats] = [np.empty(0) for _ in model.resources]

    def see(self, views: Sequence[WorkloadView]) -> None:
        """Take over what the fleet says before samples are read.

        GPU models and shares are for samples that lack them; a worker's readiness tells which of
        its samples belong to its start-up.
        """
        self._views = views
        self.index.state_gpu_models(views)
        keys = self.index.keys_of(views)
        rows = self._model.workload_rows(keys)
        cards = [card_of(view, key[2]) for view, key in zip(views, keys, strict=True)]
        length = int(rows.max(initial=-1)) + 1
        for i, resource in enumerate(self._model.resources):
            for table, amounts in (
                (self._card, [card.get(resource.name, np.nan) for card in cards]),
                (self._limit, [view.limit.get(resource.name, np.nan) for view in views]),
            ):
                column = np.full(max(length, len(table[i])), np.nan)
                column[: len(table[i])] = table[i]
                column[rows] = amounts
                table[i] = column
        self._set_readiness(views, rows)

    def bootstrap(self, start_s: int, end_s: int) -> Collected:
        """Read a history, ``start_s <= ts < end_s``, in chunks of a day.

        Its samples decay from the first one on as the policies of the fleet seen last say.  Raises
        ``CollectionError`` after everything that can be read was read.
        """
        table = policy_table([view.policy for view in self._views], self._model.resources)
        rows = self._model.workload_rows(self.index.keys_of(self._views))
        self._model.set_half_lives(rows, table.requests.half_life_s, start_s)
        return self._collect(dict.fromkeys(self._metrics(), start_s), end_s)

    def collect(self, now_s: int) -> Collected:
        """Read what came since the last read, before ``now_s``; errors as in ``bootstrap``."""
        starts = {
            metric: self._end_s.get(metric, now_s - FIRST_READ_S) - self._step_of(metric)
            for metric in self._metrics()
        }
        return self._collect(starts, now_s)

    def ends(self) -> dict[str, int]:
        """Return up to where each metric has been read, for a checkpoint."""
        return dict(self._end_s)

    def resume(self, ends: Mapping[str, int]) -> None:
        """Go on reading from where a checkpoint ended."""
        self._end_s.update(ends)

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

    def _step_of(self, metric: str) -> int:
        return self._learned_step_s.get(metric, self._step_s)

    def _collect(self, starts: Mapping[str, int], end_s: int) -> Collected:
        tally = _Tally()
        first_s = min(starts.values(), default=end_s)
        chunk_s = first_s
        while chunk_s < end_s:
            upto_s = min((chunk_s // DAY_S + 1) * DAY_S, end_s)
            parts = {
                metric: self._read(metric, max(start_s, chunk_s), upto_s, tally)
                for metric, start_s in starts.items()
                if start_s < upto_s
            }
            self._ingest(parts, upto_s)
            self._model.advance(upto_s)
            chunk_s = upto_s
        collected = Collected(
            start_s=first_s,
            end_s=end_s,
            samples=tally.samples,
            missing=tuple(r.name for r in self._model.resources if r.name not in starts),
            is_partial=tally.is_partial,
            warnings=tuple(dict.fromkeys(tally.warnings)),
            unlabelled=tally.unlabelled,
            errors=tally.errors,
        )
        if tally.errors:
            raise CollectionError(collected)
        return collected

    def _read(self, metric: str, start_s: int, end_s: int, tally: _Tally) -> Columns | None:
        try:
            samples = self._source.read(metric, start_s, end_s, self._step_s)
        except SourceError as error:
            tally.errors[metric] = error
            tally.is_partial = True
            return None
        tally.samples[metric] = tally.samples.get(metric, 0) + len(samples)
        tally.is_partial |= samples.is_partial
        tally.warnings.extend(samples.warnings)
        rows = self.index.rows_of(samples.labels)
        columns = Columns(
            rows.series[samples.series],
            rows.worker[samples.series],
            rows.workload[samples.series],
            samples.ts.astype(np.int64, copy=False),
            samples.value.astype(np.float64),
            is_shared=rows.is_shared,
        )
        labelled = np.flatnonzero(columns.series >= 0)
        if len(labelled) < len(columns):
            tally.unlabelled += len(columns) - len(labelled)
            columns = columns.taken(labelled)
        self._end_s[metric] = max(end_s, self._end_s.get(metric, end_s))
        self._learn_step(metric, columns, end_s)
        return columns

    def _learn_step(self, metric: str, columns: Columns, end_s: int) -> None:
        """Learn the source's own step, and look again from time to time."""
        if end_s < self._look_again_s.get(metric, end_s):
            return
        step_s = usual_step_s(columns)
        if step_s is not None:
            self._learned_step_s[metric] = step_s
            self._look_again_s[metric] = end_s + STEP_CHECK_S

    def _ingest(self, parts: Mapping[str, Columns | None], now_s: int) -> None:
        shares, throttled = (parts.get(metric) for metric in JOINED_METRICS)
        for i, resource in enumerate(self._model.resources):
            samples = parts.get(resource.name)
            if samples is None or not len(samples):
                continue
            share = self._share(i, resource, samples, shares)
            ratio = values_at(samples, throttled) if resource.is_compressible else None
            rows = highest_per_worker(samples) if samples.is_shared else slice(None)
            self._model.ingest(
                i,
                samples.worker[rows],
                samples.ts[rows],
                samples.value[rows],
                now_s=now_s,
                step_s=self._step_of(resource.name),
                share=share[rows],
                throttled_ratio=None if ratio is None else ratio[rows],
            )
        denied = parts.get(Metric.VRAM_DENIED)
        if denied is not None and len(denied):
            total = summed_per_workload(denied)
            self._model.deny(total.worker, total.ts, total.value, now_s=now_s)

    def _share(
        self, i: int, resource: Resource, samples: Columns, percent: Columns | None
    ) -> Floats:
        """Return the share that bounded each sample, in the resource's unit; NaN: unknown."""
        limit = _looked_up(self._limit[i], samples.workload)
        if resource.name == COMPUTE_PERCENT.name:
            share = values_at(samples, percent)
        elif resource.name == TFLOPS.name:
            card = _looked_up(self._card[i], samples.workload)
            share = values_at(samples, percent) / 100.0 * card
        else:
            return limit
        return np.where(np.isnan(share), limit, share)


def _looked_up(column: Floats, rows: Ints) -> Floats:
    known = rows < len(column)
    values = np.full(len(rows), np.nan)
    values[known] = column[rows[known]]
    return values
