"""Which change leads to which look: the listeners to all caches.

Books are brought up to date first, so that whoever looks decides on them.  What is to be looked at
is a key of the queue, which holds each once.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING, Protocol

from autoscaler.kube.lanes import Priority
from autoscaler.kube.resource import (
    CONNECTIONS,
    DEPLOYMENTS,
    GPUS,
    JOBS,
    NODES,
    PODS,
    POOLS,
    QUOTAS,
    REPLICA_SETS,
    STATEFUL_SETS,
    WORKLOAD_PROFILES,
    WORKLOADS,
)
from autoscaler.kube.store import ChangeKind, key_of
from autoscaler.workloads.card_changes import CardChanges, Waiting, has_changed
from autoscaler.workloads.pod_changes import GATHERED_S, PodChanges
from autoscaler.workloads.work import WorkKey, WorkKind
from autoscaler.workloads.workload_keys import WorkloadKeys

if TYPE_CHECKING:
    from autoscaler.kube.store import Change, Object
    from autoscaler.workloads.books.freed import Freed
    from autoscaler.workloads.nodes.node_books import NodeBooks
    from autoscaler.workloads.tools import Tools

_OWNERS = (DEPLOYMENTS, STATEFUL_SETS, REPLICA_SETS, JOBS)


class CappedWorkloads(Protocol):
    """Workloads that have less than was decided; ``Adjusting`` has them."""

    def capped_workloads_on(
        self, gpus: Collection[str], namespaces: Collection[str]
    ) -> set[tuple[str, str]]:
        """Return (namespace, name) of those that lack room on a GPU or in a namespace's quota."""
        ...


def watch(
    tools: Tools, node_books: NodeBooks, *, waiting: Waiting, capped: CappedWorkloads
) -> None:
    """Listen to the caches, which are yet to be started."""
    workloads = WorkloadKeys(tools.cluster)
    listening = _Listening(tools, workloads, waiting, capped)
    cards = CardChanges(tools, node_books, workloads, waiting)
    pods = PodChanges(tools, node_books, cards.node_freed)
    store = tools.cluster.store
    store(PODS).on_change(pods)
    store(GPUS).on_change(cards.on_gpu)
    store(NODES).on_change(cards.on_node)
    store(POOLS).on_change(cards.on_pool)
    store(WORKLOADS).on_change(listening.on_workload)
    store(WORKLOAD_PROFILES).on_change(listening.on_profile)
    store(QUOTAS).on_change(listening.on_quota)
    store(CONNECTIONS).on_change(listening.on_connection)
    for resource in _OWNERS:
        store(resource).on_change(listening.on_owner)
    tools.cluster.controls.on_change(listening.on_control)
    tools.books.on_freed(listening.on_freed)


class _Listening:
    """The listeners that touch no books."""

    def __init__(
        self, tools: Tools, workloads: WorkloadKeys, waiting: Waiting, capped: CappedWorkloads
    ) -> None:
        self._work = tools.work
        self._cluster = tools.cluster
        self._workloads = workloads
        self._waiting = waiting
        self._capped = capped

    def on_workload(self, change: Change) -> None:
        """Look at a workload that somebody changed; what status says of it is no reason."""
        is_decision = change.kind is ChangeKind.MODIFIED and has_changed(change, _desired)
        if is_decision or has_changed(change, _own):
            priority = Priority.RAISE if is_decision else Priority.STATUS
            self._add([WorkKey(WorkKind.WORKLOAD, *key_of(change.obj))], priority)

    def on_profile(self, change: Change) -> None:
        """Look at the workloads whose pods name a profile."""
        if has_changed(change, _spec):
            self._add(self._workloads.of_profile(*key_of(change.obj)))

    def on_quota(self, change: Change) -> None:
        """Look at a quota, at the amounts that it caps, and at pods that it kept waiting."""
        if has_changed(change, _spec):
            self._add([WorkKey(WorkKind.QUOTA, *key_of(change.obj))])
            self._add(self._workloads.of_namespace(change.obj["metadata"]["namespace"]))
            self._waiting.retry()

    def on_connection(self, change: Change) -> None:
        """Look at the client of a connection."""
        self._add([WorkKey(WorkKind.CONNECTION, *key_of(change.obj))])

    def on_owner(self, change: Change) -> None:
        """Look at the workloads that an owner of pods has, or will have."""
        if has_changed(change, _own):
            self._add(self._workloads.of_owner(change.obj["metadata"]["uid"]))

    def on_control(self, change: Change) -> None:
        """Look at all workloads, since a switch may let them change or not."""
        if has_changed(change, lambda control: control.get("data")):
            self._add(self._workloads.all())

    def on_freed(self, freed: Freed) -> None:
        """Look at what shows that room, and at the workloads that got less for lack of it.

        At those a bit later, as what a failed write gives back brings its own workload here too.
        """
        self._add(WorkKey(WorkKind.GPU, "", gpu) for gpu in freed.gpus)
        for namespace in freed.namespaces:
            quotas = self._cluster.quotas(namespace)
            self._add(WorkKey(WorkKind.QUOTA, *key_of(quota)) for quota in quotas)
        for key in sorted(self._capped.capped_workloads_on(freed.gpus, freed.namespaces)):
            self._work.add_after(WorkKey(WorkKind.WORKLOAD, *key), GATHERED_S, Priority.RAISE)

    def _add(self, keys: Iterable[WorkKey], priority: Priority = Priority.STATUS) -> None:
        for key in keys:
            self._work.add(key, priority)


def _spec(obj: Object) -> object:
    return obj.get("spec")


def _desired(workload: Object) -> object:
    return (workload.get("status") or {}).get("desiredResources")


def _own(obj: Object) -> tuple[object, ...]:
    """Return all of an object that is neither its version nor its status."""
    metadata = obj["metadata"]
    keys = ("labels", "annotations", "ownerReferences", "deletionTimestamp")
    return (obj.get("spec"), *(metadata.get(key) for key in keys))
