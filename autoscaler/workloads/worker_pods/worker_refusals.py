"""Worker pods that the API server refuses to make, and when each workload is tried again.

A refusal comes from what somebody wrote in a template, a quota or a policy.  Trying again at once
would only repeat it, and it may end without any change of the workload.
"""

from __future__ import annotations

from dataclasses import dataclass
from threading import Lock

from autoscaler.clock import Clock
from autoscaler.workloads.worker_pods.worker_failures import backoff_s
from autoscaler.workloads.worker_pods.worker_pods_result import WorkersProblem


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """The last refusal for a workload."""

    asked: str
    """What was asked for: the hash of the template."""
    count: int
    until_s: float
    problem: WorkersProblem


class WorkerRefusals:
    """Refusals by the UID of their workload; thread-safe."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = Lock()
        self._refusals: dict[str, Refusal] = {}

    def waiting(self, workload_uid: str, template_hash: str) -> tuple[WorkersProblem, float] | None:
        """Return why nothing is made for now, and for how many seconds; None: it may be tried."""
        with self._lock:
            refusal = self._refusals.get(workload_uid)
        if refusal is None or refusal.asked != template_hash:
            return None
        rest_s = refusal.until_s - self._clock.now_s()
        return (refusal.problem, rest_s) if rest_s > 0 else None

    def refused(self, workload_uid: str, template_hash: str, problem: WorkersProblem) -> float:
        """Note a refusal; return in how many seconds to try again."""
        with self._lock:
            before = self._refusals.get(workload_uid)
            is_same = before is not None and before.asked == template_hash
            count = before.count + 1 if before is not None and is_same else 1
            wait_s = backoff_s(count)
            self._refusals[workload_uid] = Refusal(
                asked=template_hash,
                count=count,
                until_s=self._clock.now_s() + wait_s,
                problem=problem,
            )
        return wait_s

    def forget(self, workload_uid: str) -> None:
        """Forget a workload for which pods are made again, or which is gone."""
        with self._lock:
            self._refusals.pop(workload_uid, None)
