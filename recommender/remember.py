"""What one tick leaves in the state, and what the cluster tells of the tick before."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from recommender.decision import Decisions, Layer
from recommender.layers.context import Tick
from recommender.layers.replica_pace import remember_scaling
from recommender.observation import Bools, Floats, Ints
from recommender.state import NEVER, DecisionState

MINUTE_S = 60
WATCH_S = 1800


def reconciled(tick: Tick) -> DecisionState:
    """Return the state in the light of what is in force.

    A change that was decided but not applied is no change.  Workers that came up with a lower VRAM
    amount, which waited for their start, begin to be watched now.
    """
    state, workloads = tick.state, tick.workloads
    undone = state.request_change_before[..., 0] == workloads.request
    at, before = _without_newest(state, undone)
    lower_request = _started_lower(tick, state.seen_request, workloads.request, state.start_request)
    lower_limit = _started_lower(tick, state.seen_limit, workloads.limit, state.start_limit)
    now_s = tick.now_s
    return replace(
        state,
        request_change_s=at,
        request_change_before=before,
        request_decrease_s=np.where(lower_request, now_s, state.request_decrease_s),
        request_before_decrease=np.where(
            lower_request, state.seen_request, state.request_before_decrease
        ),
        limit_decrease_s=np.where(lower_limit, now_s, state.limit_decrease_s),
        limit_before_decrease=np.where(lower_limit, state.seen_limit, state.limit_before_decrease),
    )


def remembered(
    tick: Tick, state: DecisionState, decisions: Decisions, charged_s: Ints
) -> DecisionState:
    """Return ``state`` (with this tick's wishes) after this tick's decisions."""
    workloads, now_s = tick.workloads, tick.now_s
    request_changed = _changed(decisions.next_request, workloads.request)
    at, before = _with_newest(state, request_changed, now_s, workloads.request)
    request_s, request_before = _watched(
        tick,
        decisions.next_request < workloads.request,
        workloads.request,
        state.request_decrease_s,
        state.request_before_decrease,
    )
    lowered = decisions.next_limit < workloads.limit
    limit_s, limit_before = _watched(
        tick,
        lowered,
        workloads.limit,
        state.limit_decrease_s,
        state.limit_before_decrease,
    )
    new_minute = lowered & (now_s - state.limit_anchor_s >= MINUTE_S)
    change = np.nan_to_num(decisions.next_replicas - workloads.replicas)
    limits_ticked = Layer.LIMITS in decisions.due
    state = remember_scaling(state, now_s, change)
    return replace(
        state,
        target_request=decisions.target_request,
        target_limit=decisions.target_limit,
        target_replicas=decisions.target_replicas,
        raw_request=decisions.raw_request,
        raw_limit=decisions.raw_limit,
        raw_replicas=decisions.raw_replicas,
        lower_request=decisions.lower_request,
        upper_request=decisions.upper_request,
        start_request=decisions.start_request,
        start_limit=decisions.start_limit,
        request_change_s=at,
        request_change_before=before,
        request_decrease_s=request_s,
        request_before_decrease=request_before,
        limit_decrease_s=limit_s,
        limit_before_decrease=limit_before,
        limit_anchor_s=np.where(new_minute, now_s, state.limit_anchor_s),
        limit_anchor=np.where(new_minute, workloads.limit, state.limit_anchor),
        last_limits_tick_s=(
            np.full_like(state.last_limits_tick_s, now_s)
            if limits_ticked
            else state.last_limits_tick_s
        ),
        seen_request=workloads.request,
        seen_limit=workloads.limit,
        budget_s=charged_s,
    )


def _changed(value: Floats, current: Floats) -> Bools:
    return np.asarray((value != current) & ~np.isnan(value), np.bool_)


def _watched(
    tick: Tick, lowered: Bools, current: Floats, decrease_s: Ints, before: Floats
) -> tuple[Ints, Floats]:
    """Note a decrease; of a chain of decreases the amount before the first one is kept."""
    running = tick.now_s - decrease_s <= WATCH_S
    first = np.where(running, np.fmax(before, current), current)
    return np.where(lowered, tick.now_s, decrease_s), np.where(lowered, first, before)


def _started_lower(tick: Tick, seen: Floats, current: Floats, start: Floats) -> Bools:
    return np.asarray(tick.is_vram & (current < seen) & (current == start), np.bool_)


def _with_newest(
    state: DecisionState, where: Bools, now_s: int, before: Floats
) -> tuple[Ints, Floats]:
    at, values = state.request_change_s, state.request_change_before
    new_at = np.concatenate([np.full((*where.shape, 1), now_s), at[..., :-1]], axis=2)
    new_values = np.concatenate([before[..., None], values[..., :-1]], axis=2)
    where = where[..., None]
    return np.where(where, new_at, at), np.where(where, new_values, values)


def _without_newest(state: DecisionState, where: Bools) -> tuple[Ints, Floats]:
    at, values = state.request_change_s, state.request_change_before
    old_at = np.concatenate([at[..., 1:], np.full((*where.shape, 1), NEVER)], axis=2)
    old_values = np.concatenate([values[..., 1:], np.full((*where.shape, 1), np.nan)], axis=2)
    where = where[..., None]
    return np.where(where, old_at, at), np.where(where, old_values, values)
