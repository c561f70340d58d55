"""Values of the last blocks of time, for all rows, in one array.

A block is ``[start, start + block_s)``, aligned to the epoch.  Slots are the first axis, so that
one block of all rows lies together in memory.  A slot that holds no block yet is never written, so
that a ring takes memory as time fills it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from recommender.observation import Ints


class TimeRing:
    """``[length, rows]`` values, of which each slot holds one block of time, or none yet."""

    def __init__(self, block_s: int, length: int, dtype: type, empty: float) -> None:
        self.block_s, self.length = block_s, length
        self.empty = empty
        self.values: NDArray[Any] = np.zeros((length, 0), dtype)
        self.block: Ints = np.full(length, -1, np.int64)

    @property
    def newest(self) -> int:
        """Number of the newest block held; -1: none."""
        return int(self.block.max())

    @property
    def rows(self) -> int:
        """How many there are."""
        return int(self.values.shape[1])

    def grow(self, rows: int) -> None:
        """Append empty rows until there are ``rows``."""
        before = self.values.shape[1]
        if rows > before:
            held = self._all_held()
            # Not filled: the system gives memory to what is written.
            grown = np.zeros((self.length, rows), self.values.dtype)
            grown[held, :before] = self.values[held]
            grown[held, before:] = self.empty
            self.values = grown

    def clear(self, rows: Ints) -> None:
        """Empty some rows for reuse."""
        self.values[np.ix_(self._all_held(), rows)] = self.empty

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

    def add(self, block: Ints, row: Ints, value: NDArray[Any]) -> None:
        """Add to values, to one more than once; blocks that the ring has moved past are left out.

        Of a ring whose empty value is 0.
        """
        slot = self.slots(block)
        kept = (slot >= 0) & (value != 0)
        np.add.at(self.values, (slot[kept], row[kept]), value[kept].astype(self.values.dtype))

    def at(self, block: Ints, row: Ints) -> NDArray[Any]:
        """Return the value of each (block, row); where the block is not held, an empty one."""
        slot = block % self.length
        held = self.block[slot] == block
        return np.where(held, self.values[slot, row], self.values.dtype.type(self.empty))

    def set(self, block: int, values: NDArray[Any]) -> None:
        """Write one block of all rows, ``[rows]``."""
        self.slots(np.array([block]))
        self.values[block % self.length] = values

    def held(self, first: int, last: int) -> Ints:
        """Return the slots of the blocks ``first <= block < last`` that are held, oldest first."""
        last = min(last, self.newest + 1)
        first = max(first, last - self.length, 0)
        blocks = np.arange(first, last)
        slot: Ints = blocks % self.length
        return np.asarray(slot[self.block[slot] == blocks], np.int64)

    def read(self, slot: Ints, columns: Ints | None = None) -> NDArray[Any]:
        """Return the values of some slots, ``[slots, columns]``, of all rows where None are said.

        They may be the ring's own: who changes them copies them.
        """
        # neighbours need no copy before the columns are chosen
        are_neighbours = len(slot) > 0 and (np.diff(slot) == 1).all()
        values = self.values[slot[0] : slot[-1] + 1] if are_neighbours else self.values[slot]
        return values if columns is None else values[:, columns]

    def window(self, first: int, last: int) -> NDArray[Any]:
        """Return ``[n, rows]`` of the held blocks ``first <= block < last``, oldest first.

        As ``read`` does: who changes them copies them.
        """
        return self.read(self.held(first, last))

    def _all_held(self) -> Ints:
        return np.flatnonzero(self.block >= 0)
