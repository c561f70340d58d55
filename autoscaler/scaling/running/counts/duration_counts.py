"""How long something took, counted by buckets as Prometheus wants its histograms."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

JOB_BUCKETS_S = (0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
STAGE_BUCKETS_S = (0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Durations:
    """Counts of durations at one moment."""

    ends_s: tuple[float, ...]
    """Upper ends of the buckets."""
    buckets: tuple[int, ...]
    """One number per bucket, and the last for all longer ones."""
    sum_s: float


class DurationCounts:
    """Counts durations; ``ends_s`` are the upper ends of the buckets.  Not for several threads."""

    def __init__(self, ends_s: Sequence[float]) -> None:
        self._ends_s = tuple(ends_s)
        self._buckets = [0] * (len(ends_s) + 1)
        self._sum_s = 0.0

    def observe(self, duration_s: float) -> None:
        """Count one."""
        self._buckets[bisect_left(self._ends_s, duration_s)] += 1
        self._sum_s += duration_s

    def durations(self) -> Durations:
        """Return the counts of now."""
        return Durations(ends_s=self._ends_s, buckets=tuple(self._buckets), sum_s=self._sum_s)
