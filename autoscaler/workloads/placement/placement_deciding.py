"""Which GPUs a pod gets, within quota, and their reservation: one decision at a time.

Choosing and reserving happen under the lock of the books, so that two pods never get the same room.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

from autoscaler.api.names import EventReason
from autoscaler.kube.resource import NODES, POOLS
from autoscaler.kube.store import Object
from autoscaler.workloads.books.card import Card
from autoscaler.workloads.books.claim import Claim
from autoscaler.workloads.books.inventory import hostname_of
from autoscaler.workloads.books.quota_totals import exceeded, read_totals
from autoscaler.workloads.books.quota_use import QuotaUse
from autoscaler.workloads.books.reading_claims import claim_of
from autoscaler.workloads.errors import OverbookedError
from autoscaler.workloads.nodes.node_books import NodeBooks
from autoscaler.workloads.nodes.node_fit import misfit
from autoscaler.workloads.placement.choose import choose, mode_of
from autoscaler.workloads.placement.demand import Demand
from autoscaler.workloads.placement.placement import placement_annotations, with_annotations
from autoscaler.workloads.placement.shortage import Shortage
from autoscaler.workloads.qos_rank import rank_of
from autoscaler.workloads.tools import Tools


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """GPUs of one node that were reserved for a pod."""

    hostname: str
    """Value of the node's label that the pod is bound by."""
    cards: tuple[Card, ...]
    claim: Claim


class PlacementDeciding:
    """Decides and reserves; thread-safe."""

    def __init__(self, tools: Tools, node_books: NodeBooks) -> None:
        self._tools = tools
        self._node_books = node_books

    def decide(self, pod: Object, demand: Demand) -> Placement | Shortage | None:
        """Return what was reserved for a pod, or what is missing.

        None: something is reserved for it already, which the cache will show.
        """
        books = self._tools.books
        with books.deciding():
            if books.claim(demand.uid) is not None:
                return None
            found = self._found(pod, demand)
            if isinstance(found, Placement):
                try:
                    books.reserve(found.claim)
                except OverbookedError as error:
                    # Cards of several models on one node: the largest share of all counts on each.
                    return _missing(demand, EventReason.NO_GPU_AVAILABLE, str(error))
                node = found.cards[0].node
                self._node_books.hold(demand.uid, node, demand.needs)
            return found

    def _found(self, pod: Object, demand: Demand) -> Placement | Shortage:
        books, cluster = self._tools.books, self._tools.cluster
        pool = cluster.store(POOLS).get(None, demand.pool)
        if pool is None:
            text = f"there is no GPUPool {demand.pool}"
            return _missing(demand, EventReason.NO_GPU_AVAILABLE, text, gpus=demand.count)
        rank, nominations = rank_of(demand.qos), self._tools.nominations
        choice = choose(
            demand,
            books.cards_of_pool(demand.pool),
            nominations.free_for(demand.uid, rank, books.free),
            self._misfit_of(demand, nominations.unkept(demand.uid, rank)),
            mode_of(pool),
        )
        if isinstance(choice, Shortage):
            return choice
        cards = choice.cards
        # Read as it will be read back, so that books and pods count the same.
        claim = claim_of(with_annotations(pod, placement_annotations(cards)), books.card)
        node = cluster.store(NODES).get(None, choice.node)
        assert claim is not None
        assert node is not None
        over = exceeded(
            read_totals(cluster.quotas(demand.namespace)),
            books.quota_use(demand.namespace),
            QuotaUse.of(claim),
        )
        if over:
            return _missing(demand, EventReason.QUOTA_EXCEEDED, over)
        return Placement(hostname=hostname_of(node), cards=cards, claim=claim)

    def _misfit_of(self, demand: Demand, unkept: Collection[str]) -> Callable[[str], str]:
        nodes = self._tools.cluster.store(NODES)

        def of(name: str) -> str:
            node = nodes.get(None, name)
            if node is None:
                return "its node is gone"
            return misfit(demand.needs, node, self._node_books.taken(name, unkept))

        return of


def _missing(demand: Demand, reason: EventReason, message: str, *, gpus: int = 0) -> Shortage:
    return Shortage(reason=reason, message=message, missing_gpus=gpus, gpu_model=demand.model)
