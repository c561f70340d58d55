"""Statistics of the last 24 h of 5-minute blocks, computed once per closed block."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from recommender.observation import Floats, Ints
from recommender.usage.blocks import BLOCK_S, minutes_per_block
from recommender.usage.peaks import HOUR_S

if TYPE_CHECKING:
    from recommender.usage.store import ResourceUsage

DAY_BLOCKS = 288
BLOCKS_PER_HOUR = HOUR_S // BLOCK_S


class DayCache:
    """Percentiles and saturation of the last day, valid until the next block closes."""

    def __init__(self) -> None:
        self._key: tuple[int, int] | None = None
        self._sorted: Floats = np.empty((0, 0))
        self._count: Ints = np.empty(0, np.int64)
        self._highest_mean: Floats = np.empty(0)
        self._highest_mean_of_hour: Floats = np.empty(0)
        self._saturated_share: Floats = np.empty(0)

    def percentile(self, store: ResourceUsage, level: Floats, rows: Ints) -> Floats:
        """Return the nearest-rank percentile of the 5-minute maxima, ``[rows]``; NaN: no block."""
        self._refresh(store)
        count = self._count[rows]
        rank = np.ceil(level * count - 1e-9).astype(np.int64) - 1
        rank = np.clip(rank, 0, np.maximum(count - 1, 0))
        if len(self._sorted) == 0:
            return np.full(len(rows), np.nan)
        return np.asarray(self._sorted[rank, rows], np.float64)

    def highest_mean(self, store: ResourceUsage) -> Floats:
        """Return the highest 5-minute mean, ``[workloads]``; NaN: no block."""
        self._refresh(store)
        return self._highest_mean

    def highest_mean_of_hour(self, store: ResourceUsage) -> Floats:
        """Return the highest 5-minute mean of the last hour, ``[workloads]``; NaN: no block."""
        self._refresh(store)
        return self._highest_mean_of_hour

    def saturated_share(self, store: ResourceUsage) -> Floats:
        """Return the saturated share of measured minutes, ``[workloads]``; 0: nothing was seen."""
        self._refresh(store)
        return self._saturated_share

    def _refresh(self, store: ResourceUsage) -> None:
        last = store.closed_block
        key = (last, len(store.points))
        if key == self._key:
            return
        self._key = key
        window = store.blocks.top.window(last - DAY_BLOCKS, last)
        # NaN sorts last: the first `count` of each column are its values
        self._sorted = np.sort(window, axis=0)
        self._count = (~np.isnan(window)).sum(axis=0)
        self._highest_mean, self._highest_mean_of_hour = (
            np.fmax.reduce(
                store.blocks.mean.window(last - blocks, last), axis=0, initial=np.nan
            ).astype(np.float64)
            for blocks in (DAY_BLOCKS, BLOCKS_PER_HOUR)
        )
        saturated = store.blocks.saturated.window(last - DAY_BLOCKS, last).sum(axis=0)
        minutes = self._count * minutes_per_block(store.step_s)
        self._saturated_share = np.minimum(saturated / np.maximum(minutes, 1), 1.0)
