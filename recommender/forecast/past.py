"""What a forecast sees: use in closed blocks of time, newest last.

Arrays have time as their first axis, as the rings that they are read from; ``S`` columns are series
(a workload and GPU model in one resource), all of the rings or some.  No calendar is read: blocks
are counted back from now.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from recommender.forecast.series import SERIES_AT_ONCE, some_of
from recommender.observation import Floats, Ints
from recommender.usage.rings import TimeRing
from recommender.usage.store import DAY_S

DAYS_KEPT = 7
MEANS_KEPT = 48
"""Blocks whose means are looked at; of older ones it is the highest use that says something."""


class Blocks(Protocol):
    """What a past is read from: a ring of blocks, or what follows from such."""

    block_s: int
    length: int

    @property
    def block(self) -> Ints:
        """Number of the block in each slot; -1: none."""
        ...

    @property
    def rows(self) -> int:
        """How many there are."""
        ...

    def held(self, first: int, last: int) -> Ints:
        """Return the slots of the blocks ``first <= block < last`` that are held, oldest first."""
        ...

    def read(self, slot: Ints, columns: Ints | None = None) -> NDArray[Any]:
        """Return the values of some slots, ``[slots, columns]``."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """Blocks of use up to now; NaN where nothing was measured."""

    top: Blocks
    """Highest use (or a percentile of it) of each block, ``[S]``."""
    mean: Blocks
    block: int
    """Number of the newest block."""
    columns: Ints | None = None
    """[S] of the rings; None: all of them."""
    reach: Ints | None = None
    """[S] how many blocks count, at most; None: all that are held."""
    latest: Floats | None = None
    """[S] mean use of the end of the newest block; None: of all of it."""

    @property
    def series(self) -> int:
        """Number of series."""
        return self.top.rows if self.columns is None else len(self.columns)

    @property
    def day(self) -> int:
        """Blocks of a day."""
        return DAY_S // self.top.block_s

    @property
    def hour(self) -> int:
        """Blocks of an hour; 1 where they are longer."""
        return max(1, self.day // 24)

    def of(self, series: Ints) -> Past:
        """Return the same of some series."""
        return replace(
            self,
            latest=None if self.latest is None else self.latest[series],
            columns=series if self.columns is None else self.columns[series],
            reach=None if self.reach is None else self.reach[series],
        )

    def in_parts(self, compute: Callable[[Past, slice], Floats]) -> Floats:
        """Return ``[..., S]`` of what ``compute`` says of some series at a time, which it is told.

        What needs whole days of all series takes little memory so.
        """
        if self.series <= SERIES_AT_ONCE:
            return compute(self, slice(None))
        parts = (
            compute(self.of(np.arange(few.start, few.stop)), few) for few in some_of(self.series)
        )
        return np.concatenate(list(parts), axis=-1)

    def blocks_since_use(self) -> int:
        """Return how many blocks go back to the first with any use; 0 where there was none."""
        slot = self.top.held(0, self.block + 1)
        values = self.top.read(slot, self.columns)
        used = np.flatnonzero(~np.isnan(values).all(axis=1))
        return self.block + 1 - int(self.top.block[slot[used[0]]]) if len(used) else 0

    def lag(self, blocks: int) -> Floats:
        """Return the highest use so many blocks ago, ``[S]``; 0 is the newest block."""
        return np.asarray(self.lags(np.array([blocks]))[0], np.float64)

    def lags(self, blocks: Ints) -> Floats:
        """Return ``lag`` of each of ``blocks`` ``[n]``, ``[n, S]``."""
        wanted = self.block - blocks
        slot = wanted % self.top.length
        found = self.top.read(slot, self.columns).astype(np.float64)
        found[(self.top.block[slot] != wanted) | (wanted < 0)] = np.nan
        return (
            found if self.reach is None else np.where(blocks[:, None] < self.reach, found, np.nan)
        )

    def last(self, blocks: int, *, ago: int = 0) -> Floats:
        """Return the highest use of the blocks up to ``ago`` blocks before now, ``[<=n, S]``.

        Fewer where the past is shorter; blocks in it without any use are NaN.
        """
        return self._between(self.top, self.block + 1 - ago - blocks, self.block + 1 - ago)

    def last_means(self, blocks: int) -> Floats:
        """Return the mean use of the last blocks, ``[<=n, S]``."""
        return self._between(self.mean, self.block + 1 - blocks, self.block + 1)

    def latest_mean(self) -> Floats:
        """Return the mean use of the last minutes, ``[S]``; of the block where they are missing."""
        block = average(self.last_means(1))
        return block if self.latest is None else np.where(np.isnan(self.latest), block, self.latest)

    def _between(self, ring: Blocks, first: int, last: int) -> Floats:
        slot = ring.held(max(first, 0), max(last, 0))
        found = np.asarray(ring.read(slot, self.columns), np.float64)
        blocks = ring.block[slot]
        if len(slot) and len(slot) < last - blocks[0]:
            # what a series is told must not depend on whether others were measured
            found, held = np.full((last - blocks[0], found.shape[1]), np.nan), found
            found[blocks - blocks[0]] = held
            blocks = np.arange(blocks[0], last)
        if self.reach is None or not (self.block - max(first, 0) >= self.reach).any():
            return found
        return np.where((self.block - blocks)[:, None] < self.reach, found, np.nan)


def rings_of(block_s: int, series: int) -> tuple[TimeRing, TimeRing]:
    """Return empty rings, of tops and of means, as long as a forecast looks back."""
    day = DAY_S // block_s
    kept = DAYS_KEPT * day + 2, MEANS_KEPT
    tops, means = (TimeRing(block_s, blocks, np.float32, np.nan) for blocks in kept)
    for ring in (tops, means):
        ring.grow(series)
    return tops, means


def highest(values: Floats) -> Floats:
    """Return the maximum over time, ``[S]``; NaN where nothing was measured."""
    return np.asarray(np.fmax.reduce(values, axis=0, initial=np.nan), np.float64)


def average(values: Floats) -> Floats:
    """Return the mean over time, ``[S]``; NaN where nothing was measured."""
    known = ~np.isnan(values)
    count = known.sum(axis=0)
    total = np.where(known, values, 0.0).sum(axis=0)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def deviation(values: Floats) -> Floats:
    """Return the standard deviation over time, ``[S]``; NaN where nothing was measured."""
    return np.sqrt(np.maximum(average(values * values) - average(values) ** 2, 0.0))


def quantiles(values: Floats | NDArray[np.float32], levels: tuple[float, ...]) -> Floats:
    """Return quantiles over time, ``[levels, S]``: the value at rank ``level * (n - 1)``.

    NaN where nothing was measured.
    """
    if len(values) == 0:
        return np.full((len(levels), values.shape[1]), np.nan)
    ordered = np.sort(values, axis=0)
    count = (~np.isnan(values)).sum(axis=0)
    column = np.arange(values.shape[1])
    rank = (np.asarray(levels)[:, None] * np.maximum(count - 1, 0)).round().astype(np.int64)
    return np.asarray(ordered[rank, column], np.float64)
