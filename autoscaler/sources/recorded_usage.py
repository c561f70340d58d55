"""Recorded usage after reading: clean samples per resource, and what was found on the way.

How a file becomes this is ``usage_rows``; how the loop asks for it is ``recorded``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from autoscaler.sources.source import Metric
from recommender.observation import Floats, Ints

if TYPE_CHECKING:
    from recommender.gpu_models import GpuModel

Key = tuple[str, str]
"""(namespace, workload)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """All samples of one resource, ordered by time, then series; one per stamp and series."""

    series: NDArray[np.int32]
    ts: Ints
    """UTC seconds."""
    value: Floats
    step_s: int
    """The most frequent distance of neighbouring samples of one series."""

    def __len__(self) -> int:
        return len(self.ts)


@dataclass(frozen=True, slots=True, kw_only=True)
class RejectedSeries:
    """Samples of one workload and resource that cannot be trusted, and were left out whole."""

    namespace: str
    workload: str
    resource: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedUsage:
    """One file of recorded usage."""

    path: str
    labels: tuple[Mapping[str, str], ...]
    """Per series: namespace, workload, worker; ``gpu_model`` where known."""
    columns: Mapping[str, Column]
    """By resource name."""
    notes: tuple[str, ...]
    """What the user should know of the file, one sentence each."""
    rejected: tuple[RejectedSeries, ...]

    @property
    def end_s(self) -> int:
        """One step after the last sample: the ``now`` of a report."""
        return max(int(c.ts[-1]) + c.step_s for c in self.columns.values() if len(c))

    @property
    def start_s(self) -> int:
        """Time of the first sample."""
        return min(int(c.ts[0]) for c in self.columns.values() if len(c))

    def keys(self) -> list[Key]:
        """Return all workloads, ordered by name."""
        return sorted({(label["namespace"], label["workload"]) for label in self.labels})

    def with_gpu_models(self, models: Mapping[Key, GpuModel]) -> RecordedUsage:
        """Label series with their GPU model; turn their percent of one GPU into TFLOPS.

        A workload that has TFLOPS of its own keeps both as they are.
        """
        labels = tuple(_labelled(label, models) for label in self.labels)
        labelled = replace(self, labels=labels)
        percent = self.columns.get(Metric.COMPUTE_PERCENT)
        if percent is None or not models:
            return labelled
        peak = np.array(
            [
                models[key].fp16_tflops if (key := _key(label)) in models else np.nan
                for label in labels
            ]
        )
        known = self.columns.get(Metric.TFLOPS)
        if known is not None:
            peak[self._same_workload(known.series)] = np.nan
        factor = peak[percent.series] / 100.0
        moves = ~np.isnan(factor)
        converted = _subset(percent, moves, value=percent.value[moves] * factor[moves])
        columns = dict(self.columns)
        columns[Metric.COMPUTE_PERCENT] = _subset(percent, ~moves)
        columns[Metric.TFLOPS] = converted if known is None else _merged(known, converted)
        kept = {name: column for name, column in columns.items() if len(column)}
        return replace(labelled, columns=MappingProxyType(kept))

    def between(self, start_s: int, end_s: int) -> RecordedUsage:
        """Return the usage with ``start_s <= ts < end_s``; workloads stay, resources may go."""
        columns = {}
        for name, column in self.columns.items():
            kept = _subset(column, (column.ts >= start_s) & (column.ts < end_s))
            if len(kept):
                columns[name] = kept
        return replace(self, columns=MappingProxyType(columns))

    def workers(self) -> dict[Key, dict[str, tuple[int, int]]]:
        """Return per workload and worker the times of its first and last sample."""
        count = len(self.labels)
        first = np.full(count, np.iinfo(np.int64).max)
        last = np.full(count, -1, np.int64)
        for column in self.columns.values():
            np.minimum.at(first, column.series, column.ts)
            np.maximum.at(last, column.series, column.ts)
        found: dict[Key, dict[str, tuple[int, int]]] = {}
        for i, label in enumerate(self.labels):
            workers = found.setdefault(_key(label), {})
            if last[i] >= 0:
                workers[label["worker"]] = int(first[i]), int(last[i])
        return found

    def _same_workload(self, series: NDArray[np.int32]) -> NDArray[np.bool_]:
        """Return which series belong to a workload that one of ``series`` belongs to."""
        keys = {_key(self.labels[i]) for i in np.unique(series)}
        return np.array([_key(label) in keys for label in self.labels])


def _key(label: Mapping[str, str]) -> Key:
    return label["namespace"], label["workload"]


def _labelled(label: Mapping[str, str], models: Mapping[Key, GpuModel]) -> Mapping[str, str]:
    model = models.get(_key(label))
    return label if model is None else MappingProxyType({**label, "gpu_model": model.name})


def _subset(column: Column, mask: NDArray[np.bool_], value: Floats | None = None) -> Column:
    return Column(
        series=column.series[mask],
        ts=column.ts[mask],
        value=column.value[mask] if value is None else value,
        step_s=column.step_s,
    )


def _merged(one: Column, other: Column) -> Column:
    """Join two columns of different series."""
    series = np.concatenate([one.series, other.series])
    ts = np.concatenate([one.ts, other.ts])
    value = np.concatenate([one.value, other.value])
    order = np.lexsort((series, ts))
    longer = one if len(one) >= len(other) else other
    return Column(series=series[order], ts=ts[order], value=value[order], step_s=longer.step_s)
