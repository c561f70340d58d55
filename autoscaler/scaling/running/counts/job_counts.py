"""What became of the runs of each job, for metrics, and which of them are still running."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from threading import Condition
from types import MappingProxyType

from autoscaler.scaling.running.counts.duration_counts import (
    JOB_BUCKETS_S,
    DurationCounts,
    Durations,
)


class JobOutcome(StrEnum):
    """How a run of a job ended."""

    DONE = "done"
    FAILED = "failed"
    MISSED = "missed"
    """It could not begin before it was too late for it."""
    SKIPPED = "skipped"
    """The run before it had not ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSnapshot:
    """One job at one moment."""

    runs: Mapping[JobOutcome, int]
    """Of every outcome, since the process started."""
    durations: Durations
    last_done_s: float | None
    """UTC seconds of the end of the last run that was done; None: there was none."""
    is_failing: bool
    """Whether its last run failed."""


class JobCounts:
    """Counts the runs of some jobs; any thread may use it."""

    def __init__(
        self,
        names: Iterable[str],
        *,
        monotonic_s: Callable[[], float] = time.monotonic,
        now_s: Callable[[], float] = time.time,
    ) -> None:
        self._monotonic_s = monotonic_s
        self._now_s = now_s
        self._changed = Condition()
        self._runs = {name: dict.fromkeys(JobOutcome, 0) for name in names}
        self._durations = {name: DurationCounts(JOB_BUCKETS_S) for name in self._runs}
        self._last_done_s: dict[str, float] = {}
        self._failing: set[str] = set()
        self._running: dict[str, float] = {}

    @contextmanager
    def running(self, name: str) -> Iterator[None]:
        """Note that a job runs, and for how long."""
        start_s = self._monotonic_s()
        with self._changed:
            self._running[name] = start_s
        try:
            yield
        finally:
            with self._changed:
                del self._running[name]
                self._durations[name].observe(self._monotonic_s() - start_s)
                self._changed.notify_all()

    def ended(self, name: str, outcome: JobOutcome) -> None:
        """Count how a run ended."""
        with self._changed:
            self._runs[name][outcome] += 1
            if outcome is JobOutcome.DONE:
                self._last_done_s[name] = self._now_s()
                self._failing.discard(name)
            elif outcome is JobOutcome.FAILED:
                self._failing.add(name)

    def wait_until_none_runs(self, within_s: float) -> tuple[str, ...]:
        """Wait; return the jobs that run still."""
        with self._changed:
            self._changed.wait_for(lambda: not self._running, within_s)
            return tuple(self._running)

    def snapshot(self) -> Mapping[str, JobSnapshot]:
        """Return the numbers of every job."""
        with self._changed:
            return MappingProxyType(
                {
                    name: JobSnapshot(
                        runs=MappingProxyType(dict(runs)),
                        durations=self._durations[name].durations(),
                        last_done_s=self._last_done_s.get(name),
                        is_failing=name in self._failing,
                    )
                    for name, runs in self._runs.items()
                }
            )
