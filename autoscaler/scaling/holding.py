"""Holds: what passes while the loop is not to be trusted with everything.

A held effect is split off its change and told like any change that was dropped; the others are
applied.  That a change is held for a workload alone, as a pause does, is not decided here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from enum import StrEnum
from types import MappingProxyType

from autoscaler.scaling.planning import Effect, PlannedChange, change_with
from autoscaler.scaling.validating import Rejected, Rejection
from recommender.decision import Layer


class Hold(StrEnum):
    """Why only raises pass."""

    WARMING = Rejection.WARMING.value
    """Raises pass, of amounts and of replicas: what is known of the last minutes is enough.  What
    workers start with rises with what running ones have; else it would rise for want of knowledge.
    """
    UNHEALTHY = Rejection.UNHEALTHY.value
    """Raises of running workers pass: they need no webhook and no history, and a saturated or
    refused worker must not wait for an unrelated outage."""


def held_back(
    plans: Sequence[PlannedChange], hold: Hold
) -> tuple[tuple[PlannedChange, ...], tuple[Rejected, ...]]:
    """Return what passes a hold, in the order of ``plans``, and what it keeps back."""
    passes, reason = _PASSES[hold], Rejection[hold.name]
    passing, rejected = [], []
    for plan in plans:
        free = tuple(effect for effect in plan.effects if passes(effect, plan))
        if len(free) == len(plan.effects):
            passing.append(plan)
            continue
        held = tuple(effect for effect in plan.effects if not passes(effect, plan))
        rejected.append(Rejected(plan=_part(plan, held), reason=reason))
        if free:
            passing.append(_part(plan, free))
    return tuple(passing), tuple(rejected)


def _part(plan: PlannedChange, effects: tuple[Effect, ...]) -> PlannedChange:
    return replace(plan, change=change_with(plan.change, effects), effects=effects)


def _passes_warming(effect: Effect, plan: PlannedChange) -> bool:
    return effect.is_raise and (not effect.is_at_start or _rises_while_running(effect, plan))


def _rises_while_running(effect: Effect, plan: PlannedChange) -> bool:
    subject = effect.layer, effect.resource, False
    return any(
        (each.layer, each.resource, each.is_at_start) == subject and each.is_raise
        for each in plan.effects
    )


def _passes_unhealthy(effect: Effect, _: PlannedChange) -> bool:
    return effect.is_raise and effect.layer is not Layer.REPLICAS and not effect.is_at_start


_PASSES = MappingProxyType[Hold, Callable[[Effect, PlannedChange], bool]](
    {Hold.WARMING: _passes_warming, Hold.UNHEALTHY: _passes_unhealthy}
)
