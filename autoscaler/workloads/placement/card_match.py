"""Which GPUs a worker may have at all, by their model, vendor, index and state.

Whether there is room on them is ``choose``.
"""

from __future__ import annotations

from collections.abc import Iterable

from autoscaler.workloads.books.card import Card
from autoscaler.workloads.books.gpu_amounts import GpuAmounts
from autoscaler.workloads.books.worker_amounts import request_on
from autoscaler.workloads.placement.demand import Demand
from recommender.gpu_models import find_gpu_model


class CardMatch:
    """What one demand asks of each GPU; what is found for one is kept for all that are alike."""

    def __init__(self, demand: Demand) -> None:
        self._demand = demand
        self._model = demand.model.casefold()
        self._known = find_gpu_model(demand.model)
        self._vendor = demand.vendor.casefold()
        self._indices = frozenset(demand.indices)
        self._asked: dict[tuple[str, str, str, int, int], GpuAmounts | None] = {}

    def asked_of(self, card: Card) -> GpuAmounts | None:
        """Return what is requested of a GPU; None where the worker may not have it."""
        if card.problem or (self._indices and card.index not in self._indices):
            return None
        has = card.capacity
        alike = (card.gpu_model, card.model, card.vendor, has.microtflops, has.vram_bytes)
        try:
            return self._asked[alike]
        except KeyError:
            suits = self.is_of_model(card) and self.is_of_vendor(card)
            asked = request_on(self._demand.amounts, has) if suits else None
            return self._asked.setdefault(alike, asked)

    def is_of_model(self, card: Card) -> bool:
        """Return whether a GPU is of the model: by one of its two names, or by an alias."""
        if not self._model or self._model in {card.gpu_model.casefold(), card.model.casefold()}:
            return True
        known = find_gpu_model(card.gpu_model or card.model)
        return known is not None and known is self._known

    def is_of_vendor(self, card: Card) -> bool:
        """Return whether a GPU is of the vendor."""
        return not self._vendor or self._vendor == card.vendor.casefold()


def groups_of(cards: Iterable[Card]) -> list[list[Card]]:
    """Return the GPUs of which one worker may have several: of one model, with the same peak."""
    groups: dict[tuple[str, GpuAmounts], list[Card]] = {}
    for card in cards:
        groups.setdefault((card.gpu_model, card.capacity), []).append(card)
    return list(groups.values())
