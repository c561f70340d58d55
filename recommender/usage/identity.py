"""Which row belongs to whom; freed rows are given out again, the lowest one first.

The order of use depends on the keys alone, so that a restored index goes on like the saved one.
"""

from __future__ import annotations

import heapq
from collections.abc import Hashable, Iterable, Sequence
from typing import Generic, TypeVar

import numpy as np

from recommender.observation import Ints

K = TypeVar("K", bound=Hashable)


class RowIndex(Generic[K]):
    """Keys to row numbers, both ways."""

    def __init__(self) -> None:
        self._row: dict[K, int] = {}
        self._free: list[int] = []
        self.keys: list[K | None] = []

    def __len__(self) -> int:
        """Return the number of rows ever made, freed ones included."""
        return len(self.keys)

    def rows(self, keys: Iterable[K]) -> Ints:
        """Return the row of each key; a new key gets a new (or a freed) row."""
        return np.fromiter((self._of(key) for key in keys), np.int64)

    def __contains__(self, key: object) -> bool:
        """Return whether a key has a row."""
        return key in self._row

    def known(self, keys: Iterable[K]) -> Ints:
        """Return the row of each key; -1 where there is none."""
        return np.fromiter((self._row.get(key, -1) for key in keys), np.int64)

    def rename(self, key: K, to: K) -> None:
        """Let the row of a key be that of another one, which has none."""
        row = self._row.pop(key)
        self._row[to] = row
        self.keys[row] = to

    def free(self, rows: Sequence[int] | Ints) -> None:
        """Give rows back."""
        for row in map(int, rows):
            key = self.keys[row]
            if key is not None:
                del self._row[key]
                self.keys[row] = None
                heapq.heappush(self._free, row)

    def restore(self, keys: Sequence[K | None]) -> None:
        """Take over rows from a checkpoint."""
        self.keys = list(keys)
        self._row = {key: row for row, key in enumerate(keys) if key is not None}
        self._free = [row for row, key in enumerate(keys) if key is None]

    def _of(self, key: K) -> int:
        row = self._row.get(key)
        if row is None:
            row = heapq.heappop(self._free) if self._free else len(self.keys)
            if row == len(self.keys):
                self.keys.append(key)
            else:
                self.keys[row] = key
            self._row[key] = row
        return row
