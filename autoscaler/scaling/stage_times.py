"""How long each stage of one tick took."""

from __future__ import annotations

from contextlib import contextmanager
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

SNAPSHOT = "snapshot"
COLLECT = "collect"
OBSERVE = "observe"
DECIDE = "decide"
PLAN = "plan"
VALIDATE = "validate"
APPLY = "apply"
STAGES = (SNAPSHOT, COLLECT, OBSERVE, DECIDE, PLAN, VALIDATE, APPLY)
"""In the order in which they run."""


class StageTimes:
    """Measures stages by a clock that never goes back."""

    def __init__(self, monotonic_s: Callable[[], float]) -> None:
        self._monotonic_s = monotonic_s
        self._seconds: dict[str, float] = {}

    @contextmanager
    def of(self, stage: str) -> Iterator[None]:
        """Count what runs inside as a part of ``stage``, also where it fails."""
        begin_s = self._monotonic_s()
        try:
            yield
        finally:
            took_s = self._monotonic_s() - begin_s
            self._seconds[stage] = self._seconds.get(stage, 0.0) + took_s

    def seconds(self) -> Mapping[str, float]:
        """Return each stage that ran with its seconds, in the order in which they began."""
        return MappingProxyType(dict(self._seconds))
