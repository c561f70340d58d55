"""Demand of all workers of a workload together, in blocks of five minutes.

It follows from the means and the counts that the usage model holds, and is computed where it is
read: a week of it would take as much memory as what it is made of.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from recommender.usage.blocks import minutes_per_block

if TYPE_CHECKING:
    from recommender.observation import Floats, Ints
    from recommender.usage.store import ResourceUsage


class Demand:
    """Blocks of one resource, of as many rows as the usage model has; see ``past.Blocks``."""

    def __init__(self, store: ResourceUsage) -> None:
        self._blocks = store.blocks
        self._store = store
        self.block_s, self.length = self._blocks.mean.block_s, self._blocks.mean.length
        self._first_row = self._others = np.empty(0, np.int64)

    def group(self, rows: Ints, first_row: Ints) -> None:
        """Say which usage rows are of one workload: those with the same first row."""
        is_other = rows != first_row
        self._others, self._first_row = rows[is_other], first_row[is_other]

    @property
    def block(self) -> Ints:
        """Number of the block in each slot; -1: none."""
        return self._blocks.mean.block

    @property
    def rows(self) -> int:
        """How many there are."""
        return self._blocks.mean.rows

    def held(self, first: int, last: int) -> Ints:
        """Return the slots of the blocks ``first <= block < last`` that are held, oldest first."""
        return self._blocks.mean.held(first, last)

    def read(self, slot: Ints, columns: Ints | None = None) -> NDArray[np.float32]:
        """Return the demand of the workloads with these first rows, ``[slots, columns]``."""
        columns = np.arange(self.rows) if columns is None else columns
        total = self._of_rows(slot, columns)
        column = np.full(self.rows, -1)
        column[columns] = np.arange(len(columns))
        belongs = column[self._first_row] >= 0
        for row, at in zip(self._others[belongs], column[self._first_row[belongs]], strict=True):
            more = self._of_rows(slot, np.array([row]))[:, 0]
            total[:, at] = np.where(
                np.isnan(more), total[:, at], np.nan_to_num(total[:, at]) + more
            )
        return total.astype(np.float32)

    def of(self, block: int, columns: Ints) -> NDArray[np.float32]:
        """Return ``read`` of one block, ``[columns]``; NaN where it is not held."""
        slot = self.held(block, block + 1)
        return (
            self.read(slot, columns)[0] if len(slot) else np.full(len(columns), np.nan, np.float32)
        )

    def _of_rows(self, slot: Ints, rows: Ints) -> Floats:
        demand = self._blocks.mean.read(slot, rows).astype(np.float64)
        demand *= self._blocks.count.read(slot, rows)
        demand /= minutes_per_block(self._store.step_s[rows])
        return demand
