"""When failed worker pods are replaced: later each time, so that nothing fails without end.

What is kept in memory here is only how often it happened; after a restart the failed pods that are
still there begin the count again.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from threading import Lock

from autoscaler.kube.condition import conditions_of
from autoscaler.kube.store import Object
from autoscaler.workloads.pod_state import has_ended, is_deleted

FIRST_S = 10.0
LONGEST_S = 300.0
_DOUBLINGS = 8


def backoff_s(failures: int) -> float:
    """Return the wait after so many failures in a row: 10 s, doubled each time, up to 5 min."""
    return min(FIRST_S * 2.0 ** min(failures - 1, _DOUBLINGS), LONGEST_S)


@dataclass(slots=True)
class _Failures:
    count: int = 0
    until_s: float = 0.0
    uids: set[str] = field(default_factory=set)
    """Failed pods that were counted."""


class WorkerFailures:
    """Failures by the UID of their workload; thread-safe."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._failures: dict[str, _Failures] = {}

    def observe(self, workload_uid: str, pods: Iterable[Object]) -> tuple[float, list[Object]]:
        """Return when failed pods may be replaced (UTC seconds), and those that failed just now.

        Pods that failed between two looks count once.  One that had served for longer than the
        longest wait begins the count again.
        """
        failed = [pod for pod in pods if has_ended(pod) and not is_deleted(pod)]
        with self._lock:
            if not failed:
                return 0.0, []
            failures = self._failures.setdefault(workload_uid, _Failures())
            new = [pod for pod in failed if pod["metadata"]["uid"] not in failures.uids]
            if new:
                last = max(new, key=ended_s)
                has_served = ended_s(last) - _began_s(last) >= LONGEST_S
                failures.count = 1 if has_served else failures.count + 1
                failures.until_s = ended_s(last) + backoff_s(failures.count)
            failures.uids = {pod["metadata"]["uid"] for pod in failed}
            return failures.until_s, new

    def forget(self, workload_uid: str) -> None:
        """Forget a workload that is gone."""
        with self._lock:
            self._failures.pop(workload_uid, None)


def ended_s(pod: Object) -> float:
    """Return when a pod that has ended did so, in UTC seconds, as far as its status tells."""
    times = [each.get("lastTransitionTime") for each in conditions_of(pod)]
    return max((_seconds(each) for each in times if each), default=_began_s(pod))


def _began_s(pod: Object) -> float:
    started = (pod.get("status") or {}).get("startTime")
    return _seconds(started or pod["metadata"]["creationTimestamp"])


def _seconds(time: str) -> float:
    return datetime.fromisoformat(time).timestamp()
