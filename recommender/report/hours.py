"""Mean use of each hour of a whole history, for patterns that take longer than the model remembers.

Blocks of use are kept for a week, and a pattern of weeks shows after two.  A report reads its
history once, so the hours are taken from the blocks while these pass by.  Nothing is decided on it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recommender.observation import Floats, Ints
from recommender.resources import Resource
from recommender.usage.blocks import BLOCKS_PER_HOUR
from recommender.usage.model import UsageModel
from recommender.usage.peaks import HOUR_S

MOST_HOURS = 28 * 24


@dataclass(frozen=True, slots=True, kw_only=True)
class Hours:
    """Mean use of hours of the epoch, of some workloads."""

    mean: Floats
    """[W, R, H] oldest first; NaN where nothing was measured."""
    end_s: int
    """End of the newest hour, which may be yet to come."""


class LongMemory(UsageModel):
    """A usage model beside which the hours of up to 28 days are kept.

    Each step of time must be shorter than the week of its blocks, and no workload may be dropped.
    """

    def __init__(self, resources: Sequence[Resource]) -> None:
        super().__init__(resources)
        self._hours: list[dict[int, _Hour]] = [{} for _ in resources]
        self._taken = [0 for _ in resources]
        """Number of the first block of each resource that was not taken yet."""

    def advance(self, now_s: int, *, read_until_s: Sequence[int] | None = None) -> None:
        """Let time pass as every usage model does, and take what has closed."""
        super().advance(now_s, read_until_s=read_until_s)
        for resource, store in enumerate(self.stores):
            ring = store.blocks.mean
            for slot in ring.held(self._taken[resource], store.closed_block).tolist():
                hour = int(ring.block[slot]) // BLOCKS_PER_HOUR
                part = self._hours[resource].setdefault(hour, _Hour.empty())
                part.add(ring.values[slot])
            self._taken[resource] = max(self._taken[resource], store.closed_block)

    def hours(self, rows: Ints) -> Hours | None:
        """Return the hours of usage ``rows``; None where nothing was measured."""
        known = [hour for hours in self._hours for hour in hours]
        if not known:
            return None
        last = max(known)
        first = max(min(known), last + 1 - MOST_HOURS)
        mean = np.full((len(rows), len(self.stores), last + 1 - first), np.nan)
        for resource, hours in enumerate(self._hours):
            for hour, part in hours.items():
                if hour >= first:
                    mean[:, resource, hour - first] = part.mean(len(self.workloads))[rows]
        return Hours(mean=mean, end_s=(last + 1) * HOUR_S)


@dataclass(slots=True)
class _Hour:
    """Sum and number of the blocks of one hour, ``[rows]``."""

    total: NDArray[np.float32]
    count: NDArray[np.int8]

    @classmethod
    def empty(cls) -> _Hour:
        return cls(np.zeros(0, np.float32), np.zeros(0, np.int8))

    def add(self, block: NDArray[np.float32]) -> None:
        self._grow(len(block))
        known = ~np.isnan(block)
        self.total[: len(block)] += np.where(known, block, 0)
        self.count[: len(block)] += known

    def mean(self, rows: int) -> Floats:
        """Return the mean of each row; NaN where no block was measured."""
        self._grow(rows)
        return np.where(self.count > 0, self.total / np.maximum(self.count, 1), np.nan)

    def _grow(self, rows: int) -> None:
        more = max(0, rows - len(self.total))
        self.total = np.pad(self.total, (0, more))
        self.count = np.pad(self.count, (0, more))
