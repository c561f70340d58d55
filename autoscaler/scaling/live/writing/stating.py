"""Puts statements into the status of workloads: by urgency, by several threads, within a deadline.

What was decided is written within the tick that decided it or not at all, so that no old decision
ever waits in a queue; the next tick decides anew.  What is merely shown waits for its turn.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

from autoscaler.kube.lanes import Priority
from autoscaler.kube.work_queue import WorkQueue, WorkQueueSnapshot
from autoscaler.scaling.live.writing.statement_writing import Basis, StatementWriting
from autoscaler.scaling.live.writing.write_results import (
    LATE,
    Result,
    WithdrawnError,
    WriteOutcome,
    failure_of,
)

if TYPE_CHECKING:
    from autoscaler.kube.store import Key
    from autoscaler.scaling.live.status.statement import Decided

WORKERS = 8
GET_TIMEOUT_S = 1.0
LONGEST_END_S = 10.0
"""How long requests in flight may take at the end."""
IDLE_LOOK_S = 0.02
_URGENT = (Priority.DENIAL, Priority.SATURATION, Priority.RAISE)
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What was decided for one workload."""

    key: Key
    decided: Decided
    basis: Basis
    priority: Priority
    then: Callable[[], str] | None = None
    """Called when it stands in the status; returns what failed, empty where nothing did."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StatingSnapshot:
    """The numbers of one moment."""

    queue: WorkQueueSnapshot
    outcomes: Mapping[WriteOutcome, int]
    """Since it was made."""


@dataclass(slots=True, eq=False)
class Asked:
    """Wishes that were asked for together."""

    left: int
    """So many of them have no result yet."""
    tickets: list[_Ticket] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class _Ticket:
    wish: Wish
    asked: Asked
    is_begun: bool = False
    is_withdrawn: bool = False
    result: Result | None = field(default=None)


class Stating:
    """Threads that write statements, between ``start`` and ``stop``."""

    def __init__(
        self,
        writing: StatementWriting,
        *,
        workers: int = WORKERS,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._writing = writing
        self._monotonic_s = monotonic_s
        self._queue = WorkQueue["Key"](monotonic_s=monotonic_s)
        self._changed = threading.Condition()
        self._tickets: dict[Key, _Ticket] = {}
        self._outcomes: Counter[WriteOutcome] = Counter()
        self._threads = [
            threading.Thread(target=self._run, name=f"stating-{number}", daemon=True)
            for number in range(workers)
        ]

    def start(self) -> None:
        """Begin to write."""
        for thread in self._threads:
            thread.start()

    def stop(self, *, deadline_s: float = LONGEST_END_S) -> None:
        """Write what waits, for at most so long, and end."""
        end_s = self._monotonic_s() + deadline_s
        while self._monotonic_s() < end_s and not self._is_idle():
            time.sleep(IDLE_LOOK_S)
        self._queue.close()
        for thread in self._threads:
            if thread.is_alive():
                thread.join(max(end_s - self._monotonic_s(), 0.0))

    def ask(self, wishes: Sequence[Wish]) -> Asked:
        """Let what was decided be written, at most one wish a workload; returns at once."""
        asked = Asked(len(wishes))
        asked.tickets += [_Ticket(wish, asked) for wish in wishes]
        with self._changed:
            self._tickets |= {ticket.wish.key: ticket for ticket in asked.tickets}
        for wish in wishes:
            self._queue.add(wish.key, wish.priority)
        return asked

    def results(self, asked: Asked, *, within_s: float) -> list[Result]:
        """Return what became of each wish.

        What is not begun within so long is withdrawn; for what was, its answer is waited for.
        """
        end_s = self._monotonic_s() + within_s
        with self._changed:
            while asked.left and (left_s := end_s - self._monotonic_s()) > 0:
                self._changed.wait(left_s)
            for ticket in asked.tickets:
                ticket.is_withdrawn = True
                if not ticket.is_begun:
                    self._settle(ticket, LATE)
            while asked.left:
                self._changed.wait()
        return [ticket.result or LATE for ticket in asked.tickets]

    def say(self, wish: Wish) -> None:
        """Write what follows from what others changed, when its turn comes; returns at once."""
        self.ask([wish])

    def show(self, key: Key) -> None:
        """Write what is to be shown of a workload, when its turn comes; returns at once."""
        self._queue.add(key, Priority.STATUS)

    def snapshot(self) -> StatingSnapshot:
        """Return the numbers of this moment."""
        with self._changed:
            outcomes = dict(self._outcomes)
        return StatingSnapshot(queue=self._queue.snapshot(), outcomes=MappingProxyType(outcomes))

    def _settle(self, ticket: _Ticket, result: Result) -> None:
        """Note what became of a wish, once; to be called under the lock."""
        if ticket.result is not None:
            return
        ticket.result = result
        ticket.asked.left -= 1
        self._outcomes[result.outcome] += 1
        if not ticket.asked.left:
            self._changed.notify_all()

    def _is_idle(self) -> bool:
        queue = self._queue.snapshot()
        return not any(queue.backlog.values()) and queue.in_hand == 0

    def _run(self) -> None:
        while not self._queue.is_closed:
            key = self._queue.get(GET_TIMEOUT_S)
            if key is None:
                continue
            try:
                self._write(key)
            finally:
                self._queue.done(key)

    def _write(self, key: Key) -> None:
        with self._changed:
            ticket = self._tickets.pop(key, None)
            if ticket is not None and ticket.is_withdrawn:
                ticket = None
        result = self._result(key, ticket)
        with self._changed:
            if ticket is None:
                self._outcomes[result.outcome] += 1
            else:
                self._settle(ticket, result)

    def _result(self, key: Key, ticket: _Ticket | None) -> Result:
        wish = None if ticket is None else ticket.wish
        priority = Priority.STATUS if wish is None else wish.priority

        def begin() -> None:
            with self._changed:
                if ticket is not None and ticket.is_withdrawn:
                    raise WithdrawnError("the tick is over")
                if ticket is not None:
                    ticket.is_begun = True

        try:
            is_written = self._writing.write(
                key,
                decided=None if wish is None else wish.decided,
                basis=None if wish is None else wish.basis,
                begin=begin,
                is_urgent=priority in _URGENT,
            )
            outcome = WriteOutcome.WRITTEN if is_written else WriteOutcome.UNCHANGED
            then = self._followed(ticket, begin)
        except Exception as error:  # noqa: BLE001 - one workload must not end the work on all others
            return self._failed(key, error)
        return Result(outcome=outcome, then=then)

    @staticmethod
    def _followed(ticket: _Ticket | None, begin: Callable[[], None]) -> str:
        """Do what is to follow, which is waited for as soon as any of it was begun."""
        if ticket is None or ticket.wish.then is None:
            return ""
        if not ticket.is_begun:
            begin()
        return ticket.wish.then()

    def _failed(self, key: Key, error: Exception) -> Result:
        """Return what an error means; what is to be shown comes again where that may help."""
        failure = failure_of(error)
        if failure.is_told:
            is_defect = failure.result.outcome is WriteOutcome.DEFECT
            name = "/".join(key)
            text = "workload %s: its status cannot be written: %s"
            _log.warning(text, name, failure.result.text, exc_info=error if is_defect else None)
        if failure.again_s is not None:
            self._queue.add_after(key, failure.again_s, Priority.STATUS)
        return failure.result
