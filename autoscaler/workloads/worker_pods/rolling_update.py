"""How worker pods are replaced when their template changes: some at a time, as Deployments do.

A pool says it in ``componentConfig.worker.podTemplate.strategy.rollingUpdate``.  Which pods are
chosen is ``worker_plan``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_PERCENT = re.compile(r"(\d{1,3})%")
_ALLOWED = "a count such as 1, or a share such as '25%'"


@dataclass(frozen=True, slots=True, kw_only=True)
class RollingUpdate:
    """How many pods there may be too many, and too few, while they are replaced."""

    max_surge: int | str = 1
    """Above the wanted count: a count, or a percentage of it, rounded up."""
    max_unavailable: int | str = 0
    """Below the wanted count: a count, or a percentage of it, rounded down."""

    def surge(self, wanted: int) -> int:
        """Return how many pods there may be above ``wanted``; with no pods missing, at least 1."""
        surge = _count(self.max_surge, wanted, is_rounded_up=True)
        return max(surge, 0 if self.unavailable(wanted) else 1)

    def unavailable(self, wanted: int) -> int:
        """Return how many ready pods may be missing."""
        return min(_count(self.max_unavailable, wanted, is_rounded_up=False), wanted)


def read_rolling_update(strategy: object, path: str) -> tuple[RollingUpdate, tuple[str, ...]]:
    """Return what a ``strategy`` says, and what is wrong with it; the default counts there."""
    if strategy is None:
        return RollingUpdate(), ()
    rolling = strategy.get("rollingUpdate") if isinstance(strategy, Mapping) else strategy
    if not isinstance(rolling, Mapping | None):
        return RollingUpdate(), (f"{path}: {rolling!r} is not valid; allowed: a mapping",)
    values: dict[str, Any] = {}
    problems = []
    for key, field in (("maxSurge", "max_surge"), ("maxUnavailable", "max_unavailable")):
        value = (rolling or {}).get(key)
        if value is None:
            continue
        if _is_valid(value):
            values[field] = value
        else:
            problems.append(
                f"{path}.rollingUpdate.{key}: {value!r} is not valid; allowed: {_ALLOWED}"
            )
    return RollingUpdate(**values), tuple(problems)


def _is_valid(value: object) -> bool:
    if isinstance(value, int):
        return value >= 0 and not isinstance(value, bool)
    return isinstance(value, str) and _PERCENT.fullmatch(value) is not None


def _count(value: int | str, wanted: int, *, is_rounded_up: bool) -> int:
    if isinstance(value, int):
        return value
    share = int(value.removesuffix("%")) * wanted / 100
    return math.ceil(share) if is_rounded_up else math.floor(share)
