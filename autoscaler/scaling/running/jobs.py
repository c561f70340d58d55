"""The jobs of the process, one for each concern, by APScheduler.

All that touches the loop runs on one thread, one after the other; the others beside it, so that a
webhook or a scaler that answers slowly delays no decision.  A job acts on the present and not on
the time it was meant for: runs that came too late become one, and a run that fails is told once and
costs the next ones nothing.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from threading import Event

from apscheduler.events import (
    EVENT_JOB_ERROR,
    EVENT_JOB_EXECUTED,
    EVENT_JOB_MAX_INSTANCES,
    EVENT_JOB_MISSED,
    JobEvent,
    JobExecutionEvent,
)
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.interval import IntervalTrigger

from autoscaler.errors import AutoscalerError
from autoscaler.scaling.running.counts.job_counts import JobCounts, JobOutcome, JobSnapshot
from recommender.errors import RecommenderError

LATEST_PERIODS = 4
LATEST_S = 60.0
"""A run begins later by both of these, at most; after that the next one is waited for."""
_LIBRARY = "apscheduler"
_OUTCOMES = {
    EVENT_JOB_EXECUTED: JobOutcome.DONE,
    EVENT_JOB_ERROR: JobOutcome.FAILED,
    EVENT_JOB_MISSED: JobOutcome.MISSED,
    EVENT_JOB_MAX_INSTANCES: JobOutcome.SKIPPED,
}
_log = logging.getLogger(__name__)


class Thread(StrEnum):
    """Where a job runs."""

    LOOP = "loop"
    """On the one thread that the loop belongs to."""
    BESIDE = "beside"
    """On a thread of its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """Something that is done again and again, at first after ``first_after_s``."""

    name: str
    every_s: float
    run: Callable[[], object]
    thread: Thread = Thread.BESIDE
    first_after_s: float = 0.0


class Jobs:
    """Runs jobs between ``start`` and ``stop``; each at most once at a time."""

    def __init__(
        self, jobs: Sequence[Job], *, monotonic_s: Callable[[], float] = time.monotonic
    ) -> None:
        self._jobs = tuple(jobs)
        self._counts = JobCounts((job.name for job in jobs), monotonic_s=monotonic_s)
        self._stopping = Event()
        self._told: dict[str, str] = {}
        """Name to the error that was logged of it last."""
        beside = sum(job.thread is Thread.BESIDE for job in jobs)
        self._scheduler = BackgroundScheduler(
            timezone=UTC,
            executors={
                Thread.LOOP: _pool(Thread.LOOP, 1),
                Thread.BESIDE: _pool(Thread.BESIDE, max(beside, 1)),
            },
        )
        self._scheduler.add_listener(self._hear, sum(_OUTCOMES))
        # Whatever it logs of a job is told here, once for each change.
        logging.getLogger(_LIBRARY).setLevel(logging.CRITICAL)

    def start(self) -> None:
        """Begin."""
        now = datetime.now(UTC)
        for job in self._jobs:
            self._scheduler.add_job(
                self._runner(job),
                IntervalTrigger(seconds=job.every_s, timezone=UTC),
                id=job.name,
                executor=job.thread,
                next_run_time=now + timedelta(seconds=job.first_after_s),
                coalesce=True,
                max_instances=1,
                misfire_grace_time=math.ceil(max(LATEST_PERIODS * job.every_s, LATEST_S)),
            )
        self._scheduler.start()

    def stop(self, within_s: float) -> tuple[str, ...]:
        """Begin nothing more and wait for what runs; return the jobs that have not ended."""
        self._stopping.set()
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)
        return self._counts.wait_until_none_runs(within_s)

    def snapshot(self) -> Mapping[str, JobSnapshot]:
        """Return the numbers of every job."""
        return self._counts.snapshot()

    def _runner(self, job: Job) -> Callable[[], None]:
        def run() -> None:
            with self._counts.running(job.name):
                # Asked within, so that nothing begins once ``stop`` has seen that nothing runs.
                if not self._stopping.is_set():
                    job.run()

        return run

    def _hear(self, event: JobEvent) -> None:
        self._counts.ended(event.job_id, _OUTCOMES[event.code])
        if event.code == EVENT_JOB_ERROR:
            self._tell(event)
        elif event.code == EVENT_JOB_EXECUTED and self._told.pop(event.job_id, None):
            _log.info("job %s: all is well again", event.job_id)

    def _tell(self, event: JobExecutionEvent) -> None:
        error = event.exception
        text = f"{type(error).__name__}: {error}"
        if self._told.get(event.job_id) == text:
            return
        self._told[event.job_id] = text
        if isinstance(error, AutoscalerError | RecommenderError):
            _log.warning("job %s failed, and is tried again: %s", event.job_id, error)
        else:
            _log.error(
                "job %s: a defect, and the job goes on: %s\n%s", event.job_id, text, event.traceback
            )


def _pool(thread: Thread, workers: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(workers, pool_kwargs={"thread_name_prefix": str(thread)})
