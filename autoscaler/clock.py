"""Time as a dependency, so that the loop runs live, simulated and in tests."""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """Where the loop takes its time from."""

    def now_s(self) -> int:
        """Return UTC seconds since the epoch."""
        ...


class SystemClock:
    """The machine's clock."""

    def now_s(self) -> int:
        """Return UTC seconds since the epoch."""
        return int(time.time())


class VirtualClock:
    """A clock that stands until it is moved."""

    def __init__(self, now_s: int) -> None:
        self._now_s = now_s

    def now_s(self) -> int:
        """Return the virtual time."""
        return self._now_s

    def advance_to(self, now_s: int) -> None:
        """Move forward; going back is a defect."""
        if now_s < self._now_s:
            raise ValueError(f"virtual time cannot go back from {self._now_s} to {now_s}")
        self._now_s = now_s
