"""Retiring: giving rows of the usage model back when their workers are long gone.

A worker's own samples matter for an hour; what it added to its workload stays.  Workloads keep
their usage, because one that is created again under its name goes on with it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from autoscaler.scaling.cluster import WorkloadView
    from autoscaler.scaling.series import SeriesIndex
    from recommender.observation import Ints
    from recommender.usage.model import UsageModel

KEPT_AFTER_S = 7200
"""Longer than anything that is kept per worker."""
PERIOD_S = 600


class Retirement:
    """Watches which workers exist, and drops those that have been gone for two hours."""

    def __init__(self, model: UsageModel, index: SeriesIndex) -> None:
        self._model = model
        self._index = index
        self._seen_s: dict[int, int] = {}
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
        return True

    def _last_sample_s(self, worker: int) -> int:
        return max(int(store.recent.last_sample_s[worker]) for store in self._model.stores)
