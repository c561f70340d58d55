"""How changes reach the simulated workers: capacity checks, placement, starts and ends.

What a controller does in a real cluster.  A request is capped at what the cards of the running
workers have left; a replica that fits nowhere is not created; a worker that starts gets the amounts
stated for starting workers.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np

from autoscaler.scaling.cluster import Outcome, amounts
from autoscaler.simulate.fleet import RESOURCES
from autoscaler.simulate.placement import best_cards, free_requests
from autoscaler.simulate.slots import Slots, no_slots
from recommender.observation import QOS_LEVELS

if TYPE_CHECKING:
    from autoscaler.scaling.cluster import Change, Guard
    from autoscaler.simulate.devices import Course
    from autoscaler.simulate.fleet import Fleet, SimulatedWorkload
    from autoscaler.simulate.metrics import SimulatedMetrics
    from autoscaler.simulate.placement import Cards
    from recommender.observation import Bools, Floats

_COLUMN = {resource.name: i for i, resource in enumerate(RESOURCES)}
_EQUAL = 1e-9


@dataclass(slots=True)
class Standing:
    """What is in force for one workload."""

    uid: str
    request: tuple[float, float]
    limit: tuple[float, float]
    replicas: int
    start_request: dict[int, float] = field(default_factory=dict)
    """Column to amount for workers that start from now on."""
    start_limit: dict[int, float] = field(default_factory=dict)
    guard: Guard | None = None
    """What guard rails must not forget, as the last change said."""
    is_paused: bool = False
    created: int = 0
    """Workers made so far."""
    incarnation: int = 1
    version: int = 0
    """Counts changes, so that views can be kept."""


class Changes:
    """The mutable part of the cluster: standings and the table of slots."""

    def __init__(self, fleet: Fleet, cards: Cards, metrics: SimulatedMetrics, start_s: int) -> None:
        self.slots = no_slots()
        self.now_s = start_s
        self.row_of = {(w.namespace, w.workload): i for i, w in enumerate(fleet.workloads)}
        self.suits = [cards.suiting(workload) for workload in fleet.workloads]
        self._fleet = fleet
        self._cards = cards
        self._metrics = metrics
        self._standing: list[Standing] = []
        for row, item in enumerate(fleet.workloads):
            self._standing.append(_new_standing(f"{item.namespace}-{item.workload}-1", item))
            self._standing[row].replicas = self._start_workers(row, item.replicas, is_old=True)

    def standing(self, row: int) -> Standing:
        """Return what is in force for one workload."""
        return self._standing[row]

    def worker_name(self, row: int, number: int) -> str:
        """Return a worker's name."""
        item = self._fleet.workloads[row]
        return f"{item.workload}-{number}"

    def advance(self, course: Course) -> None:
        """Take over VRAM in use and readiness after a step of time."""
        self.slots = replace(self.slots, resident=course.resident[-1], ready_s=course.ready_s)

    def apply(self, change: Change) -> Outcome:
        """Apply one change, or say why not."""
        row = self.row_of.get((change.namespace, change.workload))
        if row is None:
            return Outcome(change=change, applied=False, reason="the workload does not exist")
        standing = self._standing[row]
        if standing.uid != change.uid:
            return Outcome(change=change, applied=False, reason="the workload was created anew")
        before = (standing.request, standing.limit, standing.replicas)
        standing.version += 1
        for column_of, values in (
            (standing.start_request, change.start_request),
            (standing.start_limit, change.start_limit),
        ):
            column_of.update({_COLUMN[name]: value for name, value in values.items()})
        standing.guard = change.guard or standing.guard
        capped = self._set_amounts(row, change)
        reason = f"the GPUs have no room for more {', '.join(capped)}" if capped else ""
        after = (standing.request, standing.limit, standing.replicas)
        has_effect = after != before or bool(change.start_request or change.start_limit)
        return Outcome(
            change=change,
            applied=has_effect or not capped,
            capped=amounts(capped),
            reason=reason,
        )

    def _set_amounts(self, row: int, change: Change) -> dict[str, float]:
        """Set amounts and replicas; return those that had to be lower, with what was set."""
        capped: dict[str, float] = {}
        for name, value in change.limit.items():
            self._set_limit(row, _COLUMN[name], value)
        for name, value in change.request.items():
            given = self._set_request(row, _COLUMN[name], value)
            if given < value * (1.0 - _EQUAL):
                capped[name] = given
        if change.replicas is not None:
            given_replicas = self._scale(row, change.replicas)
            if given_replicas < change.replicas:
                capped["replicas"] = float(given_replicas)
        return capped

    def recreate(self, row: int) -> None:
        """Replace a workload by a new one of the same name."""
        item, old = self._fleet.workloads[row], self._standing[row]
        self.slots = self.slots.where(self.slots.workload != row)
        new = _new_standing(f"{item.namespace}-{item.workload}-{old.incarnation + 1}", item)
        new.incarnation, new.created, new.version = (
            old.incarnation + 1,
            old.created,
            old.version + 1,
        )
        self._standing[row] = new
        new.replicas = self._start_workers(row, item.replicas)

    def restart(self, row: int) -> None:
        """Start all workers of a workload again."""
        standing, item = self._standing[row], self._fleet.workloads[row]
        mine = self.slots.workload == row
        for kind, start in (("request", standing.start_request), ("limit", standing.start_limit)):
            for column, value in start.items():
                self.slots = self.slots.with_amount(kind, column, mine, value)
        ready_s = np.full(len(self.slots), self.now_s + item.startup_s)
        self.slots = self.slots.started_anew(
            mine, self.now_s, ready_s, self._opaque_bytes(row, self.slots.limit)
        )
        self._note_in_force(row)  # counts as a change also where no amount differs

    def set_paused(self, row: int, *, is_paused: bool) -> None:
        """Set or lift a pause."""
        self._standing[row].is_paused = is_paused
        self._standing[row].version += 1

    def _set_limit(self, row: int, column: int, value: float) -> None:
        mine = self.slots.workload == row
        self.slots = self.slots.with_amount("limit", column, mine, value)
        self._note_in_force(row)

    def _set_request(self, row: int, column: int, value: float) -> float:
        """Set a request to what the fullest card of its workers allows, and return that."""
        mine = self.slots.workload == row
        if mine.any():
            free = free_requests(self._cards, self.slots)[self.slots.card[mine], column]
            present = self.slots.request[mine, column]
            on_same_card = np.bincount(self.slots.card[mine])[self.slots.card[mine]]
            room = float((present + np.maximum(free, 0.0) / on_same_card).min())
            value = max(min(value, room), min(value, float(present.max())))
        self.slots = self.slots.with_amount("request", column, mine, value)
        self._note_in_force(row)
        return value

    def _note_in_force(self, row: int) -> None:
        """Take over the highest amounts of any running worker as those in force."""
        standing = self._standing[row]
        mine = self.slots.workload == row
        standing.version += 1
        if mine.any():
            standing.request = _pair(self.slots.request[mine].max(axis=0))
            standing.limit = _pair(self.slots.limit[mine].max(axis=0))

    def _scale(self, row: int, replicas: int) -> int:
        standing = self._standing[row]
        if replicas > standing.replicas:
            standing.replicas += self._start_workers(row, replicas - standing.replicas)
        else:
            self._end_workers(row, standing.replicas - replicas)
            standing.replicas = replicas
        return standing.replicas

    def _start_workers(self, row: int, count: int, *, is_old: bool = False) -> int:
        """Start up to ``count`` workers, as many as fit; old ones have been ready for long."""
        for started in range(count):
            if not self._start_worker(row, is_old=is_old):
                return started
        return count

    def _start_worker(self, row: int, *, is_old: bool) -> bool:
        item, standing = self._fleet.workloads[row], self._standing[row]
        request, limit = np.array(standing.request), np.array(standing.limit)
        for column, value in standing.start_request.items():
            request[column] = value
        for column, value in standing.start_limit.items():
            limit[column] = value
        free = free_requests(self._cards, self.slots)
        count = item.gpu_count
        card = best_cards(free, self._cards.capacity, self.suits[row], request, count)
        if not len(card):
            return False
        number = standing.created
        standing.created += 1
        age_s = 7 * 86400 if is_old else 0
        limits = np.tile(limit, (count, 1))
        new = Slots(
            series=np.array([self._add_series(row, number, int(on)) for on in card]),
            workload=np.full(count, row),
            worker=np.full(count, number),
            device=np.arange(count),
            card=card,
            qos=np.full(count, QOS_LEVELS.index(item.qos)),
            started_s=np.full(count, self.now_s - age_s),
            ready_s=np.full(count, self.now_s - age_s + item.startup_s),
            request=np.tile(request, (count, 1)),
            limit=limits,
            resident=np.zeros(count),
            opaque_bytes=self._opaque_bytes(row, limits),
        )
        self.slots = self.slots.with_more(new)
        standing.version += 1
        return True

    def _end_workers(self, row: int, count: int) -> None:
        """End workers: those that are not ready first, then the youngest."""
        mine = np.flatnonzero((self.slots.workload == row) & (self.slots.device == 0))
        is_ready = self.slots.ready_s[mine] <= self.now_s
        order = mine[np.lexsort((-self.slots.worker[mine], is_ready))]
        ended = self.slots.worker[order[:count]]
        keep: Bools = ~((self.slots.workload == row) & np.isin(self.slots.worker, ended))
        self.slots = self.slots.where(keep)
        self._note_in_force(row)

    def _opaque_bytes(self, row: int, limit: Floats) -> Floats:
        share = self._fleet.workloads[row].opaque_share
        taken: Floats = limit[:, 1] * (np.nan if share is None else share)
        return taken

    def _add_series(self, row: int, number: int, card: int) -> int:
        item = self._fleet.workloads[row]
        return self._metrics.add_series(
            {
                "namespace": item.namespace,
                "workload": item.workload,
                "worker": self.worker_name(row, number),
                "pool": item.pool,
                "node": f"node-{card // 8}",
                "uuid": f"gpu-{card}",
                "gpu_model": self._cards.gpu_model[card],
                "qos": item.qos,
            }
        )


def _new_standing(uid: str, item: SimulatedWorkload) -> Standing:
    return Standing(uid=uid, request=item.request, limit=item.limit, replicas=0)


def _pair(values: Floats) -> tuple[float, float]:
    return float(values[0]), float(values[1])
