"""From the changes of one workload to what is to be written of them.

What an amount is to be is compared with what stands in the status; where nothing is new, nothing is
written, so that deciding the same again, here or in another process, costs nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple, Protocol

from autoscaler.api.names import Condition
from autoscaler.kube.condition import find_condition
from autoscaler.scaling.cluster import Outcome
from autoscaler.scaling.live.replicas.scaling_replicas import Scaling
from autoscaler.scaling.live.status.desired_amounts import (
    Order,
    desired_after,
    is_same,
    place_in_order,
)
from autoscaler.scaling.live.status.statement import Decided
from autoscaler.scaling.live.status.status_parts import guard_after
from autoscaler.scaling.live.status.workload_terms import terms_of
from autoscaler.scaling.live.writing.statement_writing import Basis
from autoscaler.scaling.live.writing.stating import Wish
from autoscaler.scaling.live.writing.urgency import priority_of

if TYPE_CHECKING:
    from autoscaler.clock import Clock
    from autoscaler.kube.store import Key, Object
    from autoscaler.scaling.cluster import Change, WorkloadView
    from autoscaler.scaling.live.replicas.replica_guards import ReplicaGuards
    from autoscaler.scaling.live.replicas.scaling_replicas import ScalingReplicas
    from autoscaler.scaling.live.status.workload_terms import Terms
    from autoscaler.scaling.live.writing.statement_writing import Find
    from autoscaler.scaling.live.writing.statements import Statements

STATED_ALREADY = "stated already"
GONE = "the workload is gone"
RECREATED = "the workload was created anew under its name"
PAUSED = "the workload was paused"


class Views(Protocol):
    """What the workloads are; ``LiveViews`` has them."""

    def snapshot(self) -> list[WorkloadView]:
        """Return the views of all workloads."""
        ...

    def of(self, keys: Iterable[Key]) -> list[WorkloadView]:
        """Return the views of some workloads; of one that is not there, none."""
        ...


class Numbering:
    """Numbers statements in the order of this process; for one thread."""

    def __init__(self, *, epoch: Callable[[], int | None], clock: Clock) -> None:
        """``epoch`` returns the term of this process as the leader."""
        self._epoch = epoch
        self._clock = clock
        self._sequence = count(1)

    def next(self, workload: Object, standing: Decided) -> Order:
        """Return the place of a new statement about a workload.

        It is after everything that was stated of it and carried out, also by the autoscaler of
        another part of the namespaces, whose terms are counted apart from ours.
        """
        applied = (workload.get("status") or {}).get("applied") or {}
        before = max(place_in_order(part) for part in (standing.desired, applied))
        own = self._epoch() or 0, next(self._sequence)
        epoch, sequence = own if own > before else (before[0], before[1] + 1)
        return Order(epoch, sequence, self._clock.now_s())


class Scaled(NamedTuple):
    """A change of replicas, and how it is carried out."""

    change: Change
    scaling: Scaling


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """What is to be done for one workload."""

    refused: tuple[Outcome, ...] = ()
    """Of changes that are not asked for."""
    workload: Object = field(default_factory=lambda: MappingProxyType({}))
    amounts: tuple[Change, ...] = ()
    """Changes of amounts of which something is new."""
    scaled: Scaled | None = None
    wish: Wish | None = None
    """None where nothing is to be written."""


class Preparing:
    """Prepares changes; for the loop's thread."""

    def __init__(
        self,
        *,
        views: Views,
        find: Find,
        statements: Statements,
        scaling: ScalingReplicas,
        guards: ReplicaGuards,
        numbering: Numbering,
    ) -> None:
        self._views = views
        self._find = find
        self._statements = statements
        self._scaling = scaling
        self._guards = guards
        self._numbering = numbering

    def prepare(self, key: Key, changes: Sequence[Change]) -> Prepared:
        """Return what is to be done for a workload to make changes of it."""
        workload, views = self._find(*key), self._views.of([key])
        if workload is None or not views:
            return Prepared(refused=refused(changes, GONE))
        if any(change.uid != workload["metadata"]["uid"] for change in changes):
            return Prepared(refused=refused(changes, RECREATED))
        if views[0].is_paused:
            return Prepared(refused=refused(changes, PAUSED))
        standing = self._statements.standing(workload).decided
        terms = terms_of(workload, views)
        left_out: list[Outcome] = []
        amounts = []
        for change in changes:
            if change.replicas is not None:
                continue
            reason = _why_not_stated(change, workload, standing, terms)
            if reason:
                left_out += refused([change], reason)
            else:
                amounts.append(change)
        scaled = self._scaled(workload, views[0], changes, left_out)
        if not amounts and scaled is None:
            return Prepared(refused=tuple(left_out))
        acting = amounts if scaled is None else [*amounts, scaled.change]
        wish = Wish(
            key=key,
            decided=self._decided(workload, standing, amounts, terms),
            basis=Basis(workload=workload, decided=standing),
            priority=min((priority_of(c, views) for c in acting), key=lambda each: each.rank),
            then=None if scaled is None else partial(self._scaling.scale, workload, scaled.scaling),
        )
        return Prepared(
            refused=tuple(left_out),
            workload=workload,
            amounts=tuple(amounts),
            scaled=scaled,
            wish=wish,
        )

    def _scaled(
        self,
        workload: Object,
        view: WorkloadView,
        changes: Sequence[Change],
        left_out: list[Outcome],
    ) -> Scaled | None:
        """Return the change of replicas, if there is one that may be made; it is begun then."""
        change = next((each for each in changes if each.replicas is not None), None)
        if change is None or change.replicas is None:
            return None
        reason = view.replicas_held
        if view.replicas is None:
            reason = reason or "its owner has no replicas"
        elif view.replicas == change.replicas:
            reason = reason or "it has so many replicas already"
        if reason or view.replicas is None:
            left_out += refused([change], reason)
            return None
        scaling = Scaling(
            before=view.replicas,
            after=change.replicas,
            reason=change.reason,
            remembered=self._guards.begin(workload, before=view.replicas, after=change.replicas),
        )
        return Scaled(change, scaling)

    def _decided(
        self, workload: Object, standing: Decided, changes: Sequence[Change], terms: Terms
    ) -> Decided:
        desired = desired_after(standing.desired, changes, terms)
        if is_same(desired, standing.desired):
            desired = dict(standing.desired)
        elif desired:
            desired = {**self._numbering.next(workload, standing).mapping(), **desired}
        guards = {each.gpu_model: each.guard for each in changes if each.guard is not None}
        replicas = self._guards.of(workload)
        return Decided(
            desired=desired,
            guard=guard_after(standing.guard, guards, terms.models, replicas),
        )


def _why_not_stated(change: Change, workload: Object, standing: Decided, terms: Terms) -> str:
    """Return why a change of amounts needs no write, or cannot have one; empty: it is to be."""
    try:
        desired = desired_after(standing.desired, [change], terms)
    except ValueError as error:
        return str(error)
    if not is_same(desired, standing.desired):
        return ""
    applied = find_condition(workload, Condition.DESIRED_APPLIED) or {}
    if applied.get("status") == "False":
        return f"{STATED_ALREADY}: {applied.get('message')}"
    return STATED_ALREADY


def refused(changes: Iterable[Change], reason: str) -> tuple[Outcome, ...]:
    """Return that none of the changes is made, and why."""
    return tuple(Outcome(change=change, applied=False, reason=reason) for change in changes)
