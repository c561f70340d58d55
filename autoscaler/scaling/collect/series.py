"""From the labels of measured series to rows of the usage model.

A label set is looked up once and remembered, so that an increment of all workers costs two array
lookups.  Usage is keyed by (namespace, workload, GPU model): a worker that does not say its GPU
model gets the one that the fleet states for its workload, and a workload that does not state one
gets the model that its workers report.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from recommender.gpu_models import find_gpu_model

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from autoscaler.scaling.cluster import WorkloadView
    from recommender.observation import Ints
    from recommender.usage.model import UsageModel

UNLABELLED = -1
"""Row of a series that lacks ``namespace``, ``workload`` or ``worker``."""
UNMEASURED = -2
"""Row of a series without samples, of a worker that the usage model does not know (any more)."""

LABEL_TABLES_KEPT = 16

RowKey = tuple[str, str, str]
"""(namespace, workload, GPU model), the identity of one row of a decision."""


@dataclass(frozen=True, slots=True)
class SeriesRows:
    """Rows of one label table, one entry per label set."""

    series: Ints
    """One number per (worker, device), the same for every metric; negative where none."""
    worker: Ints
    """Worker row of the usage model."""
    workload: Ints
    """Workload row of the usage model."""
    is_shared: bool
    """Some worker has several series, one per device."""


@lru_cache(maxsize=1024)
def canonical_gpu_model(name: str) -> str:
    """Return the table's own name of a GPU model, or the name as it is where it is unknown."""
    known = find_gpu_model(name) if name else None
    return known.name if known is not None else name


