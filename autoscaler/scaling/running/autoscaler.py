"""The course of the process: caches, lead, state, jobs, and an end that leaves nothing half done.

A standby has its caches filled and decides nothing.  It campaigns only once they are filled, so
that a process that cannot work never keeps another one from leading.
"""

from __future__ import annotations

import gc
import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from autoscaler.errors import AutoscalerError
from autoscaler.scaling.running.health_gate import LOOK_EVERY_S, HealthGate
from autoscaler.scaling.running.jobs import Job, Jobs, Thread
from autoscaler.scaling.running.warming import Warming

if TYPE_CHECKING:
    from collections.abc import Mapping

    from autoscaler.clock import Clock
    from autoscaler.scaling.loop import Loop
    from autoscaler.scaling.running.checkpoints import Checkpoints
    from autoscaler.scaling.running.counts.job_counts import JobSnapshot
    from autoscaler.scaling.running.rules import AutoscalerRules
    from autoscaler.scaling.running.ticking import Ticking
    from autoscaler.scaling.running.warming import OpenSource

LOOK_S = 0.05
"""Between two looks for what is waited for."""
STUCK_TICKS = 10
LEAST_STUCK_S = 120.0
"""No tick for so many periods, and for so long, does not mend itself: every request has an end."""
LONGEST_END_S = 10.0
"""How long a tick, and after it the writes that it asked for, may take at the end."""
TICK, CHECKPOINT, HEALTH = "tick", "checkpoint", "health"
_log = logging.getLogger(__name__)


class Caches(Protocol):
    """What is known of a cluster; ``CacheSet`` is one."""

    def start(self) -> None:
        """Begin to fill them."""
        ...

    def stop(self) -> None:
        """Let them be as they are."""
        ...

    @property
    def has_synced(self) -> bool:
        """Return whether they are filled."""
        ...

    def problems(self) -> tuple[str, ...]:
        """Return what cannot be relied on."""
        ...


class Election(Protocol):
    """Who leads; ``Elector`` is one."""

    def start(self) -> None:
        """Begin to campaign."""
        ...

    def wait_until_leader(self, timeout_s: float) -> bool:
        """Wait for the lead; False after the timeout."""
        ...

    def stop(self) -> None:
        """Stop leading and hand over."""
        ...


class Service(Protocol):
    """A part with threads of its own that runs while this process leads."""

    def start(self) -> None:
        """Begin."""
        ...

    def stop(self) -> None:
        """Finish what is in hand, within a bounded time, and end."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What one process is made of; absent where its profile has no use for it."""

    rules: AutoscalerRules
    loop: Loop
    clock: Clock
    ticking: Ticking
    checkpoints: Checkpoints
    gate: HealthGate
    open_history: OpenSource
    """Opens the metrics once more, for the thread that reads the history."""
    caches: Caches | None = None
    election: Election | None = None
    services: Sequence[Service] = ()
    """Started in this order, and stopped in the opposite one."""
    jobs: Sequence[Job] = ()
    """Beside those of every process."""


class Autoscaler:
    """One autoscaler; ``run`` it once."""

    def __init__(self, parts: Parts, *, monotonic_s: Callable[[], float] = time.monotonic) -> None:
        self._parts = parts
        self._monotonic_s = monotonic_s
        self._jobs = Jobs(self._all_jobs())
        self._decides_since_s: float | None = None

    def problems(self) -> tuple[str, ...]:
        """Return why this process could not lead; nothing: it leads, or could at once."""
        caches = self._parts.caches
        return () if caches is None else caches.problems()

    def stuck(self) -> tuple[str, ...]:
        """Return what only a restart helps against; nothing: work goes on."""
        since_s = self._decides_since_s
        if since_s is None:
            return ()
        # The time before the first tick is that of this process, too.
        silent_s = min(self._parts.ticking.since_last_s(), self._monotonic_s() - since_s)
        longest_s = max(STUCK_TICKS * self._parts.rules.tick_s, LEAST_STUCK_S)
        return (f"no tick has ended for {longest_s:g} s",) if silent_s > longest_s else ()

    def jobs(self) -> Mapping[str, JobSnapshot]:
        """Return the numbers of every job."""
        return self._jobs.snapshot()

    def run(self, stop: threading.Event) -> None:
        """Work until ``stop`` is set, and return when all has ended.

        Raises ``AutoscalerError`` where it cannot go on.
        """
        caches, election = self._parts.caches, self._parts.election
        try:
            if caches is not None:
                caches.start()
                if not _wait_for(lambda: caches.has_synced, stop):
                    return
                _log.info("the caches are filled")
            # What the caches hold has no cycles; walking through it would stop every thread.
            gc.collect()
            gc.freeze()
            if election is None:
                self._lead(stop)
            else:
                self._campaign(election, stop)
        finally:
            if caches is not None:
                caches.stop()

    def _campaign(self, election: Election, stop: threading.Event) -> None:
        election.start()
        try:
            if _wait_for(lambda: election.wait_until_leader(LOOK_S), stop):
                self._lead(stop)
        finally:
            election.stop()

    def _lead(self, stop: threading.Event) -> None:
        parts = self._parts
        history = parts.checkpoints.begin(self._since_s(), now_s=parts.clock.now_s())
        warming = None
        if history is not None:
            warming = Warming(history, parts.open_history, parts.clock, step_s=parts.rules.step_s)
            parts.ticking.warm_by(warming)
        # A first look, so that the first tick is not held for want of one.
        parts.gate.look()
        started: list[Service] = []
        try:
            for service in parts.services:
                started.append(service)
                service.start()
            if warming is not None:
                warming.start()
            self._decides_since_s = self._monotonic_s()
            _log.info("decides from now on")
            self._jobs.start()
            stop.wait()
        finally:
            _log.info("about to end: finishing what is in hand")
            self._end(warming, started)

    def _end(self, warming: Warming | None, started: Sequence[Service]) -> None:
        """End the jobs first: what they began is finished by the services, and then kept."""
        late = self._jobs.stop(LONGEST_END_S)
        self._decides_since_s = None
        if warming is not None:
            warming.stop(LOOK_S)
        for service in reversed(started):
            service.stop()
        if late:
            _log.warning("did not end within %g s: %s", LONGEST_END_S, ", ".join(late))
            return
        try:
            self._parts.checkpoints.save()
        except AutoscalerError as error:
            _log.warning("the state is that of the last checkpoint: %s", error)

    def _since_s(self) -> int:
        return self._parts.clock.now_s() - self._parts.rules.since_s

    def _all_jobs(self) -> tuple[Job, ...]:
        parts, rules = self._parts, self._parts.rules
        checkpoint_s = rules.checkpoint_every_s
        return (
            Job(name=TICK, every_s=rules.tick_s, run=parts.ticking.run, thread=Thread.LOOP),
            Job(
                name=CHECKPOINT,
                every_s=checkpoint_s,
                run=parts.checkpoints.save,
                thread=Thread.LOOP,
                first_after_s=checkpoint_s,
            ),
            Job(name=HEALTH, every_s=LOOK_EVERY_S, run=parts.gate.look, first_after_s=LOOK_EVERY_S),
            *parts.jobs,
        )


def _wait_for(condition: Callable[[], bool], stop: threading.Event) -> bool:
    """Wait until a condition holds; False where ``stop`` was set first."""
    while not stop.is_set():
        if condition():
            return True
        stop.wait(LOOK_S)
    return False
