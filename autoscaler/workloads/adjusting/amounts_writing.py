"""Writes amounts of workers, and knows of each write whether it was done.

What was written is read back before the cache shows it.  A write whose answer got lost may still
come through: what it asks for stays held until the pod's version has moved on, as that lets no
more than one of them through.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from autoscaler.api.names import PREFIX
from autoscaler.errors import ConflictError, KubeError
from autoscaler.kube.lanes import Priority
from autoscaler.kube.resource import PODS
from autoscaler.kube.store import Key, Object, key_of
from autoscaler.workloads.books.reading_claims import claim_of
from autoscaler.workloads.errors import InvalidWorkerError
from autoscaler.workloads.outcome import is_surely_not_written
from autoscaler.workloads.tools import Tools
from autoscaler.workloads.work import WorkKey, WorkKind

LONGEST_REQUEST_S = 90.0
"""An API server ends a request within 60 s; what was sent so long ago comes through no more."""


class _Written(NamedTuple):
    version: str
    annotations: Mapping[str, str]


class _Sent(NamedTuple):
    version: str
    """In which the pod was to be changed."""
    sent_s: float


@dataclass(slots=True)
class _Memory:
    """Of the pods of one workload, by their UID."""

    written: dict[str, _Written] = field(default_factory=dict)
    """Pods as they became, until the cache shows that."""
    unknown: dict[str, _Sent] = field(default_factory=dict)
    """Writes of which nobody knows whether they were done."""


class AmountsWriting:
    """Writes amounts; thread-safe, one thread for one workload at a time."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._memories: dict[Key, _Memory] = {}

    def newest(self, workload: Key, pods: Sequence[Object]) -> list[Object]:
        """Return the pods of a workload as this process knows them, where the cache shows these."""
        memory = self._memories.pop(workload, None)
        if memory is None:
            return list(pods)
        kept, newest = _Memory(), []
        for pod in pods:
            uid, version = pod["metadata"]["uid"], int(pod["metadata"]["resourceVersion"])
            sent, written = memory.unknown.get(uid), memory.written.get(uid)
            left_s = 0.0 if sent is None else self._left_s(sent)
            if sent is not None and (version > int(sent.version) or left_s <= 0):
                self._hold_as_it_is(pod)  # whatever became of the write, it shows
            elif sent is not None:
                kept.unknown[uid] = sent
                self._look_later(workload, left_s)
            if written is not None and version < int(written.version):
                kept.written[uid] = written
                pod = _as_written(pod, written)  # noqa: PLW2901 - the same pod, newer
            newest.append(pod)
        if kept.written or kept.unknown:
            self._memories[workload] = kept
        return newest

    def forget(self, workload: Key) -> None:
        """Forget a workload that is gone."""
        self._memories.pop(workload, None)

    def write(
        self, workload: Key, pod: Object, changes: Mapping[str, str], *, is_held: bool
    ) -> None:
        """Change amounts of a pod in the version that is given; ``changes`` by statement key.

        ``is_held`` says that the books hold what is asked for.  Raises a ``KubeError``; the books
        hold what the pod had where nothing was written for sure.
        """
        namespace, name = key_of(pod)
        uid, version = pod["metadata"]["uid"], pod["metadata"]["resourceVersion"]
        annotations = {f"{PREFIX}{key}": quantity for key, quantity in changes.items()}
        patch = {"metadata": {"resourceVersion": version, "annotations": annotations}}
        memory = self._memories.setdefault(workload, _Memory())
        try:
            live = self._tools.writer.write(
                lambda api: api.merge_patch(PODS, name, patch, namespace)
            )
        except KubeError as error:
            is_refused = is_surely_not_written(error)
            if not is_held or (is_refused and uid not in memory.unknown):
                self._cancel(uid, is_held=is_held)
            else:
                memory.unknown[uid] = _Sent(version, self._tools.clock.now_s())
                self._look_later(workload, LONGEST_REQUEST_S)
                if not is_refused or isinstance(error, ConflictError):
                    self._look(memory, pod)
            raise
        self._settle(memory, live, is_held=is_held)

    def _look(self, memory: _Memory, pod: Object) -> None:
        """Let the live pod say what became of a write, if its version has moved on."""
        namespace, name = key_of(pod)
        uid = pod["metadata"]["uid"]
        live = self._tools.writer.write(lambda api: api.get(PODS, name, namespace))
        if live["metadata"]["uid"] != uid:
            memory.unknown.pop(uid)
            self._tools.books.cancel(uid)
        elif live["metadata"]["resourceVersion"] != memory.unknown[uid].version:
            self._settle(memory, live, is_held=True)

    def _settle(self, memory: _Memory, pod: Object, *, is_held: bool) -> None:
        metadata = pod["metadata"]
        uid, version = metadata["uid"], metadata["resourceVersion"]
        memory.unknown.pop(uid, None)
        memory.written[uid] = _Written(version, metadata.get("annotations") or {})
        if is_held:
            self._hold_as_it_is(pod)

    def _hold_as_it_is(self, pod: Object) -> None:
        """Let the books hold what a pod has in its version, until the cache has shown it."""
        uid, version = pod["metadata"]["uid"], pod["metadata"]["resourceVersion"]
        try:
            claim = claim_of(pod, self._tools.books.card)
        except InvalidWorkerError:
            claim = None  # somebody else changed it meanwhile, and the cache will show it
        if claim is None:
            self._tools.books.cancel(uid)
        else:
            self._tools.books.settle(uid, claim, version)

    def _left_s(self, sent: _Sent) -> float:
        """Return for how long a write may come through yet."""
        return LONGEST_REQUEST_S - (self._tools.clock.now_s() - sent.sent_s)

    def _look_later(self, workload: Key, delay_s: float) -> None:
        key = WorkKey(WorkKind.WORKLOAD, *workload)
        self._tools.work.add_after(key, delay_s, Priority.STATUS)

    def _cancel(self, uid: str, *, is_held: bool) -> None:
        if is_held:
            self._tools.books.cancel(uid)


def _as_written(pod: Object, written: _Written) -> Object:
    metadata = {
        **pod["metadata"],
        "resourceVersion": written.version,
        "annotations": written.annotations,
    }
    return {**pod, "metadata": metadata}
