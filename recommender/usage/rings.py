"""Values of the last blocks of time, for all rows, in one array.

A block is ``[start, start + block_s)``, aligned to the epoch.  Slots are the first axis, so that
one block of all rows lies together in memory.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from recommender.observation import Ints


class TimeRing:
    """``[length, rows]`` values, of which each slot holds one block of time."""

    def __init__(self, block_s: int, length: int, dtype: type, empty: float) -> None:
        self.block_s, self.length = block_s, length
        self.empty = empty
        self.values: NDArray[Any] = np.full((length, 0), empty, dtype)
        self.block: Ints = np.full(length, -1, np.int64)

    @property
    def newest(self) -> int:
        """Number of the newest block held; -1: none."""
        return int(self.block.max())

    def grow(self, rows: int) -> None:
        """Append empty rows until there are ``rows``."""
        more = rows - self.values.shape[1]
        if more > 0:
            new = np.full((self.length, more), self.empty, self.values.dtype)
            self.values = np.concatenate([self.values, new], axis=1)

    def clear(self, rows: Ints) -> None:
        """Empty some rows for reuse."""
        self.values[:, rows] = self.empty

    def slots(self, block: Ints) -> Ints:
        """Return the slot of each block, making room; -1 where the ring has moved past it."""
        if len(block) == 0:
            return np.empty(0, np.int64)
        wanted = np.unique(block[block > max(self.newest, int(block.max())) - self.length])
        stale = wanted[self.block[wanted % self.length] < wanted]
        if len(stale):
            self.values[stale % self.length] = self.empty
            self.block[stale % self.length] = stale
        slot: Ints = block % self.length
        slot[self.block[slot] != block] = -1
        return slot

    def put(self, block: Ints, row: Ints, value: NDArray[Any]) -> None:
        """Write values; blocks that the ring has moved past are left out."""
        slot = self.slots(block)
        kept = slot >= 0
        self.values[slot[kept], row[kept]] = value[kept]

    def at(self, block: Ints, row: Ints) -> NDArray[Any]:
        """Return the value of each (block, row); where the block is not held, an empty one."""
        slot = block % self.length
        held = self.block[slot] == block
        return np.where(held, self.values[slot, row], self.values.dtype.type(self.empty))

    def held(self, first: int, last: int) -> Ints:
        """Return the slots of the blocks ``first <= block < last`` that are held, oldest first."""
        last = min(last, self.newest + 1)
        first = max(first, last - self.length, 0)
        blocks = np.arange(first, last)
        slot: Ints = blocks % self.length
        return np.asarray(slot[self.block[slot] == blocks], np.int64)

    def window(self, first: int, last: int) -> NDArray[Any]:
        """Return ``[n, rows]`` of the held blocks ``first <= block < last``, oldest first."""
        return self.values[self.held(first, last)]
