"""The cards by name, and by pool and node, kept up to date with each change."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from autoscaler.workloads.books.card import Card

NO_CARDS: Mapping[str, tuple[Card, ...]] = MappingProxyType({})


class CardIndex:
    """All cards; with one writer at a time.

    What ``of_pool`` returned never changes: a change puts another mapping in its place.
    """

    def __init__(self) -> None:
        self._cards: dict[str, Card] = {}
        self._pools: dict[str, Mapping[str, tuple[Card, ...]]] = {}

    def set(self, card: Card) -> Card | None:
        """Take a card as it is now; return what it was, None where it is new."""
        former = self._cards.get(card.name)
        if former == card:
            return former
        self._cards[card.name] = card
        if former is not None and (former.pool, former.node) != (card.pool, card.node):
            self._leave(former)
        here = [each for each in self.on_node(card.pool, card.node) if each.name != card.name]
        self._put(card.pool, card.node, tuple(sorted((*here, card), key=_place)))
        return former

    def remove(self, name: str) -> Card | None:
        """Forget a card; return what it was, None where it is not here."""
        former = self._cards.pop(name, None)
        if former is not None:
            self._leave(former)
        return former

    def get(self, name: str) -> Card | None:
        """Return a card; None where it is not here."""
        return self._cards.get(name)

    def of_pool(self, pool: str) -> Mapping[str, tuple[Card, ...]]:
        """Return the cards of a pool by node, those of a node in the order of their index."""
        return self._pools.get(pool, NO_CARDS)

    def on_node(self, pool: str, node: str) -> tuple[Card, ...]:
        """Return the cards of a pool on one node, in the order of their index."""
        return self.of_pool(pool).get(node, ())

    def __iter__(self) -> Iterator[Card]:
        return iter(self._cards.values())

    def _leave(self, card: Card) -> None:
        here = self.on_node(card.pool, card.node)
        self._put(card.pool, card.node, tuple(each for each in here if each.name != card.name))

    def _put(self, pool: str, node: str, cards: tuple[Card, ...]) -> None:
        nodes = {**self.of_pool(pool), node: cards}
        if not cards:
            del nodes[node]
        if nodes:
            self._pools[pool] = MappingProxyType(nodes)
        else:
            self._pools.pop(pool, None)


def _place(card: Card) -> tuple[bool, int, str]:
    return card.index is None, card.index or 0, card.name
