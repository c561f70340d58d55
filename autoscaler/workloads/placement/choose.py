"""The choice of GPUs for one worker: all on one node, with room, where the scheduler will agree.

Pure and deterministic.  The GPUs of one worker are alike, because its limits are shares of the peak
of one of them.  What is said where there is no choice is ``shortage``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from heapq import heapify, heappop
from typing import NamedTuple

from autoscaler.kube.store import Object
from autoscaler.workloads.books.card import Card
from autoscaler.workloads.books.gpu_amounts import GpuAmounts
from autoscaler.workloads.placement.card_match import CardMatch, groups_of
from autoscaler.workloads.placement.demand import Demand
from autoscaler.workloads.placement.shortage import Shortage, shortage_of

_PPM = 1_000_000


class PlacementMode(StrEnum):
    """How a pool chooses GPUs (``spec.placement.mode``)."""

    COMPACT_FIRST = "CompactFirst"
    """The fullest GPU that has room, and of such the one on the fullest node."""
    LOW_LOAD_FIRST = "LowLoadFirst"
    """The emptiest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Where a worker goes."""

    node: str
    cards: tuple[Card, ...]
    """In the order of ``gpu-indices``, else by their index on the node."""


class _Candidate(NamedTuple):
    """GPUs of one node that would do; sorts the best first."""

    rank: tuple[int, int]
    node: str
    names: tuple[str, ...]
    cards: tuple[Card, ...]


def mode_of(pool: Object) -> PlacementMode:
    """Return how a pool chooses; a word that is none of the two counts as CompactFirst."""
    mode = ((pool.get("spec") or {}).get("placement") or {}).get("mode")
    return PlacementMode(mode) if mode in set(PlacementMode) else PlacementMode.COMPACT_FIRST


def choose(
    demand: Demand,
    cards_by_node: Mapping[str, Sequence[Card]],
    free: Callable[[str], GpuAmounts],
    node_misfit: Callable[[str], str],
    mode: PlacementMode,
) -> Choice | Shortage:
    """Return the GPUs for a worker, else what is missing.

    ``cards_by_node`` has the GPUs of the worker's pool by the name of their node; ``free`` tells
    what may still be requested of a GPU, by its name; ``node_misfit`` why the worker's pod cannot
    run on a node, empty where it can.  It is asked only of nodes that have the GPUs, the best
    first.
    """
    sign = -1 if mode is PlacementMode.COMPACT_FIRST else 1
    candidates = list(_candidates(demand, cards_by_node, free, sign))
    heapify(candidates)  # the first one will do, as a rule
    misfits: dict[str, str] = {}
    while candidates:
        candidate = heappop(candidates)
        if candidate.node in misfits:
            continue
        problem = node_misfit(candidate.node)
        if not problem:
            return Choice(node=candidate.node, cards=candidate.cards)
        misfits[candidate.node] = problem
    return shortage_of(demand, cards_by_node, free, misfits)


def _candidates(
    demand: Demand,
    cards_by_node: Mapping[str, Sequence[Card]],
    free: Callable[[str], GpuAmounts],
    sign: int,
) -> Iterator[_Candidate]:
    """Yield the best GPUs of each kind that a node has enough of with room."""
    asked_of = CardMatch(demand).asked_of
    for node, cards in cards_by_node.items():
        fitting: list[Card] = []
        loads: list[int] = []
        node_load = 0
        for card in cards:
            room = free(card.name)
            load = sign * _load_ppm(card.allocatable, room)
            node_load += load
            asked = asked_of(card)
            if asked is not None and asked.fits_in(room):
                fitting.append(card)
                loads.append(load)
        if len(fitting) < demand.count:
            continue
        if demand.count == 1:
            card, load = _best_one(fitting, loads)
            yield _Candidate((load, node_load // len(cards)), node, (card.name,), (card,))
            continue
        load_of = {card.name: load for card, load in zip(fitting, loads, strict=True)}
        for group in groups_of(fitting):
            chosen = _best(demand, group, load_of)
            if len(chosen) == demand.count:
                load = sum(load_of[card.name] for card in chosen)
                names = tuple(card.name for card in chosen)
                yield _Candidate((load, node_load // len(cards)), node, names, tuple(chosen))


def _best_one(cards: Sequence[Card], loads: Sequence[int]) -> tuple[Card, int]:
    best = min(loads)
    ties = [card for card, load in zip(cards, loads, strict=True) if load == best]
    return min(ties, key=_place) if len(ties) > 1 else ties[0], best


def _best(demand: Demand, cards: list[Card], load_of: Mapping[str, int]) -> list[Card]:
    """Return the GPUs of a demand in their order, fewer where its indices are not all there."""
    ranked = sorted((load_of[card.name], _place(card), card) for card in cards)
    best_first = [card for *_, card in ranked]
    if demand.indices:
        return _by_index(demand.indices, best_first)
    return sorted(best_first[: demand.count], key=_place)


def _by_index(indices: Sequence[int], cards: Sequence[Card]) -> list[Card]:
    found = {card.index: card for card in reversed(cards)}
    return [found[index] for index in indices if index in found]


def _load_ppm(has: GpuAmounts, room: GpuAmounts) -> int:
    """Return the larger of the shares of compute and VRAM that are requested, in millionths."""
    compute_ppm = (has.microtflops - room.microtflops) * _PPM // (has.microtflops or 1)
    vram_ppm = (has.vram_bytes - room.vram_bytes) * _PPM // (has.vram_bytes or 1)
    return max(compute_ppm, vram_ppm)


def _place(card: Card) -> tuple[int, str]:
    return -1 if card.index is None else card.index, card.name
