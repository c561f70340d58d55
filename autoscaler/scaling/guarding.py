"""Guards: what guard rails must not forget, between the decision state and the cluster.

A decision state has a time for each number; a guard has one for each workload and GPU model, small
enough to be kept beside the decision.  What is lost on the way makes the next process stricter,
never laxer: it rolls back what was to be rolled back, watches what was watched, lowers nothing
before the time, and has as many changes of the day left, or fewer.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from autoscaler.scaling.cluster import Guard, amounts
from recommender.layers.budget import WINDOW_S
from recommender.layers.roll_back import NO_DECREASE_S
from recommender.state import CHANGES_KEPT, NEVER
from recommender.usage.statistics import WATCH_S
from recommender.usage.store import DAY_S

if TYPE_CHECKING:
    from collections.abc import Sequence

    from autoscaler.scaling.cluster import Amounts, WorkloadView
    from autoscaler.scaling.planning import PlannedChange
    from recommender.observation import Bools, Floats, Ints
    from recommender.resources import Resource
    from recommender.state import DecisionState

_EMPTY = Guard()


def guard_of(
    state: DecisionState, resources: Sequence[Resource], now_s: int, rows: Ints | Sequence[int]
) -> list[Guard]:
    """Return the guards of some rows of a state, in their order; an empty one where nothing is."""
    chosen = np.asarray(rows, np.int64)
    watch = _watch(state, chosen, now_s)
    changes_s = state.request_change_s[chosen]
    last_s = changes_s.max(axis=(1, 2), initial=NEVER)
    of_the_day = changes_s > last_s[:, None, None] - DAY_S
    changes = of_the_day.sum(axis=2).max(axis=1, initial=0)
    names = [resource.name for resource in resources]
    answered_s = np.maximum(state.last_limits_tick_s, state.answered_until_s)[chosen]
    guards = []
    for i in range(len(chosen)):
        is_changed = last_s[i] > NEVER
        guard = Guard(
            last_change_s=int(last_s[i]) if is_changed else None,
            changes=int(changes[i]) if is_changed else 0,
            watched_until_s=_time(watch.until_s[i]),
            previous_request=_known(names, watch.request[i]),
            previous_limit=_known(names, watch.limit[i]),
            no_decrease_until_s=_time(watch.no_decrease_until_s[i]),
            answered_until_s=_time(answered_s[i]),
        )
        guards.append(_EMPTY if guard == _EMPTY else guard)
    return guards


def guarded(
    plans: Sequence[PlannedChange],
    views: Sequence[WorkloadView],
    state: DecisionState,
    resources: Sequence[Resource],
    now_s: int,
) -> tuple[PlannedChange, ...]:
    """Return the plans with the guards that are to be kept with their amounts.

    ``state`` is what the decisions left on ``views``.  Replicas are guarded where they are written.
    """
    rows = [plan.row for plan in plans if not plan.is_of_replicas]
    guards = dict(zip(rows, guard_of(state, resources, now_s, rows), strict=True))
    return tuple(
        plan
        if plan.is_of_replicas
        else replace(
            plan, change=replace(plan.change, guard=_kept(guards[plan.row], views[plan.row], now_s))
        )
        for plan in plans
    )


def _kept(guard: Guard, view: WorkloadView, now_s: int) -> Guard:
    """Return a guard with what an earlier one has of changes that may still come into force."""
    old = view.guard
    if old is None:
        return guard
    if guard.watched_until_s is None and (old.watched_until_s or NEVER) > now_s:
        guard = replace(
            guard,
            watched_until_s=old.watched_until_s,
            previous_request=old.previous_request,
            previous_limit=old.previous_limit,
        )
    if (old.last_change_s or NEVER) > max(guard.last_change_s or NEVER, now_s - DAY_S):
        guard = replace(guard, last_change_s=old.last_change_s, changes=old.changes)
    return guard


def came_late(
    views: Sequence[WorkloadView], state: DecisionState, resources: Sequence[Resource], now_s: int
) -> Bools:
    """Return the rows, ``[W]``, with a decrease in force that the state took for one never made.

    What carries out a change may do so long after the state forgot it (``remember.reconciled``);
    the guard that was kept with the change still knows it.
    """
    names = [resource.name for resource in resources]
    found = np.zeros(len(views), np.bool_)
    for row, view in enumerate(views):
        guard = view.guard
        if guard is None or guard.watched_until_s is None or guard.watched_until_s < now_s:
            continue
        found[row] = any(
            in_force.get(name, value) < value and decrease_s[row, names.index(name)] == NEVER
            for in_force, previous, decrease_s in (
                (view.request, guard.previous_request, state.request_decrease_s),
                (view.limit, guard.previous_limit, state.limit_decrease_s),
            )
            for name, value in previous.items()
            if name in names
        )
    return found


def with_guards(
    state: DecisionState,
    rows: Ints | Sequence[int],
    guards: Sequence[Guard],
    resources: Sequence[Resource],
    now_s: int,
) -> DecisionState:
    """Return the state with what the guards of some rows know beyond it.

    Times that a clock ahead of ours wrote count as those of ``now_s``.
    """
    known = [(int(row), g) for row, g in zip(rows, guards, strict=True) if g != _EMPTY]
    if not known:
        return state
    columns = {name: getattr(state, name).copy() for name in _COLUMNS}
    names = [resource.name for resource in resources]
    for row, guard in known:
        _merge_changes(columns, row, guard, names, now_s)
        _merge_watch(columns, row, guard, names, now_s)
        _merge_charge(columns, row, guard, now_s)
        if guard.no_decrease_until_s is not None:
            until_s = min(guard.no_decrease_until_s, now_s + NO_DECREASE_S)
            column = columns["no_decrease_until_s"]
            column[row] = np.maximum(column[row], until_s)
        answered_s = NEVER if guard.answered_until_s is None else guard.answered_until_s
        if answered_s > state.last_limits_tick_s[row]:
            column = columns["answered_until_s"]
            column[row] = np.maximum(column[row], min(answered_s, now_s))
    return replace(state, **columns)


_COLUMNS = (
    "request_change_s",
    "request_change_before",
    "request_decrease_s",
    "request_before_decrease",
    "limit_decrease_s",
    "limit_before_decrease",
    "no_decrease_until_s",
    "answered_until_s",
    "budget_s",
)


@dataclass(frozen=True, slots=True)
class _Watch:
    """Decreases that may still be taken back, ``[N]`` or ``[N, R]``; NEVER and NaN: none."""

    until_s: Ints
    no_decrease_until_s: Ints
    request: Floats
    limit: Floats


def _watch(state: DecisionState, rows: Ints, now_s: int) -> _Watch:
    """Return one time for all watched amounts of a row.

    With trouble found and not answered yet, it is one from which that trouble still counts for all
    of them.  Else it is the latest decrease, or just after trouble that was another amount's.
    """
    until_s = state.no_decrease_until_s[rows]
    request, limit = state.request_before_decrease[rows], state.limit_before_decrease[rows]
    request_s, limit_s = state.request_decrease_s[rows], state.limit_decrease_s[rows]
    request_pends, limit_pends = (
        _pends(until_s - NO_DECREASE_S, decrease_s) & ~np.isnan(before)
        for decrease_s, before in ((request_s, request), (limit_s, limit))
    )
    request_kept = (request_pends | (now_s - request_s <= WATCH_S)) & ~np.isnan(request)
    limit_kept = (limit_pends | (now_s - limit_s <= WATCH_S)) & ~np.isnan(limit)
    latest_s = np.maximum(
        np.where(request_kept, request_s, NEVER).max(axis=1, initial=NEVER),
        np.where(limit_kept, limit_s, NEVER).max(axis=1, initial=NEVER),
    )
    pends = (request_pends | limit_pends).any(axis=1)
    last_until_s = until_s.max(axis=1, initial=NEVER)
    last_until_s = np.where(pends | (last_until_s > now_s), last_until_s, NEVER)
    trouble_s = last_until_s - NO_DECREASE_S
    counted_s = np.clip(latest_s, trouble_s - WATCH_S, trouble_s)
    spared_s = np.where(_pends(trouble_s, latest_s), trouble_s + 1, latest_s)
    decrease_s = np.where(pends, counted_s, spared_s)
    return _Watch(
        until_s=np.where(latest_s > NEVER, decrease_s + WATCH_S, NEVER),
        no_decrease_until_s=last_until_s,
        request=np.where(request_kept, request, np.nan),
        limit=np.where(limit_kept, limit, np.nan),
    )


def _pends(trouble_s: Ints, decrease_s: Ints) -> Bools:
    """Return where trouble was found while a decrease was watched, as ``roll_back`` counts it."""
    after_s = trouble_s - decrease_s
    return np.asarray((after_s >= 0) & (after_s <= WATCH_S), np.bool_)


def _merge_changes(
    columns: dict[str, Floats | Ints], row: int, guard: Guard, names: Sequence[str], now_s: int
) -> None:
    at, before = columns["request_change_s"][row], columns["request_change_before"][row]
    if guard.last_change_s is None or at.max(initial=NEVER) >= guard.last_change_s:
        return
    count = min(max(guard.changes, 1), CHANGES_KEPT)
    # of which resource they were is not known, so they count for each
    at[:, :count] = min(guard.last_change_s, now_s)
    before[:, :count] = np.nan
    for name, value in guard.previous_request.items():
        if name in names:
            before[names.index(name), 0] = value


def _merge_watch(
    columns: dict[str, Floats | Ints], row: int, guard: Guard, names: Sequence[str], now_s: int
) -> None:
    if guard.watched_until_s is None:
        return
    # one second of the future, where a decrease is told apart from trouble of the same moment
    decrease_s = min(guard.watched_until_s - WATCH_S, now_s + 1)
    for kind, previous in (("request", guard.previous_request), ("limit", guard.previous_limit)):
        at, before = columns[f"{kind}_decrease_s"][row], columns[f"{kind}_before_decrease"][row]
        for name, value in previous.items():
            if name in names and at[names.index(name)] < decrease_s:
                at[names.index(name)] = decrease_s
                before[names.index(name)] = value


def _merge_charge(columns: dict[str, Floats | Ints], row: int, guard: Guard, now_s: int) -> None:
    """Charge a workload to the fleet's budget for a change that no charge is known for."""
    changed_s = NEVER if guard.last_change_s is None else guard.last_change_s
    lowered_s = NEVER if guard.watched_until_s is None else guard.watched_until_s - WATCH_S
    column, charged_s = columns["budget_s"], min(max(changed_s, lowered_s), now_s)
    if charged_s - column[row] >= WINDOW_S:
        column[row] = charged_s


def _known(names: Sequence[str], values: Floats) -> Amounts:
    pairs = zip(names, values.tolist(), strict=True)
    return amounts({name: value for name, value in pairs if not np.isnan(value)})


def _time(value: np.int64) -> int | None:
    return int(value) if value > NEVER else None
