"""Gated pods get their GPUs: the decision, the one write, and another try when something is freed.

Pods carry the truth; what is between a decision and the cache's showing it is in the books.
Who makes room for a pod that finds none is ``preempting``; what becomes of a pod after its gate is
gone is ``placed_pods``.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection
from datetime import datetime
from typing import TYPE_CHECKING

from autoscaler.api.names import (
    COMPONENT,
    POOL_LABEL,
    QOS,
    WORKLOAD_LABEL,
    Component,
    EventReason,
)
from autoscaler.errors import ForbiddenError, InvalidError
from autoscaler.kube.event import EventType, reference_of
from autoscaler.kube.lanes import Priority
from autoscaler.kube.resource import PODS
from autoscaler.kube.store import key_of
from autoscaler.workloads.errors import InvalidWorkerError
from autoscaler.workloads.nodes.volumes import volume_terms
from autoscaler.workloads.placement.demand import demand_of
from autoscaler.workloads.placement.placed_pods import PlacedPods
from autoscaler.workloads.placement.placement_deciding import Placement, PlacementDeciding
from autoscaler.workloads.placement.placement_problems import (
    PlacementProblem,
    PlacementProblems,
    WaitingSnapshot,
)
from autoscaler.workloads.placement.placement_writing import PlacementWriting
from autoscaler.workloads.placement.preempting import Preempting
from autoscaler.workloads.placement.shortage import Shortage
from autoscaler.workloads.pod_state import gates_of, has_ended, is_deleted, is_gated
from autoscaler.workloads.work import WorkKey, WorkKind

if TYPE_CHECKING:
    from autoscaler.kube.store import Object
    from autoscaler.workloads.books.freed import Freed
    from autoscaler.workloads.nodes.node_books import NodeBooks
    from autoscaler.workloads.tools import Tools

ACTION = "Place"
AT_ONCE = 8
"""So many pods that wait come again as soon as something is freed."""
LATER_S = 0.05
"""Each of the others comes so much later than the one before."""


class Placing:
    """Places pods; thread-safe, one thread for one pod at a time."""

    def __init__(
        self,
        tools: Tools,
        node_books: NodeBooks,
        *,
        monotonic_s: Callable[[], float] = time.monotonic,
    ) -> None:
        self._tools = tools
        self._deciding = PlacementDeciding(tools, node_books)
        self._writing = PlacementWriting(tools, node_books)
        self._problems = PlacementProblems()
        self._preempting = Preempting(tools, node_books, monotonic_s=monotonic_s)
        self._placed = PlacedPods(tools, monotonic_s=monotonic_s)
        tools.books.on_freed(self._on_freed)

    def shortage_of(self, uid: str) -> Shortage | None:
        """Return why a pod has no GPUs, or not those that it was given; None: all is well."""
        return self._problems.shortage_of(uid)

    def snapshot(self) -> WaitingSnapshot:
        """Return the numbers of the pods that wait."""
        return self._problems.snapshot()

    def retry(self, pools: Collection[str] | None = None) -> None:
        """Let the pods that wait, those of some pools or all, be looked at again in their order."""
        self._wake(lambda problem: pools is None or problem.pool in pools)

    def reconcile(self, namespace: str, name: str) -> None:
        """Place a pod that waits, or look after one that is placed.  Raises ``KubeError``."""
        pod = self._tools.cluster.store(PODS).get(namespace, name)
        if pod is None or has_ended(pod) or not _is_worker(pod):
            self._forget(namespace, name)
        elif not is_gated(pod):
            self._writing.conclude(pod)
            shortage = self._placed.look(pod)
            self._note(pod, shortage)
        elif is_deleted(pod) or len(gates_of(pod)) > 1:
            self._forget(namespace, name)
        else:
            self._place(pod)

    def _place(self, pod: Object) -> None:
        placement = self._writing.open_placement(pod)
        if placement is not None:
            self._write(pod, placement)
            return
        self._writing.forget(*key_of(pod))
        try:
            demand = demand_of(pod, volume_terms(pod, self._tools.cluster))
        except InvalidWorkerError as error:
            self._wait(pod, _invalid(str(error)))
            self._preempting.forget(*key_of(pod))
            return
        found = self._deciding.decide(pod, demand)
        if isinstance(found, Placement):
            self._write(pod, found)
        elif found is not None:
            self._wait(pod, self._preempting.plan(pod, demand, found))
            self._tools.work.add_after(
                _key(*key_of(pod)), self._tools.rules.waiting_s, Priority.STATUS
            )
            self._preempting.evict(pod)

    def _write(self, pod: Object, placement: Placement) -> None:
        try:
            self._writing.write(pod, placement)
        except (InvalidError, ForbiddenError) as error:
            self._wait(pod, _invalid(str(error)))
            self._preempting.forget(*key_of(pod))
            raise
        self._preempting.placed(*key_of(pod))
        self._note(pod, None)
        created_s = datetime.fromisoformat(pod["metadata"]["creationTimestamp"]).timestamp()
        self._tools.counts.placed(waited_s=max(self._tools.clock.now_s() - created_s, 0.0))
        gpus = ", ".join(card.uuid for card in placement.cards)
        self._tools.events.record(
            reference_of(PODS, pod),
            reason=EventReason.PLACED,
            action=ACTION,
            note=f"placed on node {placement.cards[0].node}, GPU {gpus}",
        )

    def _wait(self, pod: Object, shortage: Shortage) -> None:
        self._tools.events.record(
            reference_of(PODS, pod),
            reason=shortage.reason,
            action=ACTION,
            note=shortage.message,
            type=EventType.WARNING,
        )
        self._note(pod, shortage)

    def _note(self, pod: Object, shortage: Shortage | None) -> None:
        """Note what is wrong with a pod now; its workload's status tells of it."""
        metadata = pod["metadata"]
        if shortage is None:
            is_new = self._problems.forget(*key_of(pod))
        else:
            labels, annotations = metadata["labels"], metadata.get("annotations") or {}
            is_new = self._problems.note(
                PlacementProblem(
                    uid=metadata["uid"],
                    namespace=metadata["namespace"],
                    name=metadata["name"],
                    pool=labels.get(POOL_LABEL, ""),
                    qos=annotations.get(QOS, ""),
                    created=metadata["creationTimestamp"],
                    shortage=shortage,
                )
            )
        workload = metadata["labels"].get(WORKLOAD_LABEL)
        if is_new and workload:
            key = WorkKey(WorkKind.WORKLOAD, metadata["namespace"], workload)
            self._tools.work.add(key, Priority.STATUS)

    def _forget(self, namespace: str, name: str) -> None:
        self._problems.forget(namespace, name)
        self._writing.forget(namespace, name)
        self._placed.forget(namespace, name)
        if self._preempting.forget(namespace, name):
            self.retry()

    def _on_freed(self, freed: Freed) -> None:
        cards = (self._tools.books.card(gpu) for gpu in freed.gpus)
        pools = {card.pool for card in cards if card is not None}
        self._wake(lambda problem: problem.pool in pools or problem.namespace in freed.namespaces)

    def _wake(self, is_meant: Callable[[PlacementProblem], bool]) -> None:
        """Let pods come again: the first ones at once, the others later the more there are.

        Where a thousand wait and something is freed all the time, they would come all the time.
        """
        waiting = filter(self._may_be_helped, self._problems.waiting())
        for number, problem in enumerate(filter(is_meant, waiting)):
            key = _key(problem.namespace, problem.name)
            if number < AT_ONCE:
                self._tools.work.add(key, Priority.RAISE)
            else:
                later_s = min((number - AT_ONCE + 1) * LATER_S, self._tools.rules.waiting_s)
                self._tools.work.add_after(key, later_s, Priority.RAISE)

    def _may_be_helped(self, problem: PlacementProblem) -> bool:
        """Return whether a pod lacks only what others may free.

        One that is refused comes again when somebody changes it, and at a resync; one whose write
        fails just now does by itself, and must not be brought here by what it gives back.
        """
        is_refused = problem.shortage.reason is EventReason.INVALID_WORKER
        return not is_refused and not self._writing.is_open(problem.namespace, problem.name)


def _invalid(message: str) -> Shortage:
    return Shortage(
        reason=EventReason.INVALID_WORKER, message=message, missing_gpus=0, gpu_model=""
    )


def _is_worker(pod: Object) -> bool:
    return (pod["metadata"].get("labels") or {}).get(COMPONENT) == Component.WORKER


def _key(namespace: str, name: str) -> WorkKey:
    return WorkKey(WorkKind.POD, namespace, name)
