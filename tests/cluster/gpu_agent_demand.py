"""What the workloads of a test would use: a file that the test writes and agents read.

Whoever runs on no GPU has no use of its own, so somebody has to say it.  A demand is a number, or
points in time between which it moves in straight lines; before the first and after the last one it
stands still.  What a worker then gets is not said here: that is its share of the card.
"""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

Course = float | Sequence[tuple[float, float]]
"""An amount, or points ``(UTC seconds, amount)`` in the order of time."""
Key = tuple[str, str]
"""Namespace and workload."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """What one workload would use if nothing held it back."""

    tflops: Course = 0.0
    """Of all workers together where it is shared, else of each worker and device."""
    vram_bytes: Course = 0.0
    """Of each worker and device."""
    is_shared: bool = False
    """Spread evenly over the workers that are ready, as a balancer spreads requests."""
    shown_ratio: float = 1.0
    """Part of the use that the metrics show: below 1 they lie low.  What was refused or had to wait
    is shown as it is."""


NOTHING = Demand()


def write_demands(path: Path, demands: Mapping[Key, Demand]) -> None:
    """Let agents read these demands from now on; who is not named has none."""
    text = {"/".join(key): asdict(demand) for key, demand in demands.items()}
    beside = path.with_name(f"{path.name}.new")
    beside.write_text(json.dumps(text), encoding="utf-8")
    beside.replace(path)


def read_demands(path: Path) -> dict[Key, Demand]:
    """Return what a test wrote; nothing where it has written nothing yet.

    Raises ``ValueError`` for a field that demands do not have.
    """
    if not path.exists():
        return {}
    known = [field.name for field in fields(Demand)]
    demands = {}
    for name, stated in json.loads(path.read_text(encoding="utf-8")).items():
        if unknown := stated.keys() - set(known):
            raise ValueError(f"{name}: {', '.join(sorted(unknown))}; allowed: {', '.join(known)}")
        namespace, _, workload = name.partition("/")
        demands[namespace, workload] = Demand(**stated)
    return demands


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
