"""Statistics of the last 24 h of 5-minute blocks, computed once per closed block."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from recommender.observation import Floats, Ints
from recommender.usage.blocks import BLOCKS_PER_HOUR, DAY_BLOCKS, minutes_per_block

if TYPE_CHECKING:
    from recommender.usage.store import ResourceUsage

ROWS_AT_ONCE = 1024
"""Whose day is sorted together, so that it needs little memory."""


class DayCache:
    """Percentiles and saturation of the last day, valid until the next block closes."""

    def __init__(self) -> None:
        self._key: tuple[int, int] | None = None
        self._percentile_of: tuple[Floats, Ints] | None = None
        """Levels and rows of ``_percentile``; None: it was not asked for since the block closed."""
        self._percentile: Floats = np.empty(0)
        self._highest_demand: Floats = np.empty(0)
        self._highest_mean_of_hour: Floats = np.empty(0)
        self._saturated_share: Floats = np.empty(0)

    def percentile(self, store: ResourceUsage, level: Floats, rows: Ints) -> Floats:
        """Return the nearest-rank percentile of the 5-minute maxima, ``[rows]``; NaN: no block."""
        self._refresh(store)
        asked = level, rows
        before = self._percentile_of
        if before is None or not all(map(np.array_equal, before, asked)):
            self._percentile = _percentile(store, level, rows)
            self._percentile_of = level.copy(), rows.copy()
        return self._percentile

    def highest_demand(self, store: ResourceUsage) -> Floats:
        """Return the highest 5-minute demand of all workers together, ``[workloads]``.

        NaN: no block, or use that is not shared out among workers, as VRAM.
        """
        self._refresh(store)
        return self._highest_demand

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
        self._percentile_of = None
        means = store.blocks.mean.window(last - DAY_BLOCKS, last)
        of_hour = store.blocks.mean.window(last - BLOCKS_PER_HOUR, last)
        self._highest_mean_of_hour = np.fmax.reduce(of_hour, axis=0, initial=np.nan).astype(
            np.float64
        )
        self._highest_demand = _highest_demand(store, last)
        measured = np.count_nonzero(~np.isnan(means), axis=0)
        saturated = store.blocks.saturated.window(last - DAY_BLOCKS, last).sum(axis=0)
        minutes = measured * minutes_per_block(store.step_s)
        self._saturated_share = np.minimum(saturated / np.maximum(minutes, 1), 1.0)


def _highest_demand(store: ResourceUsage, last: int) -> Floats:
    found = np.full(len(store.points), np.nan)
    if not store.resource.is_compressible:
        return found
    blocks = store.blocks
    slot = blocks.mean.held(last - DAY_BLOCKS, last)
    for begin in range(0, len(found), ROWS_AT_ONCE):
        few = slice(begin, begin + ROWS_AT_ONCE)
        demand = blocks.mean.values[slot, few] * blocks.count.values[slot, few]
        found[few] = np.fmax.reduce(demand, axis=0, initial=np.nan)
    return found / minutes_per_block(store.step_s)


def _percentile(store: ResourceUsage, level: Floats, rows: Ints) -> Floats:
    last, top = store.closed_block, store.blocks.top
    slot = top.held(last - DAY_BLOCKS, last)
    found = np.full(len(rows), np.nan)
    if len(slot) == 0:
        return found
    for begin in range(0, len(rows), ROWS_AT_ONCE):
        few = slice(begin, begin + ROWS_AT_ONCE)
        # NaN sorts last: the first `count` of each column are its values
        ordered = np.sort(top.read(slot, rows[few]), axis=0)
        count = (~np.isnan(ordered)).sum(axis=0)
        rank = np.ceil(level[few] * count - 1e-9).astype(np.int64) - 1
        rank = np.clip(rank, 0, np.maximum(count - 1, 0))
        found[few] = ordered[rank, np.arange(len(count))]
    return found
