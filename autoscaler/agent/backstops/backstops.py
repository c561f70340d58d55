"""Carries out what the policy says about workers whose use is unaccounted."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping, Sequence

from autoscaler.agent.accounting.finding import Finding
from autoscaler.agent.backstops.freezer import Freezer
from autoscaler.agent.backstops.killing import kill
from autoscaler.agent.backstops.policy import FROZEN_S, BackstopPolicy, Measure, Step
from autoscaler.agent.mapping.pod_processes import PodProcess
from autoscaler.errors import AutoscalerError

_log = logging.getLogger(__name__)


class Backstops:
    """The policy, with the means to follow it.  Not thread-safe."""

    def __init__(
        self,
        policy: BackstopPolicy,
        freezer: Freezer,
        *,
        tell: Callable[[Finding], None],
        evict: Callable[[str], None],
    ) -> None:
        """``tell`` makes an event of a finding, ``evict`` evicts the pod of a UID."""
        self._policy = policy
        self._freezer = freezer
        self._tell = tell
        self._evict = evict

    def follow(
        self,
        findings: Sequence[Finding],
        pods: Mapping[int, PodProcess],
        workers: Collection[str],
        now_s: float,
    ) -> None:
        """Do what follows from sustained findings, and end what was frozen long enough.

        ``pods`` are processes of pods by host PID, ``workers`` the UIDs that are served here: none
        but those is touched.  ``now_s`` never goes back.  What fails is logged, and tried again
        when it is found again.
        """
        try:
            self._freezer.thaw(now_s)
        except AutoscalerError as error:
            _log.error("%s", error)
        for step in self._policy.steps(findings, now_s):
            if step.finding.uid not in workers:
                continue
            try:
                self._take(step, pods, now_s)
            except AutoscalerError as error:
                _log.error("%s of worker %s failed: %s", step.measure, step.finding.uid, error)

    def _take(self, step: Step, pods: Mapping[int, PodProcess], now_s: float) -> None:
        finding = step.finding
        # Who only says itself that it is of the pod may be anybody: a daemon of the node, say.
        own = [each for each in pods.values() if each.pod_uid == finding.uid and not each.is_hint]
        if step.measure is Measure.TELL:
            _log.warning("unaccounted use: %s", finding.text)
            self._tell(finding)
        elif step.measure is Measure.FREEZE:
            self._freezer.freeze(finding.uid, [each.pid for each in own], now_s + FROZEN_S)
        elif step.measure is Measure.EVICT:
            self._evict(finding.uid)
        else:
            guilty = set(finding.pids)
            for process in own:
                # A finding about the page names no process: the whole pod has forged it.
                if not guilty or process.pid in guilty:
                    kill(process.pid, process.start_time)
