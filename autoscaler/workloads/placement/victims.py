"""The choice of workers that make room for a more important one, all on one node.  Pure.

Who may be chosen at all is the caller's to say; here it is who of them.  Every worker that is
chosen is needed: with any one of them left where it is, there would be no room.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from autoscaler.workloads.books.card import Card
from autoscaler.workloads.books.claim import Claim
from autoscaler.workloads.books.gpu_amounts import GpuAmounts
from autoscaler.workloads.placement.card_match import CardMatch, groups_of
from autoscaler.workloads.placement.demand import Demand
from recommender.policy.first_generation import QOS

_PPM = 1_000_000
Free = Callable[[str], GpuAmounts]


class Candidate(NamedTuple):
    """A worker that may be evicted."""

    claim: Claim
    rank: int
    """How important it is; 0 is the least."""
    created: str
    """Creation time of its pod, as the API writes it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sacrifice:
    """Room for a worker: GPUs of one node, and who has to go from there."""

    node: str
    cards: tuple[Card, ...]
    victims: tuple[Candidate, ...]
    """By namespace and name; none where the room comes by itself."""


class _Plan(NamedTuple):
    """A sacrifice; sorts the least one first."""

    cost: tuple[float, ...]
    node: str
    names: tuple[str, ...]
    cards: tuple[Card, ...]
    victims: tuple[Candidate, ...]


def choose_victims(
    demand: Demand,
    cards_by_node: Mapping[str, Sequence[Card]],
    free: Free,
    candidates_on: Callable[[str], Sequence[Candidate]],
    node_misfit: Callable[[str, Collection[str]], str],
) -> Sacrifice | None:
    """Return the least sacrifice that makes room for a worker; None where none would.

    ``free`` tells what may be requested of a GPU once all have gone that are about to go,
    ``candidates_on`` who on it may be evicted, and ``node_misfit`` why the worker's pod cannot run
    on a node, also without the pods of some UIDs.  Least are the fewest workers of the highest
    quality of service, then of the next, then the youngest.
    """
    match = CardMatch(demand)
    plans = sorted(
        plan
        for node, cards in cards_by_node.items()
        for plan in _plans(demand, match, node, cards, free, candidates_on)
    )
    for plan in plans:
        if not node_misfit(plan.node, {each.claim.uid for each in plan.victims}):
            return Sacrifice(node=plan.node, cards=plan.cards, victims=plan.victims)
    return None


def _plans(
    demand: Demand,
    match: CardMatch,
    node: str,
    cards: Sequence[Card],
    free: Free,
    candidates_on: Callable[[str], Sequence[Candidate]],
) -> Iterator[_Plan]:
    """Yield the least sacrifice of each kind of GPUs that a node has enough of."""
    for group in groups_of(card for card in cards if match.asked_of(card) is not None):
        if len(group) < demand.count:
            continue
        asked = match.asked_of(group[0]) or GpuAmounts()
        rooms = [_Room(card, asked, free(card.name), candidates_on(card.name)) for card in group]
        possible = [(found, room) for room in rooms if (found := room.least()) is not None]
        if len(possible) < demand.count:
            continue
        possible.sort(key=lambda each: (_cost(each[0]), each[1].card.name))
        yield _plan(node, [room for _, room in possible], demand.count, possible)


def _plan(
    node: str,
    rooms: Sequence[_Room],
    count: int,
    possible: Sequence[tuple[Sequence[Candidate], _Room]],
) -> _Plan:
    """Return what makes room on the cheapest GPUs; workers of several may spare another one."""
    victims = {each.claim.uid: each for found, _ in possible[:count] for each in found}

    def fitting(gone: Collection[str]) -> list[Card]:
        return [room.card for room in rooms if room.fits_without(gone)]

    for candidate in sorted(victims.values(), key=_spared_first):
        fewer = victims.keys() - {candidate.claim.uid}
        if len(fitting(fewer)) >= count:
            del victims[candidate.claim.uid]
    cards = tuple(fitting(victims.keys())[:count])
    return _Plan(
        cost=_cost(victims.values()),
        node=node,
        names=tuple(card.name for card in cards),
        cards=cards,
        victims=tuple(sorted(victims.values(), key=_name)),
    )


class _Room:
    """One GPU, what is asked of it, and who may be evicted from it."""

    def __init__(
        self, card: Card, asked: GpuAmounts, free: GpuAmounts, candidates: Sequence[Candidate]
    ) -> None:
        self.card = card
        self._asked = asked
        self._free = free
        self._candidates = candidates

    def fits_without(self, gone: Collection[str]) -> bool:
        """Return whether there is room without the candidates of some UIDs."""
        leaving = (each for each in self._candidates if _uid(each) in gone)
        return self._asked.fits_in(self._free + _together(leaving))

    def least(self) -> list[Candidate] | None:
        """Return a smallest set of candidates without which there is room; None: there is none.

        The most important are spared first, of these the smallest, so that few have to go, and
        then the oldest.
        """
        lack = self._asked - self._free
        if lack.fits_in(GpuAmounts()):
            return []
        may_stay = _together(self._candidates) - lack
        if not GpuAmounts().fits_in(may_stay):
            return None
        found = []
        for candidate in sorted(self._candidates, key=lambda each: _worth(each, lack)):
            request = candidate.claim.request
            if request.fits_in(may_stay):
                may_stay = may_stay - request
            else:
                found.append(candidate)
        return found


def _worth(candidate: Candidate, lack: GpuAmounts) -> tuple[int, int, str, str]:
    """Return what orders the workers of one GPU: those first that are spared first."""
    request, share_ppm = candidate.claim.request, 0
    if lack.microtflops > 0:
        share_ppm = min(request.microtflops, lack.microtflops) * _PPM // lack.microtflops
    if lack.vram_bytes > 0:
        of_vram_ppm = min(request.vram_bytes, lack.vram_bytes) * _PPM // lack.vram_bytes
        share_ppm = max(share_ppm, of_vram_ppm)
    return -candidate.rank, share_ppm, candidate.created, _uid(candidate)


def _together(candidates: Iterable[Candidate]) -> GpuAmounts:
    return sum((each.claim.request for each in candidates), GpuAmounts())


def _cost(victims: Iterable[Candidate]) -> tuple[float, ...]:
    """Return how many there are of each level, the highest first, and minus the earliest birth."""
    chosen = list(victims)
    ranks = [each.rank for each in chosen]
    counts = (float(ranks.count(rank)) for rank in reversed(range(len(QOS))))
    born = min((each.created for each in chosen), default="")
    return *counts, -datetime.fromisoformat(born).timestamp() if born else 0.0


def _spared_first(candidate: Candidate) -> tuple[int, str, str]:
    return -candidate.rank, candidate.created, _uid(candidate)


def _name(candidate: Candidate) -> tuple[str, str, str]:
    return candidate.claim.namespace, candidate.claim.pod, _uid(candidate)


def _uid(candidate: Candidate) -> str:
    return candidate.claim.uid
