"""The choice of GPUs for one worker: all on one node, with room, where the scheduler will agree.

Pure and deterministic.  The GPUs of one worker are alike, because its limits are shares of the peak
of one of them.  What is said where there is no choice is ``shortage``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple

from autoscaler.kube.store import Object
from autoscaler.workloads.card import Card
from autoscaler.workloads.card_match import CardMatch, groups_of
from autoscaler.workloads.demand import Demand
from autoscaler.workloads.gpu_amounts import GpuAmounts
from autoscaler.workloads.shortage import Shortage, shortage_of

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
    used: Callable[[str], GpuAmounts],
    node_misfit: Callable[[str], str],
    mode: PlacementMode,
) -> Choice | Shortage:
    """Return the GPUs for a worker, else what is missing.

    ``cards_by_node`` has the GPUs of the worker's pool by the name of their node; ``free`` and
    ``used`` tell what may still be requested of a GPU and what is, by its name; ``node_misfit``
    why the worker's pod cannot run on a node, empty where it can.  It is asked only of nodes that
    have the GPUs, the best first.
    """
    sign = -1 if mode is PlacementMode.COMPACT_FIRST else 1
    candidates = sorted(
        candidate
        for node, fitting in _fitting(demand, cards_by_node, free)
        for candidate in _candidates(demand, node, cards_by_node[node], fitting, used, sign)
    )
    misfits: dict[str, str] = {}
    for candidate in candidates:
        if candidate.node in misfits:
            continue
        problem = node_misfit(candidate.node)
        if not problem:
            return Choice(node=candidate.node, cards=candidate.cards)
        misfits[candidate.node] = problem
    return shortage_of(demand, cards_by_node, free, misfits)


def _fitting(
    demand: Demand,
    cards_by_node: Mapping[str, Sequence[Card]],
    free: Callable[[str], GpuAmounts],
) -> Iterator[tuple[str, list[Card]]]:
    """Yield the nodes with enough GPUs that have room, with these."""
    asked_of = CardMatch(demand).asked_of
    for node, cards in cards_by_node.items():
        found = []
        for card in cards:
            asked = asked_of(card)
            if asked is not None and asked.fits_in(free(card.name)):
                found.append(card)
        if len(found) >= demand.count:
            yield node, found


def _candidates(
    demand: Demand,
    node: str,
    on_node: Sequence[Card],
    fitting: list[Card],
    used: Callable[[str], GpuAmounts],
    sign: int,
) -> Iterator[_Candidate]:
    """Yield the best GPUs of each kind that a node has enough of."""
    loads = {card.name: sign * _load_ppm(card, used(card.name)) for card in on_node}
    node_load = sum(loads.values()) // len(loads)
    for group in [fitting] if demand.count == 1 else groups_of(fitting):
        if len(group) < demand.count:
            continue
        chosen = _best(demand, group, loads)
        if len(chosen) == demand.count:
            yield _Candidate(
                rank=(sum(loads[card.name] for card in chosen), node_load),
                node=node,
                names=tuple(card.name for card in chosen),
                cards=tuple(chosen),
            )


def _best(demand: Demand, cards: list[Card], loads: Mapping[str, int]) -> list[Card]:
    """Return the GPUs of a demand in their order, fewer where its indices are not all there."""
    ranked = [(loads[card.name], _place(card), card) for card in cards]
    if demand.count == 1:
        return [min(ranked)[-1]]
    ranked.sort()
    best_first = [card for *_, card in ranked]
    if demand.indices:
        return _by_index(demand.indices, best_first)
    return sorted(best_first[: demand.count], key=_place)


def _by_index(indices: Sequence[int], cards: Sequence[Card]) -> list[Card]:
    found = {card.index: card for card in reversed(cards)}
    return [found[index] for index in indices if index in found]


def _load_ppm(card: Card, used: GpuAmounts) -> int:
    """Return the larger of the shares of compute and VRAM that are requested, in millionths."""
    has = card.allocatable
    compute_ppm = used.microtflops * _PPM // (has.microtflops or 1)
    vram_ppm = used.vram_bytes * _PPM // (has.vram_bytes or 1)
    return max(compute_ppm, vram_ppm)


def _place(card: Card) -> tuple[int, str]:
    return -1 if card.index is None else card.index, card.name
