"""Samples that are too old for the ring of recent ones, kept until their minutes close.

They come from histories and from loops that stood still.  Nothing is read from here but the samples
of a time that closes, so however a history is handed in, each of its minutes is made once.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from recommender.observation import Bools, Floats, Ints


class Backlog:
    """Columns of samples in any order."""

    def __init__(self) -> None:
        self.worker: Ints = np.empty(0, np.int64)
        self.ts: Ints = np.empty(0, np.int64)
        self.demand: NDArray[np.float32] = np.empty(0, np.float32)
        self.saturated: Bools = np.empty(0, np.bool_)

    def __len__(self) -> int:
        return len(self.worker)

    def add(self, worker: Ints, ts: Ints, demand: Floats, saturated: Bools) -> None:
        """Append samples."""
        if len(worker) == 0:
            return
        self.worker = np.append(self.worker, worker)
        self.ts = np.append(self.ts, ts)
        self.demand = np.append(self.demand, demand.astype(np.float32))
        self.saturated = np.append(self.saturated, saturated)

    def take_before(self, limit_s: int) -> tuple[Ints, Ints, Floats, Bools]:
        """Remove and return (worker, ts, demand, saturated) of the samples before ``limit_s``."""
        out = self.ts < limit_s
        taken = self.worker[out], self.ts[out], self.demand[out], self.saturated[out]
        self._keep(~out)
        return taken[0], taken[1], taken[2].astype(np.float64), taken[3]

    def clear(self, workers: Ints) -> None:
        """Forget some workers."""
        if len(self):
            self._keep(~np.isin(self.worker, workers))

    def _keep(self, rows: Bools) -> None:
        self.worker, self.ts = self.worker[rows], self.ts[rows]
        self.demand, self.saturated = self.demand[rows], self.saturated[rows]
