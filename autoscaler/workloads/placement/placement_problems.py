"""Which pods have no GPUs, or not those that they were given, and why; for status and metrics.

Pods that wait are tried again in the order that ``waiting`` returns.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from threading import Lock
from types import MappingProxyType

from autoscaler.api.names import EventReason
from autoscaler.workloads.placement.shortage import Shortage
from autoscaler.workloads.qos_rank import rank_of

OF_PLACED = frozenset(
    {EventReason.GPU_LOST, EventReason.UNSCHEDULABLE, EventReason.PLACEMENT_RELEASED}
)
"""Reasons of pods that have been placed; all others wait for their GPUs."""
MOST_MODELS = 100
"""That are counted by their names, since users may write any; all others count as ``OTHER``."""
OTHER = "other"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlacementProblem:
    """What keeps one pod from its GPUs."""

    uid: str
    namespace: str
    name: str
    pool: str
    qos: str
    created: str
    """Creation time of the pod, as the API writes it."""
    shortage: Shortage

    @property
    def is_waiting(self) -> bool:
        """Return whether the pod has no GPUs yet."""
        return self.shortage.reason not in OF_PLACED

    @property
    def turn(self) -> tuple[int, str, str, str]:
        """Return what orders pods that wait: the most important first, then the oldest."""
        return -rank_of(self.qos), self.created, self.namespace, self.name


class PlacementProblems:
    """The problems of now, one per pod; thread-safe."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._problems: dict[tuple[str, str], PlacementProblem] = {}
        self._names: dict[str, tuple[str, str]] = {}
        """UID to namespace and name."""

    def note(self, problem: PlacementProblem) -> bool:
        """Take what is wrong with a pod now; return whether that is new."""
        key = problem.namespace, problem.name
        with self._lock:
            before = self._problems.get(key)
            if before == problem:
                return False
            if before is not None:
                self._names.pop(before.uid, None)
            self._problems[key] = problem
            self._names[problem.uid] = key
            return True

    def forget(self, namespace: str, name: str) -> bool:
        """Let a pod have no problem any more; return whether it had one."""
        with self._lock:
            problem = self._problems.pop((namespace, name), None)
            if problem is None:
                return False
            self._names.pop(problem.uid, None)
            return True

    def shortage_of(self, uid: str) -> Shortage | None:
        """Return what is wrong with a pod; None: nothing, or it was not looked at yet."""
        with self._lock:
            key = self._names.get(uid)
            return None if key is None else self._problems[key].shortage

    def waiting(self) -> tuple[PlacementProblem, ...]:
        """Return the pods that wait for their GPUs, in the order of their turns."""
        with self._lock:
            waiting = [each for each in self._problems.values() if each.is_waiting]
        return tuple(sorted(waiting, key=lambda each: each.turn))

    def snapshot(self) -> WaitingSnapshot:
        """Return the numbers of this moment."""
        pods: Counter[tuple[str, str]] = Counter()
        missing_gpus: Counter[tuple[str, str]] = Counter()
        for each in self.waiting():
            pods[each.pool, str(each.shortage.reason)] += 1
            if each.shortage.missing_gpus:
                missing_gpus[each.pool, each.shortage.gpu_model] += each.shortage.missing_gpus
        return WaitingSnapshot(
            pods=MappingProxyType(dict(pods)),
            missing_gpus=MappingProxyType(dict(_with_most_models(missing_gpus))),
        )


def _with_most_models(missing_gpus: Counter[tuple[str, str]]) -> Counter[tuple[str, str]]:
    in_order = sorted(missing_gpus.items(), key=lambda item: (-item[1], item[0]))
    counted = Counter(dict(in_order[:MOST_MODELS]))
    for (pool, _), gpus in in_order[MOST_MODELS:]:
        counted[pool, OTHER] += gpus
    return counted


@dataclass(frozen=True, slots=True, kw_only=True)
class WaitingSnapshot:
    """Pods without GPUs at one moment."""

    pods: Mapping[tuple[str, str], int]
    """(pool, reason) to the number of pods that wait."""
    missing_gpus: Mapping[tuple[str, str], int]
    """(pool, GPU model) to the GPUs that are missing; the model is empty where the pods name none,
    ``OTHER`` where too many are named."""
