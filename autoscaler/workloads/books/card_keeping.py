"""Keeps the cards of the books as GPU objects, nodes and pools say, whichever of them changes."""

from __future__ import annotations

from collections.abc import Iterable
from threading import Lock

from autoscaler.kube.resource import GPUS, NODES, POOLS
from autoscaler.kube.store import Object
from autoscaler.workloads.books.books import Books
from autoscaler.workloads.books.card import Card
from autoscaler.workloads.books.inventory import card_of, node_of, pool_of_node
from autoscaler.workloads.cluster import Cluster

GPUS_BY_NODE = "node"


class CardKeeping:
    """Puts cards together; thread-safe, for the listeners of several stores."""

    def __init__(self, cluster: Cluster, books: Books) -> None:
        self._cluster = cluster
        self._books = books
        # What is read and what is kept of it must not be overtaken by what another thread read.
        self._lock = Lock()
        cluster.store(GPUS).add_index(GPUS_BY_NODE, lambda gpu: filter(None, [node_of(gpu)]))

    def of_node(self, node: str) -> tuple[Object, ...]:
        """Return the GPU objects of a node, by name."""
        return self._cluster.store(GPUS).indexed(GPUS_BY_NODE, node)

    def look(self, gpus: Iterable[str]) -> tuple[Card, ...]:
        """Bring the cards of GPU objects up to date; return those that changed.

        A card whose pool changed is returned as it was and as it is, one that is gone as it was.
        """
        return tuple(card for name in gpus for card in self._look_at(name))

    def _look_at(self, name: str) -> tuple[Card, ...]:
        with self._lock:
            before = self._books.card(name)
            gpu = self._cluster.store(GPUS).get(None, name)
            if gpu is None:
                self._books.remove_card(name)
                return (before,) if before else ()
            card = self._card(gpu)
            if card == before:
                return ()
            self._books.set_card(card)
        return (before, card) if before and before.pool != card.pool else (card,)

    def _card(self, gpu: Object) -> Card:
        node = self._cluster.store(NODES).get(None, node_of(gpu))
        labels = {} if node is None else node["metadata"].get("labels") or {}
        pool = pool_of_node(labels, self._cluster.store(POOLS).items())
        return card_of(gpu, node, pool)
