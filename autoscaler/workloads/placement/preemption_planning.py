"""Who would have to go for a worker that found no GPU, by the caches and the books.

To be asked within ``books.deciding()``.  What is done about it is ``preempting``; of those who may
go, who has to is ``victims``.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from autoscaler.api.control import Control, is_paused
from autoscaler.kube.resource import NODES, PODS, WORKLOADS
from autoscaler.kube.store import Object
from autoscaler.workloads.books.claim import Claim
from autoscaler.workloads.books.gpu_amounts import GpuAmounts
from autoscaler.workloads.books.quota_totals import exceeded, read_totals
from autoscaler.workloads.books.quota_use import QuotaUse
from autoscaler.workloads.books.reading_claims import claim_of
from autoscaler.workloads.cluster import gpus_of
from autoscaler.workloads.nodes.node_books import NodeBooks
from autoscaler.workloads.nodes.node_fit import misfit
from autoscaler.workloads.placement.demand import Demand
from autoscaler.workloads.placement.placement import placement_annotations, with_annotations
from autoscaler.workloads.placement.victims import Candidate, Sacrifice, choose_victims
from autoscaler.workloads.pod_state import has_controller, is_deleted
from autoscaler.workloads.qos_rank import NO_RANK, rank_of
from autoscaler.workloads.tools import Tools
from recommender.policy.first_generation import QOS

OVERDUE_S = 60.0
"""A pod that should have ended so long ago is stuck; its room is not counted on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PreemptionPlan:
    """Room for a worker, once some pods are gone."""

    node: str
    gpus: frozenset[str]
    request: GpuAmounts
    """Of each of these GPUs."""
    victims: tuple[Claim, ...]
    awaited: Mapping[str, tuple[str, str]]
    """Victims, and pods that are about to go anyway: UID to namespace and name."""


class PreemptionPlanning:
    """Plans; thread-safe."""

    def __init__(self, tools: Tools, node_books: NodeBooks) -> None:
        self._tools = tools
        self._node_books = node_books

    def plan(self, pod: Object, demand: Demand, spared: Collection[str]) -> PreemptionPlan | None:
        """Return who has to go for a worker; None: nobody who may could make room.

        Nobody is awaited where the room is there by now.  ``spared`` are UIDs of pods that stay.
        """
        rank = rank_of(demand.qos)
        books, nominations = self._tools.books, self._tools.nominations
        if not any(books.has_workers(demand.pool, qos) for qos in QOS[: max(rank, 0)]):
            return None
        sight = _Sight(self._tools, rank, spared)
        free = nominations.free_for(demand.uid, rank, books.free)
        unkept = nominations.unkept(demand.uid, rank)
        found = choose_victims(
            demand,
            books.cards_of_pool(demand.pool),
            lambda gpu: free(gpu) + sight.on(gpu).leaving_request,
            lambda gpu: sight.on(gpu).candidates,
            lambda node, uids: self._misfit(demand, node, {*uids, *sight.leaving, *unkept}),
        )
        return None if found is None else self._planned(pod, demand, found, sight)

    def has_unheard(self, pool: str) -> bool:
        """Return whether a worker of a pool is gone, and the books have yet to hear of it."""
        books, pods = self._tools.books, self._tools.cluster.store(PODS)
        claims = (
            claim
            for cards in books.cards_of_pool(pool).values()
            for card in cards
            for claim in books.claims_on(card.name)
        )
        return any(
            (pod := pods.get(claim.namespace, claim.pod)) is None
            or pod["metadata"]["uid"] != claim.uid
            for claim in claims
        )

    def _planned(
        self, pod: Object, demand: Demand, found: Sacrifice, sight: _Sight
    ) -> PreemptionPlan | None:
        books = self._tools.books
        claim = claim_of(with_annotations(pod, placement_annotations(found.cards)), books.card)
        assert claim is not None
        totals = read_totals(self._tools.cluster.quotas(demand.namespace))
        if exceeded(totals, books.quota_use(demand.namespace), QuotaUse.of(claim)):
            return None
        victims = tuple(each.claim for each in found.victims)
        leaving = [each for card in found.cards for each in sight.on(card.name).leaving]
        return PreemptionPlan(
            node=found.node,
            gpus=frozenset(claim.gpus),
            request=claim.request,
            victims=victims,
            awaited={each.uid: (each.namespace, each.pod) for each in (*victims, *leaving)},
        )

    def _misfit(self, demand: Demand, name: str, gone: Collection[str]) -> str:
        node = self._tools.cluster.store(NODES).get(None, name)
        if node is None:
            return "its node is gone"
        return misfit(demand.needs, node, self._node_books.taken(name, gone))


@dataclass(frozen=True, slots=True, kw_only=True)
class _OnGpu:
    """The workers on one GPU that may go, or go anyway."""

    candidates: tuple[Candidate, ...]
    leaving: tuple[Claim, ...]
    leaving_request: GpuAmounts


class _Sight:
    """What one plan looks at, each GPU and each pod once."""

    def __init__(self, tools: Tools, rank: int, spared: Collection[str]) -> None:
        self._tools = tools
        self._rank = rank
        self._spared = spared
        self._pods = tools.cluster.store(PODS)
        now_s = tools.clock.now_s()
        self._leaving = tools.nominations.awaited() | {
            pod["metadata"]["uid"]
            for pod in tools.cluster.leaving_pods()
            if _is_in_time(pod, now_s)
        }
        self._paused: dict[tuple[str, str], bool] = {}
        self._on: dict[str, _OnGpu] = {}

    @property
    def leaving(self) -> frozenset[str]:
        """Return the UIDs of the pods that are about to go, on all GPUs that were looked at."""
        return frozenset(each.uid for on in self._on.values() for each in on.leaving)

    def on(self, gpu: str) -> _OnGpu:
        """Return the workers on a GPU."""
        found = self._on.get(gpu)
        if found is None:
            found = self._on[gpu] = self._looked_at(gpu)
        return found

    def _looked_at(self, gpu: str) -> _OnGpu:
        candidates, leaving = [], []
        for claim in self._tools.books.claims_on(gpu):
            if claim.uid in self._leaving:
                leaving.append(claim)
                continue
            rank = rank_of(claim.qos)
            pod = self._movable(claim) if NO_RANK < rank < self._rank else None
            if pod is not None:
                candidates.append(Candidate(claim, rank, pod["metadata"]["creationTimestamp"]))
        return _OnGpu(
            candidates=tuple(candidates),
            leaving=tuple(leaving),
            leaving_request=sum((each.request for each in leaving), GpuAmounts()),
        )

    def _movable(self, claim: Claim) -> Object | None:
        """Return the pod of a claim, if it may be evicted and something makes it anew."""
        pod = self._pods.get(claim.namespace, claim.pod)
        if pod is None or pod["metadata"]["uid"] != claim.uid or claim.uid in self._spared:
            return None
        is_movable = not is_deleted(pod) and has_controller(pod) and gpus_of(pod) == claim.gpus
        return pod if is_movable and not self._is_paused(claim.namespace, claim.workload) else None

    def _is_paused(self, namespace: str, name: str) -> bool:
        found = self._paused.get((namespace, name))
        if found is None:
            workload = self._tools.cluster.store(WORKLOADS).get(namespace, name)
            found = self._paused[namespace, name] = is_paused(Control(), workload)
        return found


def _is_in_time(pod: Object, now_s: float) -> bool:
    ends = datetime.fromisoformat(pod["metadata"]["deletionTimestamp"])
    return now_s <= ends.timestamp() + OVERDUE_S
