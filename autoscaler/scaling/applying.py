"""Applying: asking the cluster for changes, and telling the decision state what became of them.

A refused change leaves what is in force, and the next snapshot shows it; so the state must not
remember it as a change, else it would count against budgets and be watched for nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from autoscaler.scaling.records import APPLIED, CAPPED, ROLLED_BACK
from recommender.decision import Code, Layer
from recommender.report.blocks import HistoryEntry
from recommender.state import NEVER

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from autoscaler.scaling.cluster import Cluster, Outcome
    from autoscaler.scaling.planning import Effect, PlannedChange
    from autoscaler.scaling.validating import Rejected
    from recommender.observation import Bools
    from recommender.resources import Resource
    from recommender.state import DecisionState


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """What became of the planned changes of one tick."""

    outcomes: tuple[tuple[PlannedChange, Outcome], ...]

    def done(self) -> Iterator[PlannedChange]:
        """Yield the changes that the cluster took."""
        return (plan for plan, outcome in self.outcomes if outcome.applied)


def apply_changes(cluster: Cluster, plans: Sequence[PlannedChange]) -> Applied:
    """Ask the cluster for the changes, in their order; its ``AutoscalerError`` passes through."""
    outcomes = cluster.apply([plan.change for plan in plans]) if plans else ()
    return Applied(outcomes=tuple(zip(plans, outcomes, strict=True)))


def history_entries(
    applied: Applied | None, rejected: Iterable[Rejected], now_s: int
) -> Iterator[tuple[tuple[str, str], HistoryEntry]]:
    """Yield (workload, entry) for every number that was tried to be changed."""
    for plan, outcome in () if applied is None else applied.outcomes:
        for effect in plan.effects:
            after, result = effect.after, outcome.reason
            given = outcome.capped.get(effect.resource, effect.after)
            # a number that was capped at what it was is no change, whatever else was applied
            if outcome.applied and given != effect.before:
                after = given
                result = APPLIED if after == effect.after else f"{CAPPED}: {outcome.reason}"
                if effect.code is Code.RolledBack and not effect.is_at_start:
                    result = ROLLED_BACK
            yield _key(plan), _entry(effect, after, result, now_s)
    for item in rejected:
        for effect in item.plan.effects:
            yield _key(item.plan), _entry(effect, effect.after, str(item.reason), now_s)


def _key(plan: PlannedChange) -> tuple[str, str]:
    return plan.change.namespace, plan.change.workload


def _entry(effect: Effect, after: float, outcome: str, now_s: int) -> HistoryEntry:
    reason = f"at the next start: {effect.reason}" if effect.is_at_start else effect.reason
    return HistoryEntry(
        time_s=now_s,
        resource=effect.resource,
        layer=effect.layer.name.lower(),
        before=effect.before,
        after=after,
        reason=reason,
        outcome=outcome,
    )


_REQUEST_COLUMNS = (
    "request_evaluated_s",
    "request_change_s",
    "request_change_before",
    "request_before_cron",
    "request_decrease_s",
    "request_before_decrease",
)
_LIMIT_COLUMNS = (
    "limit_evaluated_s",
    "limit_anchor_s",
    "limit_anchor",
    "limit_decrease_s",
    "limit_before_decrease",
    "limit_raise_s",
)
_LIMIT_ROW_COLUMNS = ("last_limits_tick_s",)
_REPLICA_COLUMNS = ("scaled_s", "scaled_by", "scaled_from")
_BUDGET_COLUMNS = ("budget_s", "raise_charged_s")


def without_unapplied(
    before: DecisionState,
    after: DecisionState,
    unapplied: Iterable[PlannedChange],
    resources: Sequence[Resource],
    *,
    others: Iterable[PlannedChange] = (),
    held_replicas: Bools | None = None,
) -> DecisionState:
    """Return ``after`` with the changes of ``unapplied`` undone: they did not come into force.

    Both states have the same rows.  ``others`` are changes that stand, for which their workloads
    stay charged to the budget; ``held_replicas`` (``[W]``) are rows whose replicas were decided and
    not even planned.  Windows of wishes and targets stay, because they are about what is right, not
    about what was written.
    """
    rows, columns = after.shape
    requests, limits = np.zeros((rows, columns), bool), np.zeros((rows, columns), bool)
    replicas = np.zeros(rows, bool) if held_replicas is None else held_replicas.copy()
    at = {resource.name: i for i, resource in enumerate(resources)}
    for row, effect in _of_running_workers(unapplied):
        if effect.layer is Layer.REPLICAS:
            replicas[row] = True
        else:
            mask = requests if effect.layer is Layer.REQUESTS else limits
            mask[row, at[effect.resource]] = True
    is_charged = np.zeros(rows, bool)
    is_charged[[row for row, _ in _of_running_workers(others)]] = True
    # what refused allocations ask for is answered by limits that cannot be compressed
    answers = limits & np.array([not resource.is_compressible for resource in resources], bool)
    is_changed = requests.any(axis=1) | limits.any(axis=1) | replicas
    undone: dict[str, object] = {}
    masks: tuple[tuple[tuple[str, ...], Bools], ...] = (
        (_REQUEST_COLUMNS, requests),
        (_LIMIT_COLUMNS, limits),
        (_LIMIT_ROW_COLUMNS, np.asarray(answers.any(axis=1), bool)),
        (_REPLICA_COLUMNS, replicas),
        (_BUDGET_COLUMNS, np.asarray(is_changed & ~is_charged, bool)),
    )
    for names, mask in masks:
        if mask.any():
            for name in names:
                undone[name] = _restored(getattr(before, name), getattr(after, name), mask)
    return replace(after, **undone) if undone else after  # type: ignore[arg-type]


def _of_running_workers(plans: Iterable[PlannedChange]) -> Iterator[tuple[int, Effect]]:
    for plan in plans:
        for effect in plan.effects:
            if not effect.is_at_start:
                yield plan.row, effect


def _restored(
    before: NDArray[np.generic], after: NDArray[np.generic], mask: Bools
) -> NDArray[np.generic]:
    """Return ``after`` with the masked rows of ``before``; a window may have grown meanwhile."""
    restored = after.copy()
    if before.ndim == after.ndim == mask.ndim + 1 and before.shape[-1] != after.shape[-1]:
        width = min(before.shape[-1], after.shape[-1])
        empty = NEVER if after.dtype == np.int64 else np.nan
        restored[mask] = empty
        restored[mask, :width] = before[mask, :width]
    else:
        restored[mask] = before[mask]
    return restored
