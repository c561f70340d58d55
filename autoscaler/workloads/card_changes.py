"""What follows from a change of a GPU, a node or a pool: cards, and who is to be looked at."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from autoscaler.kube.lanes import Priority
from autoscaler.kube.resource import GPUS, POOLS
from autoscaler.kube.store import Change, ChangeKind, key_of
from autoscaler.workloads.books.card_keeping import CardKeeping
from autoscaler.workloads.books.observed_claims import observed_claim
from autoscaler.workloads.work import WorkKey, WorkKind
from autoscaler.workloads.workload_keys import WorkloadKeys

if TYPE_CHECKING:
    from collections.abc import Collection

    from autoscaler.kube.store import Object
    from autoscaler.workloads.nodes.node_books import NodeBooks
    from autoscaler.workloads.tools import Tools


class Waiting(Protocol):
    """Pods that wait for GPUs; ``Placing`` has them."""

    def retry(self, pools: Collection[str] | None = None) -> None:
        """Let those of some pools, or all, be looked at again."""
        ...


class CardChanges:
    """Listens to GPUs, nodes and pools."""

    def __init__(
        self,
        tools: Tools,
        node_books: NodeBooks,
        workloads: WorkloadKeys,
        waiting: Waiting,
    ) -> None:
        self._tools = tools
        self._node_books = node_books
        self._workloads = workloads
        self._waiting = waiting
        self._cards = CardKeeping(tools.cluster, tools.books)

    def on_gpu(self, change: Change) -> None:
        """Bring a card up to date."""
        name = change.obj["metadata"]["name"]
        self._look([name])
        self._add(WorkKey(WorkKind.GPU, "", name))

    def on_node(self, change: Change) -> None:
        """Bring the cards of a node up to date; heartbeats change nothing."""
        if not has_changed(change, _of_node):
            return
        node = change.obj["metadata"]["name"]
        self._look(gpu["metadata"]["name"] for gpu in self._cards.of_node(node))
        if has_changed(change, lambda node: node["metadata"].get("labels")):
            self._add_pools()
        self.node_freed(node)

    def on_pool(self, change: Change) -> None:
        """Bring all cards up to date, since nodes may come from other pools and go there."""
        if not has_changed(change, lambda pool: (pool.get("spec"), _annotations(pool))):
            return
        if has_changed(change, lambda pool: pool.get("spec")):
            gpus = self._tools.cluster.store(GPUS).items()
            self._look(gpu["metadata"]["name"] for gpu in gpus)
        self._add_pools()
        name = change.obj["metadata"]["name"]
        for key in self._workloads.of_pool(name):
            self._add(key)
        self._waiting.retry([name])

    def node_freed(self, node: str) -> None:
        """Let pods be tried again that wait for a GPU of a node's pool."""
        names = (gpu["metadata"]["name"] for gpu in self._cards.of_node(node))
        cards = (self._tools.books.card(name) for name in names)
        pools = {card.pool for card in cards if card is not None and card.pool}
        if pools:
            self._waiting.retry(pools)

    def _look(self, gpus: Iterable[str]) -> None:
        changed = self._cards.look(gpus)
        for name in dict.fromkeys(card.name for card in changed):
            self._observe_pods(name)
            self._add(WorkKey(WorkKind.GPU, "", name))
            for pod in self._tools.cluster.pods_on_gpu(name):
                self._add(WorkKey(WorkKind.POD, *key_of(pod)))
        for pool in dict.fromkeys(card.pool for card in changed if card.pool):
            self._add(WorkKey(WorkKind.POOL, "", pool))

    def _observe_pods(self, gpu: str) -> None:
        """Take the pods on a GPU again: what they hold may depend on its card."""
        books, cluster = self._tools.books, self._tools.cluster
        with books.deciding():
            for pod in cluster.pods_on_gpu(gpu):
                metadata = pod["metadata"]
                claim = observed_claim(pod, books.card)
                books.observe(metadata["uid"], claim, metadata["resourceVersion"])
        card = books.card(gpu)
        if card is not None:
            self._node_books.observe_card(card)

    def _add_pools(self) -> None:
        for pool in self._tools.cluster.store(POOLS).items():
            self._add(WorkKey(WorkKind.POOL, *key_of(pool)))

    def _add(self, key: WorkKey) -> None:
        self._tools.work.add(key, Priority.STATUS)


def has_changed(change: Change, part: Callable[[Object], object]) -> bool:
    """Return whether a part of an object is another one, or the object has come or gone."""
    if change.kind is not ChangeKind.MODIFIED or change.old is None or change.new is None:
        return True
    return part(change.old) != part(change.new)


def _of_node(node: Object) -> tuple[object, ...]:
    """Return what placement asks of a node, without the times of its heartbeats."""
    metadata, status = node["metadata"], node.get("status") or {}
    conditions = {each["type"]: each["status"] for each in status.get("conditions") or ()}
    return (
        metadata.get("labels"),
        metadata.get("deletionTimestamp"),
        node.get("spec"),
        status.get("allocatable"),
        conditions,
    )


def _annotations(obj: Object) -> Mapping[str, Any]:
    return obj["metadata"].get("annotations") or {}
