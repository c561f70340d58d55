"""Leader election of a process: one thread campaigns and renews, another ends the process on loss.

The process ends, and does not merely stop its loops, because nobody can prove that no thread of it
is about to write.  The watchdog is a thread of its own, so that a renewal that hangs cannot keep an
old leader alive.  The rules of the lease are ``candidate``.
"""

from __future__ import annotations

import logging
import os
import random
import socket
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from threading import Event, Thread
from typing import TYPE_CHECKING

from autoscaler.errors import KubeError
from autoscaler.kube.candidate import Candidate, Standing
from autoscaler.kube.lease import LONGEST_JITTER_RATIO, LeaseTimes, elapsed_s

if TYPE_CHECKING:
    from autoscaler.kube.api_server import ApiServer

EXIT_CODE = 1
_log = logging.getLogger("autoscaler.kube.elector")


@dataclass(frozen=True, slots=True, kw_only=True)
class ElectorSnapshot:
    """An elector at one moment."""

    identity: str
    standing: Standing
    is_leader: bool
    epoch: int | None
    """None: it never led."""
    holder: str
    """Who held the lease when it was seen last; empty: nobody."""
    changes: int
    """How often this process won or lost the lead."""
    failures: int
    """Steps that the API server did not answer as asked."""
    last_error: str
    """Empty where the last step went well."""


def process_identity() -> str:
    """Return a name that no other process has, also no later one of the same pod."""
    return f"{socket.gethostname()}_{uuid.uuid4()}"


class Elector:
    """Takes part in an election from ``start`` to ``stop``.

    Every write of a leader asks ``is_leader`` first.  ``exit_process`` is called with an exit code
    when the lead was lost; what it is given must not return in production.
    """

    def __init__(
        self,
        api: ApiServer,
        *,
        namespace: str,
        name: str,
        identity: str | None = None,
        times: LeaseTimes | None = None,
        exit_process: Callable[[int], object] = os._exit,
        now_s: Callable[[], float] = time.time,
        steady_s: Callable[[], float] = elapsed_s,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._times = LeaseTimes() if times is None else times
        self._name = f"{namespace}/{name}"
        self._candidate = Candidate(
            api,
            namespace=namespace,
            name=name,
            identity=process_identity() if identity is None else identity,
            times=self._times,
            now_s=now_s,
            steady_s=steady_s,
        )
        self._exit_process = exit_process
        self._jitter = jitter
        self._stopping = Event()
        self._leading = Event()
        self._changes = 0
        self._failures = 0
        self._last_error = ""
        self._threads = (
            Thread(target=self._run, name="elector", daemon=True),
            Thread(target=self._watch, name="elector-watchdog", daemon=True),
        )

    @property
    def identity(self) -> str:
        """Return the name of this candidate."""
        return self._candidate.identity

    @property
    def epoch(self) -> int | None:
        """Return the number of this reign, above that of every earlier one; None: never led."""
        return self._candidate.epoch

    def is_leader(self) -> bool:
        """Return whether this process may act now; never asks the API server."""
        return self._candidate.is_leader()

    def start(self) -> None:
        """Begin to campaign."""
        for thread in self._threads:
            thread.start()

    def wait_until_leader(self, timeout_s: float) -> bool:
        """Wait for the lead; False after the timeout, or where ``stop`` was called."""
        return self._leading.wait(timeout_s) and self.is_leader()

    def stop(self) -> None:
        """Stop leading and hand the lease over at once; the process goes on.

        To be called when the work has ended: another process may lead before this returns.
        """
        self._candidate.resign()
        self._stopping.set()
        self._leading.set()
        for thread in self._threads:
            if thread.is_alive():
                thread.join(self._times.renew_deadline_s)
        try:
            self._candidate.release()
        except KubeError as error:
            self._note(error)
            _log.warning("lease %s could not be released, and expires: %s", self._name, error)

    def snapshot(self) -> ElectorSnapshot:
        """Return the numbers of this moment."""
        candidate = self._candidate
        return ElectorSnapshot(
            identity=candidate.identity,
            standing=candidate.standing,
            is_leader=candidate.is_leader(),
            epoch=candidate.epoch,
            holder=candidate.holder,
            changes=self._changes,
            failures=self._failures,
            last_error=self._last_error,
        )

    def step(self) -> None:
        """Look once, as the campaigning thread does; an error is counted, for the next look."""
        before = self._candidate.standing
        try:
            self._candidate.step()
        except KubeError as error:
            if str(error) != self._last_error:
                _log.warning("lease %s: %s", self._name, error)
            self._note(error)
        else:
            # Why the lead was lost stays to be seen.
            if self._candidate.standing is not Standing.LOST:
                self._last_error = ""
        if before is not Standing.LEADING and self._candidate.standing is Standing.LEADING:
            self._changes += 1
            _log.info("leads by lease %s, epoch %s", self._name, self.epoch)
            self._leading.set()

    def watch(self) -> bool:
        """End the process where the lead was lost; return whether it goes on."""
        self._candidate.check_deadline()
        if self._candidate.standing is not Standing.LOST:
            return True
        self._changes += 1
        _log.critical("lost lease %s, so the process ends: %s", self._name, self._candidate.loss)
        self._exit_process(EXIT_CODE)
        return False

    def _run(self) -> None:
        while not self._stopping.is_set() and self._candidate.standing is not Standing.LOST:
            self.step()
            self._stopping.wait(self._pause_s())

    def _pause_s(self) -> float:
        """Return the time to the next look; candidates scatter theirs."""
        if self._candidate.standing is Standing.LEADING:
            return self._times.retry_s
        return self._times.retry_s * (1.0 + (LONGEST_JITTER_RATIO - 1.0) * self._jitter())

    def _watch(self) -> None:
        while not self._stopping.is_set() and self.watch():
            if not self._threads[0].is_alive() and not self._stopping.is_set():
                _log.critical("the thread of lease %s has died, so the process ends", self._name)
                self._exit_process(EXIT_CODE)
                return
            left_s, retry_s = self._candidate.left_s, self._times.retry_s
            self._stopping.wait(retry_s if left_s is None else min(max(left_s, 0.0), retry_s))

    def _note(self, error: KubeError) -> None:
        self._failures += 1
        self._last_error = str(error)
