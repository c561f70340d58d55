"""What follows from a change of a pod: what it holds, and which objects are to be looked at."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

from autoscaler.api.names import IN_FORCE, Component
from autoscaler.kube.store import Change, ChangeKind, key_of
from autoscaler.workloads.books.observed_claims import observed_claim
from autoscaler.workloads.cluster import gpus_of
from autoscaler.workloads.dispatch import urgency_of
from autoscaler.workloads.pod_state import component_of, has_ended, is_made_by_controller
from autoscaler.workloads.work import WorkKey, WorkKind
from autoscaler.workloads.workload_keys import workload_key_of

if TYPE_CHECKING:
    from autoscaler.kube.store import Object
    from autoscaler.workloads.nodes.node_books import NodeBooks
    from autoscaler.workloads.tools import Tools


GATHERED_S = 0.5
"""For so long changes of the pods of a workload are gathered; a pod that starts has several."""


class PodChanges:
    """Listens to the pods."""

    def __init__(
        self, tools: Tools, node_books: NodeBooks, node_freed: Callable[[str], None]
    ) -> None:
        """``node_freed`` is told the node where a pod takes less than before."""
        self._tools = tools
        self._node_books = node_books
        self._node_freed = node_freed

    def __call__(self, change: Change) -> None:
        """Bring the books up to date, then ask for the looks that follow."""
        node, work = self._observe(change), self._tools.work
        is_modified = change.kind is ChangeKind.MODIFIED
        for key in dict.fromkeys(self._keys(change)):
            urgency = urgency_of(key.kind)
            if is_modified and key.kind is WorkKind.WORKLOAD:
                work.add_after(key, GATHERED_S, urgency)
            else:
                work.add(key, urgency)
        if node:
            self._node_freed(node)

    def _observe(self, change: Change) -> str:
        """Tell the books, and return the node that has more room by that, else nothing."""
        books, pod = self._tools.books, change.obj
        uid = pod["metadata"]["uid"]
        if change.kind is ChangeKind.DELETED:
            books.observe_gone(uid)
            return self._node_books.observe_gone(pod)
        if component_of(pod) is not None or books.claim(uid) is not None:
            # The card must not change between what is read of it and what is kept.
            with books.deciding():
                claim = observed_claim(pod, books.card)
                books.observe(uid, claim, pod["metadata"]["resourceVersion"])
        return self._node_books.observe(pod)

    def _keys(self, change: Change) -> Iterator[WorkKey]:
        pod = change.obj
        component = component_of(pod)
        if component is None:
            return
        if component is Component.CLIENT:
            yield WorkKey(WorkKind.CONNECTION, *key_of(pod))
        elif not (_is_settled(change.old) and _is_settled(change.new)):
            yield WorkKey(WorkKind.POD, *key_of(pod))
        for state in (change.old, change.new):
            key = None if state is None else workload_key_of(state)
            if key is not None:
                yield key
        if _held(change.old) != _held(change.new):
            yield from self._holders(change)
        if is_made_by_controller(pod) or _is_gone_client(change):
            yield from self._clients(pod)

    def _holders(self, change: Change) -> Iterator[WorkKey]:
        """Return what shows how much is held: the GPUs, and the quotas of the namespace."""
        states = [state for state in (change.old, change.new) if state is not None]
        for gpu in dict.fromkeys(gpu for state in states for gpu in gpus_of(state)):
            yield WorkKey(WorkKind.GPU, "", gpu)
        for quota in self._tools.cluster.quotas(change.obj["metadata"]["namespace"]):
            yield WorkKey(WorkKind.QUOTA, *key_of(quota))

    def _clients(self, pod: Object) -> Iterator[WorkKey]:
        """Return the clients of a pod's workload, which a worker may serve now."""
        key = workload_key_of(pod)
        if key is not None:
            for each in self._tools.cluster.pods_of_workload(key.namespace, key.name):
                if component_of(each) is Component.CLIENT:
                    yield WorkKey(WorkKind.CONNECTION, *key_of(each))


def _is_gone_client(change: Change) -> bool:
    """Return whether a client leaves its worker to others."""
    is_gone = change.new is None or has_ended(change.new)
    return is_gone and component_of(change.obj) is Component.CLIENT


def _is_settled(pod: Object | None) -> bool:
    """Return whether a worker is bound and has not ended, so that placing is done with it."""
    if pod is None:
        return False
    return bool((pod.get("spec") or {}).get("nodeName")) and not has_ended(pod)


def _held(pod: Object | None) -> tuple[object, ...] | None:
    """Return what says how much a pod holds; None: nothing."""
    if pod is None or has_ended(pod) or component_of(pod) is not Component.WORKER:
        return None
    annotations: Mapping[str, str] = pod["metadata"].get("annotations") or {}
    return gpus_of(pod), *(annotations.get(key) for key in IN_FORCE)