class SeriesIndex:
    """Remembers which row of the usage model each series, workload and worker has."""

    def __init__(self, model: UsageModel) -> None:
        self._model = model
        self._number: dict[tuple[str, str, str, str, str], int] = {}
        self._worker: list[int] = []
        self._workload: list[int] = []
        self._free: list[int] = []
        """Numbers of series whose workers are forgotten; the next series get them."""
        self._tables: dict[int, tuple[tuple[Mapping[str, str], ...], SeriesRows]] = {}
        self._stated_gpu_model: dict[tuple[str, str], str] = {}
        self._reported_gpu_model: dict[tuple[str, str], str] = {}
        for key in model.workloads.keys:
            if key is not None and key[2]:
                self._reported_gpu_model.setdefault(key[:2], key[2])
        self._view_workers: dict[int, tuple[object, Ints]] = {}

    @property
    def models_reported(self) -> int:
        """Return of how many workloads the samples named a GPU model."""
        return len(self._reported_gpu_model)

    def state_gpu_models(self, views: Sequence[WorkloadView]) -> None:
        """Take over which GPU model each workload states, for series that do not say.

        What a workload had stated stays when it is gone, for its last samples may still be read,
        and when it has no workers, for it goes on where it was when they come back.
        """
        stated: dict[tuple[str, str], str] = {}
        for view in views:
            if view.gpu_model:
                stated.setdefault(view.key, canonical_gpu_model(view.gpu_model))
        stated = self._stated_gpu_model | stated
        if stated != self._stated_gpu_model:
            self._stated_gpu_model = stated
            self._tables.clear()

    def keys_of(self, views: Sequence[WorkloadView]) -> tuple[RowKey, ...]:
        """Return the key of each workload.

        One that states no GPU model has the one that it stated last, else the reported one.
        """
        return tuple(
            (
                view.namespace,
                view.workload,
                canonical_gpu_model(view.gpu_model)
                or self._stated_gpu_model.get(view.key)
                or self._reported_gpu_model.get(view.key, ""),
            )
            for view in views
        )

    def rows_of(
        self,
        labels: tuple[Mapping[str, str], ...],
        measured: NDArray[np.integer[Any]] | None = None,
    ) -> SeriesRows:
        """Return the rows of a label table; a table that is seen again is not read again.

        ``measured`` are the label sets of the samples, in any order; None: all of them.  The others
        make no worker: a source may remember series that are gone for long.
        """
        known = self._tables.get(id(labels))
        if known is not None and known[0] is labels and not _lacks(known[1], measured):
            return known[1]
        rows = self._read(labels, measured)
        if len(self._tables) >= LABEL_TABLES_KEPT:
            self._tables.pop(next(iter(self._tables)))
        # The table itself is kept beside its rows, so that its identity is not used again.
        self._tables[id(labels)] = labels, rows
        return rows

    def workers_of(self, views: Sequence[WorkloadView], workload_rows: Ints) -> list[Ints]:
        """Return the worker rows of each workload's workers, in the views' order."""
        rows = workload_rows.tolist()
        new = [
            (row, view)
            for row, view in zip(rows, views, strict=True)
            if row not in self._view_workers or self._view_workers[row][0] is not view.workers
        ]
        # All new workers in one call: the model grows once.
        made = self._model.worker_rows(
            np.repeat([row for row, _ in new], [len(view.workers) for _, view in new]).astype(
                np.int64
            ),
            [worker.name for _, view in new for worker in view.workers],
        )
        ends = np.cumsum([len(view.workers) for _, view in new], dtype=np.int64)
        for (row, view), end in zip(new, ends, strict=True):
            self._view_workers[row] = view.workers, made[end - len(view.workers) : end]
        return [self._view_workers[row][1] for row in rows]

    def forget(self, workers: Ints) -> None:
        """Drop workers whose rows the model gives to others from now on."""
        self._forget(self._worker, workers)

    def forget_workloads(self, workloads: Ints) -> None:
        """Drop workloads whose rows the model gives to others from now on."""
        self._forget(self._workload, workloads)
        for row in workloads.tolist():
            key = self._model.workloads.keys[row]
            for known in (self._reported_gpu_model, self._stated_gpu_model):
                if key is not None and known.get(key[:2]) == key[2]:
                    del known[key[:2]]

    def _forget(self, rows_of_number: Sequence[int], rows: Ints) -> None:
        gone = set(rows.tolist())
        kept: dict[tuple[str, str, str, str, str], int] = {}
        for key, number in self._number.items():
            if rows_of_number[number] in gone:
                self._free.append(number)
            else:
                kept[key] = number
        self._number = kept
        self._tables.clear()
        self._view_workers.clear()

    def _read(
        self, labels: tuple[Mapping[str, str], ...], measured: NDArray[np.integer[Any]] | None
    ) -> SeriesRows:
        keys = [self._key(label) for label in labels]
        seen = keys
        if measured is not None:
            seen = [keys[row] for row in np.flatnonzero(np.bincount(measured)).tolist()]
        new = list(dict.fromkeys(key for key in seen if key and key not in self._number))
        if new:
            self._model.name_gpu_models(dict.fromkeys(key[:3] for key in new))
            workload = self._model.workload_rows([key[:3] for key in new])
            worker = self._model.worker_rows(workload, [key[3] for key in new])
            for key, workload_row, worker_row in zip(new, workload, worker, strict=True):
                number = self._new_number()
                self._number[key] = number
                self._worker[number] = int(worker_row)
                self._workload[number] = int(workload_row)
        series = np.array(
            [self._number.get(key, UNMEASURED) if key else UNLABELLED for key in keys], np.int64
        )
        known = series >= 0
        worker_rows = np.full(len(keys), UNLABELLED, np.int64)
        workload_rows = np.full(len(keys), UNLABELLED, np.int64)
        worker_rows[known] = np.array(self._worker, np.int64)[series[known]]
        workload_rows[known] = np.array(self._workload, np.int64)[series[known]]
        is_shared = len(np.unique(worker_rows[known])) < int(known.sum())
        return SeriesRows(series, worker_rows, workload_rows, is_shared)

    def _new_number(self) -> int:
        if self._free:
            return self._free.pop()
        self._worker.append(UNLABELLED)
        self._workload.append(UNLABELLED)
        return len(self._worker) - 1

    def _key(self, label: Mapping[str, str]) -> tuple[str, str, str, str, str] | None:
        namespace, workload = label.get("namespace", ""), label.get("workload", "")
        worker = label.get("worker", "")
        if not (namespace and workload and worker):
            return None
        gpu_model = canonical_gpu_model(label.get("gpu_model", ""))
        if gpu_model:
            self._reported_gpu_model.setdefault((namespace, workload), gpu_model)
        else:
            gpu_model = self._stated_gpu_model.get((namespace, workload), "")
        return namespace, workload, gpu_model, worker, label.get("uuid", "")


def _lacks(rows: SeriesRows, measured: NDArray[np.integer[Any]] | None) -> bool:
    """Return whether some series that was measured has no row yet."""
    unmeasured = rows.series == UNMEASURED
    if not unmeasured.any():
        return False
    return measured is None or bool(unmeasured[measured].any())
