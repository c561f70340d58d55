"""Room that was made for pods by evicting others, kept for them until they are placed.

Changed within ``books.deciding()`` only; a look needs no lock.  It is kept in memory: after a
restart the more important pod comes first all the same, by the order of those that wait.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from autoscaler.workloads.books.gpu_amounts import GpuAmounts


@dataclass(frozen=True, slots=True, kw_only=True)
class Nomination:
    """Room for one pod."""

    uid: str
    """Of the pod."""
    rank: int
    """How important it is; 0 is the least."""
    node: str
    gpus: frozenset[str]
    """Names of the GPU objects."""
    request: GpuAmounts
    """Of each of these GPUs."""
    awaited: Mapping[str, tuple[str, str]]
    """Pods that have to be gone first: UID to namespace and name."""
    until_s: float
    """Monotonic time from which it is nobody's any more."""


class Nominations:
    """The nominations of one controller, at most one for a pod."""

    def __init__(self) -> None:
        self._by_pod: Mapping[tuple[str, str], Nomination] = MappingProxyType({})
        """By namespace and name."""

    def get(self, namespace: str, name: str) -> Nomination | None:
        """Return what a pod is nominated for; None: nothing."""
        return self._by_pod.get((namespace, name))

    def put(self, namespace: str, name: str, nomination: Nomination) -> None:
        """Nominate a pod, in place of what it was nominated for."""
        self._by_pod = MappingProxyType({**self._by_pod, (namespace, name): nomination})

    def remove(self, namespace: str, name: str) -> Nomination | None:
        """Let a pod be nominated for nothing; return what it was."""
        found = self._by_pod.get((namespace, name))
        if found is not None:
            others = {key: each for key, each in self._by_pod.items() if each is not found}
            self._by_pod = MappingProxyType(others)
        return found

    def awaited(self) -> frozenset[str]:
        """Return the UIDs of all pods that have been chosen to go."""
        return frozenset(uid for each in self._by_pod.values() for uid in each.awaited)

    def free_for(
        self, uid: str, rank: int, free: Callable[[str], GpuAmounts]
    ) -> Callable[[str], GpuAmounts]:
        """Return ``free`` without what is kept for others that are as important or more."""
        kept = [each for each in self._by_pod.values() if _is_kept(each, uid, rank)]
        if not kept:
            return free

        def rest(gpu: str) -> GpuAmounts:
            on_gpu = (each.request for each in kept if gpu in each.gpus)
            return free(gpu) - sum(on_gpu, GpuAmounts())

        return rest

    def unkept(self, uid: str, rank: int) -> frozenset[str]:
        """Return the UIDs of the pods for which nothing is kept against a pod: itself included."""
        return frozenset(
            each.uid for each in self._by_pod.values() if not _is_kept(each, uid, rank)
        )


def _is_kept(nomination: Nomination, uid: str, rank: int) -> bool:
    return nomination.uid != uid and nomination.rank >= rank
