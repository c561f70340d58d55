"""Validating: between decide and apply, because the world moves while we think.

Workloads that are to be changed are read again; a change whose premises no longer hold is dropped,
counted by reason, and decided anew in the next tick.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from autoscaler.scaling.cards import card_of
from recommender.decision import Layer
from recommender.policy.model import Mode
from recommender.policy.table import dimension_of
from recommender.resources import resource_named

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from autoscaler.scaling.cluster import WorkloadView
    from autoscaler.scaling.planning import Effect, PlannedChange

_EQUAL = 1e-9


class Rejection(StrEnum):
    """Why a change was dropped."""

    GONE = "the workload is gone"
    RECREATED = "the workload was created anew under its name"
    PAUSED = "the workload was paused"
    NOT_ENROLLED = "the layer is no longer enrolled"
    IN_FORCE_CHANGED = "what is in force was changed by someone else"
    STATED_CHANGED = "the stated values were changed"
    ABOVE_CARD = "the amount is more than one GPU of the workload has"
    REQUEST_ABOVE_LIMIT = "the request would be above the limit"
    MOVED = "no worker of the workload runs on this GPU model any more"
    REPLICAS_HELD = "somebody else sets the replicas"
    WARMING = "the history is still being read"
    UNHEALTHY = "the webhook or the metrics are unhealthy"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejected:
    """A change that is not applied."""

    plan: PlannedChange
    reason: Rejection


@dataclass(frozen=True, slots=True, kw_only=True)
class Validated:
    """Changes that still hold, in the order in which they came, and the others."""

    accepted: tuple[PlannedChange, ...]
    rejected: tuple[Rejected, ...]


def validate(
    plans: Sequence[PlannedChange],
    decided_from: Sequence[WorkloadView],
    current: Iterable[WorkloadView],
) -> Validated:
    """Compare each change with the workload as it is now.

    ``decided_from`` are the views of the decision, by row; ``current`` the workloads read again.
    """
    now = {(*view.key, view.gpu_model): view for view in current}
    existing = {view.key for view in now.values()}
    accepted: list[PlannedChange] = []
    rejected: list[Rejected] = []
    for plan in plans:
        before = decided_from[plan.row]
        after = now.get((*before.key, before.gpu_model))
        if after is not None:
            reason = _reason_against(plan, before, after)
        else:
            reason = Rejection.MOVED if before.key in existing else Rejection.GONE
        if reason is None:
            accepted.append(plan)
        else:
            rejected.append(Rejected(plan=plan, reason=reason))
    return Validated(accepted=tuple(accepted), rejected=tuple(rejected))


def rejection_counts(rejected: Iterable[Rejected]) -> Mapping[Rejection, int]:
    """Return how often each reason occurred, for metrics."""
    counts: dict[Rejection, int] = {}
    for item in rejected:
        counts[item.reason] = counts.get(item.reason, 0) + 1
    return counts


def _reason_against(
    plan: PlannedChange, before: WorkloadView, after: WorkloadView
) -> Rejection | None:
    checks = (
        (after.uid != plan.change.uid, Rejection.RECREATED),
        (after.is_paused, Rejection.PAUSED),
        (plan.is_of_replicas and bool(after.replicas_held), Rejection.REPLICAS_HELD),
        (not all(_is_enrolled(e, after) for e in plan.effects), Rejection.NOT_ENROLLED),
        (_stated_differs(before, after), Rejection.STATED_CHANGED),
        (not all(_is_replaced(e, after) for e in plan.effects), Rejection.IN_FORCE_CHANGED),
    )
    reason = next((reason for holds, reason in checks if holds), None)
    return reason or _impossible(plan, after)


def _is_enrolled(effect: Effect, view: WorkloadView) -> bool:
    if effect.layer is Layer.REPLICAS:
        rule = view.policy.replicas
        return rule.is_enrolled and rule.mode is Mode.APPLY
    dimension = dimension_of(resource_named(effect.resource))
    layers = view.policy.requests if effect.layer is Layer.REQUESTS else view.policy.limits
    modes = (Mode.APPLY, Mode.INITIAL) if effect.is_at_start else (Mode.APPLY,)
    return layers[dimension].is_enrolled and layers[dimension].mode in modes


def _is_replaced(effect: Effect, view: WorkloadView) -> bool:
    """Return whether the number that the decision started from is still there."""
    if effect.layer is Layer.REPLICAS:
        return view.replicas is not None and view.replicas == effect.before
    is_request = effect.layer is Layer.REQUESTS
    value = (view.request if is_request else view.limit).get(effect.resource)
    if effect.is_at_start:
        stated = view.start_request if is_request else view.start_limit
        value = stated.get(effect.resource, value)
    if value is None or effect.before is None:
        return value is None and effect.before is None
    return math.isclose(value, effect.before, rel_tol=_EQUAL)


def _stated_differs(one: WorkloadView, other: WorkloadView) -> bool:
    return dict(one.stated_request) != dict(other.stated_request) or (
        dict(one.stated_limit) != dict(other.stated_limit)
    )


def _impossible(plan: PlannedChange, view: WorkloadView) -> Rejection | None:
    change = plan.change
    card = card_of(view, view.gpu_model)
    for values in (change.request, change.limit, change.start_request, change.start_limit):
        for resource, value in values.items():
            if value > card.get(resource, math.inf) * (1.0 + _EQUAL):
                return Rejection.ABOVE_CARD
    request, limit = {**view.request, **change.request}, {**view.limit, **change.limit}
    for resource in {*change.request, *change.limit}:
        if request.get(resource, 0.0) > limit.get(resource, math.inf) * (1.0 + _EQUAL):
            return Rejection.REQUEST_ABOVE_LIMIT
    return None
