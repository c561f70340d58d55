"""Follows the policy about workers whose use is unaccounted, and leaves no pod frozen behind.

An agent that was killed while a pod was frozen could not thaw it: the next one does.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from autoscaler.agent.backstops.backstops import Backstops
from autoscaler.agent.backstops.freezer import Freezer
from autoscaler.agent.backstops.policy import Backstop, BackstopPolicy
from autoscaler.errors import AutoscalerError

if TYPE_CHECKING:
    from autoscaler.agent.accounting.finding import Finding
    from autoscaler.agent.mapping.pod_processes import PodProcess
    from autoscaler.agent.running.surroundings import Surroundings

_log = logging.getLogger(__name__)


class Acting:
    """Not thread-safe."""

    def __init__(
        self, backstop: Backstop, surroundings: Surroundings, freezer: Freezer | None = None
    ) -> None:
        self._freezes = backstop is Backstop.FREEZE
        self._freezer = Freezer() if freezer is None else freezer
        self._released: set[str] = set()
        """UIDs of workers that no earlier agent has left frozen."""
        self._backstops = Backstops(
            BackstopPolicy(backstop),
            self._freezer,
            tell=surroundings.tell_finding,
            evict=surroundings.evict,
        )

    def act(
        self,
        findings: Sequence[Finding],
        pods: Mapping[int, PodProcess],
        workers: frozenset[str],
        now_s: float,
    ) -> None:
        """Do what follows from sustained findings.

        ``pods`` are processes of workers on the GPUs by host PID, ``workers`` the UIDs of those
        that are served; ``now_s`` never goes back.  What fails is told in the log.
        """
        if self._freezes:
            self._release(pods, workers)
        self._backstops.follow(findings, pods, workers, now_s)

    def end(self) -> None:
        """Thaw what is frozen; what fails is told in the log."""
        try:
            self._freezer.thaw_all()
        except AutoscalerError as error:
            _log.error("%s", error)

    def _release(self, pods: Mapping[int, PodProcess], workers: frozenset[str]) -> None:
        self._released &= workers
        for uid in workers - self._released:
            own = (each for each in pods.values() if each.pod_uid == uid and not each.is_hint)
            pids = [process.pid for process in own]
            if not pids:
                continue
            self._released.add(uid)
            try:
                self._freezer.release(uid, pids)
            except AutoscalerError as error:
                _log.error("%s", error)
