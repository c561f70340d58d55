"""What is kept of a workload's week: maximum and mean of use, and its saturated minutes.

Use per 5 minutes; saturated minutes so for a day and per hour for the week.
"""

from __future__ import annotations

import numpy as np

from recommender.observation import Floats, Ints
from recommender.usage.minutes import MINUTE_S
from recommender.usage.peaks import HOUR_S
from recommender.usage.rings import TimeRing

BLOCK_S = 300
MINUTES_PER_BLOCK = BLOCK_S // MINUTE_S
BLOCKS_PER_HOUR = HOUR_S // BLOCK_S
DAY_BLOCKS = 86400 // BLOCK_S
BLOCKS_KEPT = 7 * DAY_BLOCKS
OPEN_BLOCKS = 4
"""Minutes close in the order of time, so only the newest blocks still take some."""

MOST_COUNTED = np.iinfo(np.uint16).max
"""Minutes of workers in one block: those of 13 000 workers."""


class Blocks:
    """5-minute blocks of all workloads in one resource."""

    def __init__(self, *, is_compressible: bool = True) -> None:
        self.top = TimeRing(BLOCK_S, BLOCKS_KEPT, np.float32, np.nan)
        self.mean = TimeRing(BLOCK_S, BLOCKS_KEPT, np.float32, np.nan)
        self.saturated = TimeRing(BLOCK_S, DAY_BLOCKS + OPEN_BLOCKS, np.uint8, 0)
        """Minutes with a saturated sample, of the last day."""
        self.saturated_of_hour = TimeRing(HOUR_S, BLOCKS_KEPT // BLOCKS_PER_HOUR + 1, np.uint8, 0)
        # demand of all workers together is asked for of compute alone
        counts_kept = BLOCKS_KEPT if is_compressible else OPEN_BLOCKS
        self.count = TimeRing(BLOCK_S, counts_kept, np.uint16, 0)
        """Minutes of workers that the mean is made of."""

    def grow(self, workloads: int) -> None:
        """Append workloads until there are so many."""
        for ring in self._rings():
            ring.grow(workloads)

    def clear(self, rows: Ints) -> None:
        """Empty some workloads for reuse."""
        for ring in self._rings():
            ring.clear(rows)

    def add(
        self, row: Ints, block: Ints, *, top: Floats, total: Floats, count: Floats, saturated: Ints
    ) -> None:
        """Fold in minutes, ``[n]`` each, every (row, block) once.

        ``total`` is the sum of the means of ``count`` minutes of workers.
        """
        before = self.count.at(block, row).astype(np.float64)
        mean = np.nan_to_num(self.mean.at(block, row).astype(np.float64))
        self.top.put(block, row, np.fmax(self.top.at(block, row), top))
        self.mean.put(block, row, (mean * before + total) / (before + count))
        self.saturated.add(block, row, saturated)
        self.saturated_of_hour.add(block // BLOCKS_PER_HOUR, row, saturated)
        self.count.put(block, row, np.minimum(before + count, MOST_COUNTED))

    def _rings(self) -> tuple[TimeRing, ...]:
        return self.top, self.mean, self.saturated, self.saturated_of_hour, self.count


def minutes_per_block(step_s: Ints) -> Floats:
    """Return how many minutes of a 5-minute block hold samples that are ``step_s`` apart.

    In the mean of blocks: of samples two minutes apart one has two, the next has three.
    """
    return np.clip(BLOCK_S / np.maximum(step_s, MINUTE_S), 1.0, MINUTES_PER_BLOCK)
