"""Retiring: giving rows of the usage model back when workers and workloads are long gone.

A worker's own samples matter for an hour; what it added to its workload stays.  A workload keeps
its usage for two weeks, or for as long as its policy looks back where that is longer, because one
that is created again under its name goes on with it; names that never come back, as those of jobs,
must not fill the memory.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from autoscaler.scaling.cluster import WorkloadView
    from autoscaler.scaling.collect.series import SeriesIndex
    from recommender.observation import Ints
    from recommender.usage.model import UsageModel

KEPT_AFTER_S = 7200
"""Longer than anything that is kept per worker."""
WORKLOAD_KEPT_AFTER_S = 14 * 86400
"""As long as requests look back by default."""
HISTORY_HALF_LIVES = 2
"""The half-life of the requests histogram is half of the history that a policy asks for."""
PERIOD_S = 600


class Retirement:
    """Watches what exists; drops workers after two hours, workloads after their history."""

    def __init__(self, model: UsageModel, index: SeriesIndex) -> None:
        self._model = model
        self._index = index
        self._seen_s: dict[int, int] = {}
        self._workload_seen_s: dict[int, int] = {}
        self._next_s = 0

    def advance(self, views: Sequence[WorkloadView], usage_rows: Ints, now_s: int) -> bool:
        """Note the workers of ``views``; return whether it was time to look for old ones."""
        if now_s < self._next_s:
            return False
        self._next_s = now_s + PERIOD_S
        for row, key in enumerate(self._model.workers.keys):
            if key is not None:
                self._seen_s.setdefault(row, now_s)
        for workers in self._index.workers_of(views, usage_rows):
            self._seen_s.update(dict.fromkeys(workers.tolist(), now_s))
        gone = [
            row
            for row, seen_s in self._seen_s.items()
            if now_s - max(seen_s, self._last_sample_s(row)) > KEPT_AFTER_S
        ]
        if gone:
            rows = np.array(gone, np.int64)
            self._model.drop_workers(rows)
            self._index.forget(rows)
            for row in gone:
                del self._seen_s[row]
        self._retire_workloads(usage_rows, now_s)
        return True

    def _retire_workloads(self, usage_rows: Ints, now_s: int) -> None:
        last_s = np.max([store.last_sample_s for store in self._model.stores], axis=0).tolist()
        for row, key in enumerate(self._model.workloads.keys):
            if key is not None:
                seen_s = self._workload_seen_s.setdefault(row, now_s if last_s[row] < 0 else 0)
                self._workload_seen_s[row] = max(seen_s, last_s[row])
        self._workload_seen_s.update(dict.fromkeys(usage_rows.tolist(), now_s))
        kept_s = self._kept_after_s().tolist()
        gone = [
            row for row, seen_s in self._workload_seen_s.items() if now_s - seen_s > kept_s[row]
        ]
        if gone:
            rows = np.array(gone, np.int64)
            self._index.forget_workloads(rows)
            self._model.drop_workloads(rows)
            for row in gone:
                del self._workload_seen_s[row]

    def _kept_after_s(self) -> Ints:
        """Return how long each workload is kept, ``[workloads]``."""
        half_lives_s = [store.requests.half_life_s for store in self._model.stores]
        history_s = HISTORY_HALF_LIVES * np.max(half_lives_s, axis=0)
        return np.asarray(np.maximum(history_s, WORKLOAD_KEPT_AFTER_S), np.int64)

    def _last_sample_s(self, worker: int) -> int:
        return max(int(store.recent.last_sample_s[worker]) for store in self._model.stores)
