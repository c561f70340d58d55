"""Counts what the loops do, for the metrics.  One lock; every method is thread-safe."""

from __future__ import annotations

from bisect import bisect_left
from enum import StrEnum
from threading import Lock
from types import MappingProxyType

from autoscaler.agent.running.snapshot import APPLY_BUCKETS_S, AgentCounts


class Loop(StrEnum):
    """The loops of the agent."""

    CONTROL = "control"
    """Reads pages of use, shares GPUs, writes control pages."""
    SAMPLING = "sampling"
    """Asks the driver, and finds whose processes are on the GPUs."""
    INVENTORY = "inventory"
    """Looks for GPUs, and tells the cluster of them."""


class TurnCounts:
    """All counts since the agent was started."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._failures = dict.fromkeys(Loop, 0)
        self._page_errors = 0
        self._buckets = [0] * (len(APPLY_BUCKETS_S) + 1)
        self._sum_s = 0.0

    def failed(self, loop: Loop) -> None:
        """Count a turn that an error ended."""
        with self._lock:
            self._failures[loop] += 1

    def page_failed(self) -> None:
        """Count a page that could not be read or written."""
        with self._lock:
            self._page_errors += 1

    def applied(self, duration_s: float) -> None:
        """Count a change by the time until it was in force."""
        with self._lock:
            self._buckets[bisect_left(APPLY_BUCKETS_S, duration_s)] += 1
            self._sum_s += duration_s

    def snapshot(self) -> AgentCounts:
        """Return the counts of now."""
        with self._lock:
            return AgentCounts(
                loop_failures=MappingProxyType({str(k): v for k, v in self._failures.items()}),
                page_errors=self._page_errors,
                apply_buckets=tuple(self._buckets),
                apply_sum_s=self._sum_s,
            )
