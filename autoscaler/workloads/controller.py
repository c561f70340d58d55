"""The controller's course: caches, books, lead, work, and an end that leaves nothing half done.

A standby has its caches and books up to date and writes nothing.  It campaigns only once they are
filled, so that a process that cannot work never keeps another one from leading.
"""

from __future__ import annotations

import gc
import logging
import threading
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Protocol

from autoscaler.errors import AutoscalerError, KubeError
from autoscaler.kube.cache_problems import cache_problems
from autoscaler.kube.work_queue import WorkQueue
from autoscaler.workloads.controller_snapshot import ControllerSnapshot
from autoscaler.workloads.dispatch import Dispatch, named
from autoscaler.workloads.parts import Parts
from autoscaler.workloads.resync import Resync
from autoscaler.workloads.taking_over import learn_placements
from autoscaler.workloads.work import WorkKey

if TYPE_CHECKING:
    from autoscaler.kube.event_recorder import EventRecorder

LOOK_S = 0.05
"""Between two looks for what is waited for."""
RETRY_S = 1.0
LIVES_EVERY_S = 1.0
"""Between two looks at whether all threads live."""
STUCK_S = 600.0
"""A look that takes so long does not end any more: each request and each wait has an end."""
LONGEST_END_S = 10.0
"""How long work in hand may take at the end."""
Task = Callable[[threading.Event], None]
"""Runs until the event is set."""
_log = logging.getLogger(__name__)


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


class Controller:
    """One controller; ``run`` it once.

    ``tasks`` run beside the work of a leader, such as the keeper of the certificate.
    """

    def __init__(
        self,
        parts: Parts,
        queue: WorkQueue[WorkKey],
        *,
        election: Election,
        events: EventRecorder,
        tasks: Sequence[Task] = (),
    ) -> None:
        self._parts = parts
        self._queue = queue
        self._election = election
        self._events = events
        self._tasks = tasks
        self._dispatch = Dispatch(queue, parts.reconcilers, parts.tools.counts)
        self._resync = Resync(parts.tools)

    def problems(self) -> tuple[str, ...]:
        """Return why this process could not lead; nothing: it leads, or could at once."""
        return cache_problems(self._parts.tools.cluster.counts())

    def stuck(self) -> tuple[str, ...]:
        """Return what only a restart helps against; nothing: work goes on."""
        longest = self._queue.longest_in_hand()
        if longest is None or longest[1] < STUCK_S:
            return ()
        return (f"a worker has looked at {named(longest[0])} for more than {STUCK_S:g} s",)

    def snapshot(self) -> ControllerSnapshot:
        """Return the numbers of this moment."""
        return ControllerSnapshot(
            counts=self._parts.tools.counts.snapshot(),
            books=self._parts.tools.books.snapshot(),
            waiting=self._parts.placing.snapshot(),
        )

    def run(self, stop: threading.Event) -> None:
        """Work until ``stop`` is set, and return when all has ended.

        Raises ``AutoscalerError``, and sets ``stop``, where one of its threads has ended by itself.
        """
        cluster = self._parts.tools.cluster
        cluster.start()
        try:
            if not _wait_for(lambda: cluster.has_synced, stop):
                return
            self._resync.rebuild_books()
            # What the caches hold has no cycles; walking through it would stop every thread.
            gc.collect()
            gc.freeze()
            _log.info("the caches are filled and the books are made")
            self._election.start()
            try:
                if _wait_for(lambda: self._election.wait_until_leader(LOOK_S), stop):
                    self._lead(stop)
            finally:
                self._election.stop()
        finally:
            cluster.stop()

    def _lead(self, stop: threading.Event) -> None:
        if not self._take_over(stop):
            return
        self._resync.look_at_everything()
        count = self._parts.tools.rules.workers
        workers = [_thread(f"worker-{number}", self._dispatch.run) for number in range(count)]
        tasks = [
            _thread(f"task-{number}", partial(task, stop))
            for number, task in enumerate((self._resync.run, *self._tasks))
        ]
        self._events.start()
        for thread in (*workers, *tasks):
            thread.start()
        try:
            _wait_while_all_live((*workers, *tasks), stop)
        finally:
            _log.info("about to end: finishing what is in hand")
            self._queue.close()
            _join((*workers, *tasks))
            self._events.stop()

    def _take_over(self, stop: threading.Event) -> bool:
        while not stop.is_set():
            try:
                placed = learn_placements(self._parts.tools)
            except KubeError as error:
                _log.warning("the workers cannot be listed; again in %g s: %s", RETRY_S, error)
                stop.wait(RETRY_S)
            else:
                _log.info("leads, with %d placed workers", placed)
                return True
        return False


def _thread(name: str, run: Callable[[], None]) -> threading.Thread:
    def told() -> None:
        try:
            run()
        except Exception:  # noqa: BLE001 - who waits for the threads ends the process
            _log.exception("%s: a defect", name)

    return threading.Thread(target=told, name=name, daemon=True)


def _wait_while_all_live(threads: Sequence[threading.Thread], stop: threading.Event) -> None:
    while not stop.wait(LIVES_EVERY_S):
        ended = [thread.name for thread in threads if not thread.is_alive()]
        if ended and not stop.is_set():
            stop.set()
            raise AutoscalerError(f"{', '.join(ended)} ended by a defect, so the controller ends")


def _join(threads: Sequence[threading.Thread]) -> None:
    end_s = time.monotonic() + LONGEST_END_S
    for thread in threads:
        thread.join(max(end_s - time.monotonic(), 0.0))
    late = [thread.name for thread in threads if thread.is_alive()]
    if late:
        _log.warning("did not end within %g s: %s", LONGEST_END_S, ", ".join(late))


def _wait_for(condition: Callable[[], bool], stop: threading.Event) -> bool:
    """Wait until a condition holds; False where ``stop`` was set first."""
    while not stop.is_set():
        if condition():
            return True
        stop.wait(LOOK_S)
    return False
