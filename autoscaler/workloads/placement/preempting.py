"""Workers of lower quality of service make room for one that found none, where its pool says so.

They are evicted, so that disruption budgets hold, and the room that they leave is kept for whom it
was made for, against all that are not more important.  Who has to go is ``preemption_planning``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from autoscaler.api.control import ProcessMode, is_paused
from autoscaler.api.names import EventReason
from autoscaler.errors import ConflictError, DisruptionError, NotFoundError
from autoscaler.kube.event import reference_of
from autoscaler.kube.lanes import Priority
from autoscaler.kube.resource import DISRUPTION_BUDGETS, PODS, POOLS
from autoscaler.kube.store import key_of
from autoscaler.workloads.books.nominations import Nomination
from autoscaler.workloads.placement.demand import qos_of
from autoscaler.workloads.placement.disruption_budgets import refused
from autoscaler.workloads.placement.preemption_planning import PreemptionPlan, PreemptionPlanning
from autoscaler.workloads.pod_state import is_deleted
from autoscaler.workloads.qos_rank import rank_of
from autoscaler.workloads.work import WorkKey, WorkKind
from recommender.policy.first_generation import QOS

if TYPE_CHECKING:
    from autoscaler.kube.store import Object
    from autoscaler.workloads.nodes.node_books import NodeBooks
    from autoscaler.workloads.placement.demand import Demand
    from autoscaler.workloads.placement.shortage import Shortage
    from autoscaler.workloads.tools import Tools

ACTION = "Preempt"
LOWER_QOS = "LowerQoS"
NOMINATED_S = 300.0
"""For so long room is kept for a pod; then it is planned anew."""
SETTLE_S = 1.0
"""How long a pod may take to get the room, once all have gone."""
SPARED_S = 60.0
"""A pod whose disruption budget allows no eviction is not chosen again for so long."""


class Preempting:
    """Makes room; thread-safe, one thread for one pod at a time."""

    def __init__(
        self, tools: Tools, node_books: NodeBooks, *, monotonic_s: Callable[[], float]
    ) -> None:
        self._tools = tools
        self._node_books = node_books
        self._planning = PreemptionPlanning(tools, node_books)
        self._monotonic_s = monotonic_s
        self._spared: dict[str, float] = {}
        """UIDs to when they may be chosen again; like all here, changed in ``deciding()`` only."""
        self._vain_s: dict[tuple[str, str], float] = {}
        """Pods for which nobody could make room, by namespace and name, and when that was so."""
        self._evicted: set[str] = set()
        """UIDs of pods whose eviction was granted and is not seen yet."""

    def plan(self, pod: Object, demand: Demand, shortage: Shortage) -> Shortage:
        """Nominate a pod that found no room, where others may go for it; ``evict`` follows.

        Returns what the pod waits for.
        """
        with self._tools.books.deciding():
            hindrance = self._hindrance(demand, shortage)
            if hindrance is not None:
                self._remove(*key_of(pod))
                return replace(shortage, message=shortage.message + hindrance)
            nomination = self._standing(pod)
            if nomination is None:
                nomination = self._nominated(pod, demand)
            else:
                self._node_books.hold(demand.uid, nomination.node, demand.needs)
            if nomination is None:
                return shortage
            text = f"waits for workers on node {nomination.node} to end, whose GPUs it gets"
            return replace(shortage, message=text, missing_gpus=0)

    def evict(self, pod: Object) -> None:
        """Evict those who have to go for a pod and do not yet.  Raises ``KubeError``."""
        nomination = self._tools.nominations.get(*key_of(pod))
        if nomination is None:
            return
        victims = self._present(nomination, is_staying=True)
        spared = self._refused(victims)
        for victim in victims if not spared else ():
            try:
                self._evict(victim, pod, nomination)
            except DisruptionError:
                spared = frozenset({victim["metadata"]["uid"]})
                break
        if spared:
            self._spare(spared)
            self.forget(*key_of(pod))
            self._tools.work.add(WorkKey(WorkKind.POD, *key_of(pod)), Priority.RAISE)

    def placed(self, namespace: str, name: str) -> None:
        """Keep nothing for a pod any more, which has its GPUs."""
        with self._tools.books.deciding():
            self._vain_s.pop((namespace, name), None)
            nomination = self._tools.nominations.remove(namespace, name)
            if nomination is not None:
                self._evicted -= nomination.awaited.keys()

    def forget(self, namespace: str, name: str) -> bool:
        """Keep nothing for a pod any more, which is gone; return whether something was."""
        with self._tools.books.deciding():
            self._vain_s.pop((namespace, name), None)
            return self._remove(namespace, name)

    def _hindrance(self, demand: Demand, shortage: Shortage) -> str | None:
        """Return None where workers may go for a pod, else what is to be told of it."""
        pool = self._tools.cluster.store(POOLS).get(None, demand.pool)
        placement = ((pool or {}).get("spec") or {}).get("placement") or {}
        is_wanted = placement.get("preemption") == LOWER_QOS
        if not is_wanted or shortage.reason is not EventReason.NO_GPU_AVAILABLE:
            return ""
        control = self._tools.cluster.control()
        if is_paused(control, pool):
            return "; no worker is evicted for it while the pool or everything is paused"
        if control.mode is ProcessMode.RECOMMEND:
            return "; no worker is evicted for it in mode recommend"
        return None

    def _standing(self, pod: Object) -> Nomination | None:
        """Return what a pod is nominated for, as long as that holds."""
        nominations, key, now_s = self._tools.nominations, key_of(pod), self._monotonic_s()
        nomination = nominations.get(*key)
        if nomination is None:
            return None
        if nomination.uid != pod["metadata"]["uid"] or nomination.until_s <= now_s:
            self._remove(*key)
            return None
        if nomination.awaited and not self._present(nomination):
            # Books and node books hear of the last one one after the other.
            nomination = replace(nomination, awaited={}, until_s=now_s + SETTLE_S)
            nominations.put(*key, nomination)
            self._tools.work.add_after(WorkKey(WorkKind.POD, *key), SETTLE_S, Priority.RAISE)
        return nomination

    def _nominated(self, pod: Object, demand: Demand) -> Nomination | None:
        now_s, key = self._monotonic_s(), key_of(pod)
        vain_s = self._vain_s.get(key)
        if vain_s is not None and now_s < vain_s + self._tools.rules.waiting_s:
            return None
        self._spared = {uid: until_s for uid, until_s in self._spared.items() if until_s > now_s}
        plan = self._planning.plan(pod, demand, self._spared)
        if plan is None:
            self._vain_s[key] = now_s
            return None
        self._vain_s.pop(key, None)
        if not plan.awaited or (plan.victims and self._planning.has_unheard(demand.pool)):
            # Room comes by itself in a moment.
            self._tools.work.add_after(WorkKey(WorkKind.POD, *key), SETTLE_S, Priority.RAISE)
            return None
        nomination = Nomination(
            uid=demand.uid,
            rank=rank_of(demand.qos),
            node=plan.node,
            gpus=plan.gpus,
            request=plan.request,
            awaited=plan.awaited,
            until_s=now_s + NOMINATED_S,
        )
        self._tools.nominations.put(*key, nomination)
        self._node_books.hold(demand.uid, plan.node, demand.needs)
        if plan.victims:
            self._tell(pod, plan)
        return nomination

    def _remove(self, namespace: str, name: str) -> bool:
        nomination = self._tools.nominations.remove(namespace, name)
        if nomination is None:
            return False
        self._evicted -= nomination.awaited.keys()
        if self._tools.books.claim(nomination.uid) is None:
            self._node_books.drop(nomination.uid)
        return True

    def _present(self, nomination: Nomination, *, is_staying: bool = False) -> list[Object]:
        """Return the pods that have to go and are there; ``is_staying``: that were not told."""
        store = self._tools.cluster.store(PODS)
        found = []
        for uid, key in nomination.awaited.items():
            pod = store.get(*key)
            is_there = pod is not None and pod["metadata"]["uid"] == uid
            if pod is None or not is_there or (is_staying and self._goes(pod)):
                continue
            found.append(pod)
        return found

    def _goes(self, pod: Object) -> bool:
        return is_deleted(pod) or pod["metadata"]["uid"] in self._evicted

    def _refused(self, victims: Sequence[Object]) -> frozenset[str]:
        found: set[str] = set()
        for namespace in sorted({each["metadata"]["namespace"] for each in victims}):
            own = [each for each in victims if each["metadata"]["namespace"] == namespace]
            found |= refused(own, self._budgets(namespace))
        return frozenset(found)

    def _budgets(self, namespace: str) -> list[Object]:
        pages = self._tools.writer.write(
            lambda api: list(api.pages(DISRUPTION_BUDGETS, namespace=namespace))
        )
        return [budget for page, _ in pages for budget in page]

    def _spare(self, uids: frozenset[str]) -> None:
        with self._tools.books.deciding():
            self._spared |= dict.fromkeys(uids, self._monotonic_s() + SPARED_S)

    def _evict(self, victim: Object, pod: Object, nomination: Nomination) -> None:
        metadata = victim["metadata"]
        namespace, name = key_of(victim)
        try:
            self._tools.writer.write(
                lambda api: api.evict(name, str(namespace), uid=metadata["uid"])
            )
        except (NotFoundError, ConflictError):
            return  # it is gone, which the cache will show
        with self._tools.books.deciding():
            self._evicted.add(metadata["uid"])
        self._tools.counts.preempted(qos_of(metadata["annotations"]))
        # No names of the other's: it may be somebody else's pod.
        self._tools.events.record(
            reference_of(PODS, victim),
            reason=EventReason.PREEMPTED,
            action=ACTION,
            note=(
                f"evicted from node {nomination.node}: a worker of quality of service "
                f"{QOS[nomination.rank]} (UID {pod['metadata']['uid']}) needs its GPUs"
            ),
        )

    def _tell(self, pod: Object, plan: PreemptionPlan) -> None:
        counts = Counter(each.qos for each in plan.victims)
        levels = ", ".join(f"{counts[qos]} {qos}" for qos in QOS if counts[qos])
        self._tools.events.record(
            reference_of(PODS, pod),
            reason=EventReason.PREEMPTED,
            action=ACTION,
            note=f"workers of lower quality of service on node {plan.node} are evicted: {levels}",
        )
