"""What the quotas of a namespace still allow the workers of one workload.  Pure.

What is in use the controller says in the status of each quota, a moment late.  It is the controller
too that keeps to the quotas when it gives something; here they keep the loop from asking for what
it would not get.  A maximum that cannot be read allows nothing more than there is.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from autoscaler.api.ceilings import read_ceilings
from autoscaler.api.notes import NotedProblems
from autoscaler.kube.store import Object
from autoscaler.scaling.cluster import Amounts, amounts
from autoscaler.scaling.live.amount_units import in_tflops
from autoscaler.scaling.live.status.desired_amounts import SIDES
from recommender.amounts import ResourceAmounts
from recommender.policy.fields import AMOUNTS
from recommender.policy.stated import Stated

_RESOURCE_OF = {each.key: each.resource for each in AMOUNTS if each.key.endswith("-request")}
_WORKERS = "maxWorkers"


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """What the quotas are asked for, per GPU device."""

    stated: Stated
    """In whose unit, and for whose GPU model, maxima of compute are read."""
    card: Amounts
    request: Amounts
    """In force."""
    start_request: Amounts
    """Of a further one."""
    start_limit: Amounts
    count: int
    """Workers that have the same, and grow together."""
    placed: int
    """Workers of the workload that quotas count."""
    gpu_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotaRoom:
    """What quotas allow; a resource that none bounds is absent."""

    request: Amounts
    """Largest request of each worker, per GPU device."""
    replicas: int | None
    """Most workers; None: none bounds them."""


def quota_room(quotas: Sequence[Object], worker: Worker) -> QuotaRoom:
    """Return what all quotas of a namespace together allow a worker and the likes of it."""
    if not quotas:
        return QuotaRoom(request=amounts(), replicas=None)
    request = _single(quotas, worker)
    further: list[float] = []
    for left in _lefts(quotas):
        further += left.workers(worker)
        if left.side == SIDES[0]:
            each = left.of_one(worker)
            request[left.resource] = min(each, request.get(left.resource, each))
    replicas = None if not further else worker.placed + math.floor(min(further))
    return QuotaRoom(request=amounts(request), replicas=replicas)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Left:
    """What is left of one maximum of all workers together."""

    side: str
    """``requests``, ``limits`` or ``maxWorkers``."""
    resource: str
    amount: float

    def of_one(self, worker: Worker) -> float:
        """Return the largest request of a worker, where all that are alike grow to it."""
        devices = max(1, worker.count) * worker.gpu_count
        return worker.request.get(self.resource, 0.0) + self.amount / devices

    def workers(self, worker: Worker) -> list[float]:
        """Return how many further workers this leaves room for; none where it bounds them not."""
        if self.side == _WORKERS:
            return [self.amount]
        side = worker.start_request if self.side == SIDES[0] else worker.start_limit
        # Without a limit a worker may use all of its card, and quotas count that.
        whole = worker.card.get(self.resource, 0.0) if self.side == SIDES[1] else 0.0
        asked = side.get(self.resource, whole) * worker.gpu_count
        return [self.amount / asked] if asked > 0 else []


def _single(quotas: Sequence[Object], worker: Worker) -> dict[str, float]:
    """Return the largest request that quotas allow each worker."""
    notes = NotedProblems()
    ceilings = read_ceilings(quotas, worker.stated, notes).amounts
    if notes.errors:
        return dict(worker.request)
    allowed = {
        _RESOURCE_OF[key]: ceiling.value for key, ceiling in ceilings.items() if key in _RESOURCE_OF
    }
    return dict(in_tflops(amounts(allowed), worker.card))


def _lefts(quotas: Sequence[Object]) -> Iterator[_Left]:
    for quota in quotas:
        total = (quota.get("spec") or {}).get("total")
        used = (quota.get("status") or {}).get("used") or {}
        total = total if isinstance(total, Mapping) else {}
        for side in SIDES:
            yield from _of_side(side, total.get(side), used.get(side))
        if total.get(_WORKERS) is not None:
            most, have = _number(total[_WORKERS]), _number(used.get("workers"))
            yield _Left(side=_WORKERS, resource=_WORKERS, amount=max(0.0, most - have))


def _of_side(side: str, stated: Any, used: Any) -> Iterator[_Left]:
    if not isinstance(stated, Mapping):
        return
    have, _ = ResourceAmounts.from_mapping(used if isinstance(used, Mapping) else {}, side)
    in_use = have.base_units()
    for name, value in stated.items():
        read, problems = ResourceAmounts.from_mapping({name: value}, side)
        if problems:
            read, _ = ResourceAmounts.from_mapping({name: 0}, side)
        for resource, most in read.base_units().items():
            left = max(0.0, most - in_use.get(resource, 0.0))
            yield _Left(side=side, resource=resource, amount=left)


def _number(value: object) -> float:
    """Return a count; what is none counts as 0."""
    is_count = isinstance(value, int) and not isinstance(value, bool)
    return float(str(value)) if is_count else 0.0
