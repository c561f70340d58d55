"""What was missing where a worker found no GPUs, in words for events, conditions and metrics.

The same shortage has the same words: nothing in them is a time or in no order.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from autoscaler.api.names import EventReason
from autoscaler.workloads.books.card import Card
from autoscaler.workloads.books.gpu_amounts import GpuAmounts
from autoscaler.workloads.placement.card_match import CardMatch, groups_of
from autoscaler.workloads.placement.demand import Demand
from recommender.resources import COMPUTE_PERCENT, TFLOPS, VRAM
from recommender.sentences import amount

_MOST_NAMED = 5
_PPM = 1_000_000
_DIGITS = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Shortage:
    """Why a worker waits."""

    reason: EventReason
    message: str
    missing_gpus: int
    """GPUs that would have to be free beside those that are."""
    gpu_model: str
    """That the worker asks for, as written; empty: any."""


class _Best(NamedTuple):
    """What comes nearest to a demand: GPUs of one kind on one node."""

    fitting: int
    nearness_ppm: int
    """Of the next GPU: the smaller of its shares of what is asked."""
    node: str
    kind: Card
    """Any of them."""
    asked: GpuAmounts
    """Of each of them."""
    following: Card | None
    """The GPU with most room of those that have too little; None where all have enough."""


def shortage_of(
    demand: Demand,
    cards_by_node: Mapping[str, Sequence[Card]],
    free: Callable[[str], GpuAmounts],
    misfits: Mapping[str, str],
) -> Shortage:
    """Return what a worker lacks that found no place among the GPUs of its pool.

    ``misfits`` has the nodes with enough room on their GPUs, and why each will not do.
    """
    if misfits:
        return _short(demand, _misfit_text(misfits), demand.count)
    match = CardMatch(demand)
    text = _unsuitable(demand, match, [card for cards in cards_by_node.values() for card in cards])
    if text:
        return _short(demand, text, demand.count)
    best = min(_nearest(match, cards_by_node, free), key=_demerit)
    return _short(demand, _room_text(demand, best, free), demand.count - best.fitting)


def _short(demand: Demand, message: str, missing_gpus: int) -> Shortage:
    return Shortage(
        reason=EventReason.NO_GPU_AVAILABLE,
        message=message,
        missing_gpus=max(missing_gpus, 1),
        gpu_model=demand.model,
    )


def _unsuitable(demand: Demand, match: CardMatch, cards: Sequence[Card]) -> str:
    """Return why no GPU of a pool suits a demand; empty where some do."""
    if any(match.asked_of(card) is not None for card in cards):
        return ""
    where = f"pool {demand.pool}"
    if not cards:
        return f"{where} has no GPUs"
    of_model = [card for card in cards if match.is_of_model(card)]
    if not of_model:
        has = _counted(card.model or card.gpu_model for card in cards)
        return f"no GPU of model {demand.model} in {where}; it has: {has}"
    of_vendor = [card for card in of_model if match.is_of_vendor(card)]
    if not of_vendor:
        has = _counted(card.vendor or "unknown" for card in of_model)
        return f"no GPU of vendor {demand.vendor} in {where}; it has: {has}"
    usable = [card for card in of_vendor if not card.problem]
    if not usable:
        problems = _summary([card.problem for card in of_vendor])
        return f"{_gpus(len(of_vendor), demand)} in {where}, but: {problems}"
    indices = " or ".join(map(str, demand.indices))
    return f"no usable {_gpus(0, demand)} with index {indices} in {where}"


def _nearest(
    match: CardMatch,
    cards_by_node: Mapping[str, Sequence[Card]],
    free: Callable[[str], GpuAmounts],
) -> Iterator[_Best]:
    for node, cards in cards_by_node.items():
        for alike in groups_of(card for card in cards if match.asked_of(card) is not None):
            asked = match.asked_of(alike[0]) or GpuAmounts()
            rooms = [(card, free(card.name)) for card in alike]
            small = [(card, room) for card, room in rooms if not asked.fits_in(room)]
            near = [(_share_ppm(asked, room), card) for card, room in small]
            share_ppm, following = min(near, key=_farness, default=(0, None))
            yield _Best(len(alike) - len(small), share_ppm, node, alike[0], asked, following)


def _farness(near: tuple[int, Card]) -> tuple[int, str]:
    share_ppm, card = near
    return -share_ppm, card.name


def _demerit(best: _Best) -> tuple[int, int, str, str]:
    return -best.fitting, -best.nearness_ppm, best.node, best.kind.gpu_model


def _share_ppm(asked: GpuAmounts, room: GpuAmounts) -> int:
    """Return the smaller share of what is asked that there is, in millionths.

    Nothing is asked for where less than nothing is left, as on a GPU that lost capacity.
    """
    pairs = ((asked.microtflops, room.microtflops), (asked.vram_bytes, room.vram_bytes))
    return min(free * _PPM // (wanted or 1) for wanted, free in pairs if wanted > free)


def _room_text(demand: Demand, best: _Best, free: Callable[[str], GpuAmounts]) -> str:
    text = f"{_gpus(demand.count, demand)} with {_asked_text(demand, best.asked)} free"
    lack = "" if best.following is None else _lack_text(best.asked, free(best.following.name))
    if demand.count == 1:
        return f"{text}: the best, on node {best.node}, has {lack} free"
    rest = f" (its next best has {lack} free)" if lack else ""
    return f"{text} each on one node: the best node {best.node} has {best.fitting}{rest}"


def _asked_text(demand: Demand, asked: GpuAmounts) -> str:
    percent = demand.request.compute_percent
    share = "" if percent is None else f" ({amount(float(percent), COMPUTE_PERCENT, _DIGITS)})"
    compute = f"{_tflops(asked)}{share}" if asked.microtflops else ""
    vram = _vram(asked) if asked.vram_bytes else ""
    return " and ".join(filter(None, (compute, vram)))


def _lack_text(asked: GpuAmounts, room: GpuAmounts) -> str:
    room = room.at_least(GpuAmounts())
    compute = _tflops(room) if asked.microtflops > room.microtflops else ""
    vram = _vram(room) if asked.vram_bytes > room.vram_bytes else ""
    return " and ".join(filter(None, (compute, vram)))


def _tflops(amounts: GpuAmounts) -> str:
    return amount(float(amounts.tflops), TFLOPS, _DIGITS)


def _vram(amounts: GpuAmounts) -> str:
    return amount(float(amounts.vram_bytes), VRAM, _DIGITS)


def _gpus(count: int, demand: Demand) -> str:
    """Return ``3 GPUs of A100``; without a number for 0."""
    model = f" of {demand.model}" if demand.model else ""
    kind = model or (" of one model" if count > 1 and demand.count > 1 else "")
    noun = "GPU" if count in {0, 1} else "GPUs"
    return f"{count} {noun}{kind}" if count else f"{noun}{kind}"


def _misfit_text(misfits: Mapping[str, str]) -> str:
    if len(misfits) == 1:
        [(node, problem)] = misfits.items()
        return f"node {node} has the GPUs, but: {problem}"
    return f"{len(misfits)} nodes have the GPUs, but: {_summary(list(misfits.values()))}"


def _summary(problems: Sequence[str]) -> str:
    """Return how often each problem occurs; one alone in full, of several what they share."""
    if len(problems) == 1:
        return problems[0]
    counts = Counter(problem.partition(" (")[0] for problem in problems)
    return _listed([f"{count} {problem}" for problem, count in _by_count(counts)])


def _counted(names: Iterable[str]) -> str:
    return _listed([f"{name} ({count})" for name, count in _by_count(Counter(names))])


def _by_count(counts: Counter[str]) -> list[tuple[str, int]]:
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


def _listed(parts: Sequence[str]) -> str:
    more = f" and {len(parts) - _MOST_NAMED} more" if len(parts) > _MOST_NAMED else ""
    return ", ".join(parts[:_MOST_NAMED]) + more
