"""Pods that this process made or deleted, until its cache shows that, so that it reads its writes.

Without this a workload that is looked at again at once would make its workers twice.  Names and
UIDs keep it harmless where the memory is lost: a name is taken once.
"""

from __future__ import annotations

from collections.abc import Sequence
from threading import Lock

from autoscaler.clock import Clock
from autoscaler.kube.store import Change, Object, Store, key_of
from autoscaler.kube.timestamps import time_text

LONGEST_S = 60.0
"""A cache that listed anew may have missed a pod that came and went; then it is forgotten."""


class OwnPodWrites:
    """What one process wrote of pods; thread-safe."""

    def __init__(self, pods: Store, clock: Clock) -> None:
        self._pods = pods
        self._clock = clock
        self._lock = Lock()
        self._made: dict[str, tuple[Object, float]] = {}
        self._deleted: dict[str, float] = {}
        """UID to when, as in the other one."""
        pods.on_change(self._seen)

    def made(self, pod: Object) -> None:
        """Note a pod that the API server answered a create with."""
        namespace, name = key_of(pod)
        with self._lock:
            shown = self._pods.get(namespace, name)
            if shown is None or _uid(shown) != _uid(pod):
                self._made[_uid(pod)] = (pod, self._clock.now_s())

    def deleted(self, pod: Object) -> None:
        """Note a pod that is deleted from now on."""
        with self._lock:
            self._made.pop(_uid(pod), None)
            self._deleted[_uid(pod)] = self._clock.now_s()

    def seen(self, pods: Sequence[Object], namespace: str) -> list[Object]:
        """Return the pods of a namespace as they are, where the cache shows ``pods``.

        Pods that were made are added, whatever workload they are of; those that were deleted say
        so.
        """
        oldest_s = self._clock.now_s() - LONGEST_S
        with self._lock:
            self._made = {uid: each for uid, each in self._made.items() if each[1] >= oldest_s}
            self._deleted = {uid: at for uid, at in self._deleted.items() if at >= oldest_s}
            shown = {_uid(pod) for pod in pods}
            made = [
                pod
                for uid, (pod, _) in self._made.items()
                if uid not in shown and pod["metadata"].get("namespace") == namespace
            ]
            return [*map(self._as_deleted, pods), *made]

    def _as_deleted(self, pod: Object) -> Object:
        at_s = self._deleted.get(_uid(pod))
        if at_s is None or pod["metadata"].get("deletionTimestamp"):
            return pod
        return {**pod, "metadata": {**pod["metadata"], "deletionTimestamp": time_text(at_s)}}

    def _seen(self, change: Change) -> None:
        uid = _uid(change.obj)
        with self._lock:
            self._made.pop(uid, None)
            if change.new is None or change.new["metadata"].get("deletionTimestamp"):
                self._deleted.pop(uid, None)


def _uid(pod: Object) -> str:
    return str(pod["metadata"].get("uid"))
