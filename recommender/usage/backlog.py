"""Samples that are too old for the ring of recent ones, kept until their minutes close.

They come from histories and from loops that stood still; samples that a source has aggregated to
minutes always wait here.  Nothing is read from here but the samples of a time that closes, so
however a history is handed in, each of its minutes is made once.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from recommender.observation import Bools, Floats, Ints


class Backlog:
    """Columns of samples in any order."""

    def __init__(self) -> None:
        self.worker: NDArray[np.int32] = np.empty(0, np.int32)
        self.ts: Ints = np.empty(0, np.int64)
        self.demand: NDArray[np.float32] = np.empty(0, np.float32)
        self.top: NDArray[np.float32] = np.empty(0, np.float32)
        """Largest demand of the sample's minute where the source aggregated it; NaN: it did not."""
        self.saturated: Bools = np.empty(0, np.bool_)

    def __len__(self) -> int:
        return len(self.worker)

    def add(
        self, worker: Ints, ts: Ints, demand: Floats, saturated: Bools, top: Floats | None = None
    ) -> None:
        """Append samples; ``top`` only for aggregated ones."""
        if len(worker) == 0:
            return
        highest = np.full(len(worker), np.nan, np.float32) if top is None else top
        self.worker = np.append(self.worker, worker.astype(np.int32))
        self.ts = np.append(self.ts, ts)
        self.demand = np.append(self.demand, demand.astype(np.float32))
        self.top = np.append(self.top, highest.astype(np.float32))
        self.saturated = np.append(self.saturated, saturated)

    def take_before(self, limit_s: int) -> tuple[Ints, Ints, Floats, Bools, Floats]:
        """Remove and return (worker, ts, demand, saturated, top) of the samples before a time."""
        out = self.ts < limit_s
        taken = (
            self.worker[out].astype(np.int64),
            self.ts[out],
            self.demand[out].astype(np.float64),
            self.saturated[out],
            self.top[out].astype(np.float64),
        )
        self._keep(~out)
        return taken

    def clear(self, workers: Ints) -> None:
        """Forget some workers."""
        if len(self):
            self._keep(~np.isin(self.worker, workers))

    def _keep(self, rows: Bools) -> None:
        self.worker, self.ts = self.worker[rows], self.ts[rows]
        self.demand, self.top = self.demand[rows], self.top[rows]
        self.saturated = self.saturated[rows]
