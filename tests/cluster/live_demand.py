"""What the workloads of a test would use if nothing held them back.

A demand is a number, or points in time between which it moves in straight lines; before the first
and after the last one it stands still.  What a worker then gets is not said here: its limiter says.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

Course = float | Sequence[tuple[float, float]]
"""An amount, or points ``(UTC seconds, amount)`` in the order of time."""
Key = tuple[str, str]
"""Namespace and workload."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """What one workload would use."""

    tflops: Course = 0.0
    """Of all workers together where it is shared, else of each worker."""
    vram_bytes: Course = 0.0
    """Of each worker."""
    is_shared: bool = False
    """Spread evenly over the workers that are ready, as a balancer spreads requests."""
    shown_ratio: float = 1.0
    """Part of the use that the metrics show: below 1 they lie low.  What was refused or had to wait
    is shown as it is."""


NOTHING = Demand()


def amount_at(course: Course, now_s: float) -> float:
    """Return the amount of a course at one time."""
    if isinstance(course, int | float):
        return float(course)
    times_s = [point[0] for point in course]
    after = bisect_right(times_s, now_s)
    if after == 0:
        return float(course[0][1])
    if after == len(course):
        return float(course[-1][1])
    (begin_s, begin), (end_s, end) = course[after - 1], course[after]
    return begin + (end - begin) * (now_s - begin_s) / (end_s - begin_s)
