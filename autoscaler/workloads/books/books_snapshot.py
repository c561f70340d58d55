"""The books at one moment, for metrics and statuses."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from autoscaler.workloads.books.card import Card
from autoscaler.workloads.books.gpu_amounts import GpuAmounts


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolCards:
    """All cards of one model in one pool."""

    pool: str
    """Empty: no pool selects their nodes."""
    gpu_model: str
    """Full name, as the driver tells it."""
    cards: int
    usable_cards: int
    """Those that workers may be placed on."""
    free_cards: int
    """Usable ones that no worker holds anything of."""
    capacity: GpuAmounts
    """What all of them have."""
    allocatable: GpuAmounts
    """What may be requested of the usable ones, oversubscription included."""
    requested: GpuAmounts
    """What workers hold of all of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BooksSnapshot:
    """What the books say."""

    pools: tuple[PoolCards, ...]
    """By pool and model, in that order."""
    in_flight: int
    """Workers of which a write is in progress, or which the cache does not show as written."""
    overbooked: tuple[str, ...]
    """Cards of which more is requested than may be, by name: their capacity fell."""


def pools_of(cards: Iterable[Card], used: Callable[[str], GpuAmounts]) -> tuple[PoolCards, ...]:
    """Return the cards by pool and model; ``used`` tells what is requested of one."""
    groups: dict[tuple[str, str], list[Card]] = defaultdict(list)
    for card in cards:
        groups[card.pool, card.gpu_model].append(card)
    return tuple(_pool_cards(*key, groups[key], used) for key in sorted(groups))


def _pool_cards(
    pool: str, gpu_model: str, cards: list[Card], used: Callable[[str], GpuAmounts]
) -> PoolCards:
    usable = [card for card in cards if not card.problem]
    nothing = GpuAmounts()
    return PoolCards(
        pool=pool,
        gpu_model=gpu_model,
        cards=len(cards),
        usable_cards=len(usable),
        free_cards=sum(used(card.name) == nothing for card in usable),
        capacity=GpuAmounts.total(card.capacity for card in cards),
        allocatable=GpuAmounts.total(card.allocatable for card in usable),
        requested=GpuAmounts.total(used(card.name) for card in cards),
    )
