"""What one tick leaves in the state, and what the cluster tells of the tick before."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from zlib import crc32

import numpy as np

from recommender.decision import Decisions, Layer
from recommender.layers.bounds import RESOLUTION_RATIO
from recommender.layers.budget import Granted
from recommender.layers.context import Tick
from recommender.layers.replica_pace import remember_scaling, without_undone_scaling
from recommender.layers.request_pace import NextRequests
from recommender.layers.requests import RequestTargets
from recommender.observation import Bools, Floats, Ints
from recommender.resources import MIB
from recommender.state import NEVER, DecisionState
from recommender.usage.minutes import MINUTE_S
from recommender.usage.statistics import WATCH_S

SETTLES_S = 30
"""A change may take so long to come into force: what applies it runs beside us."""


def reconciled(tick: Tick) -> DecisionState:
    """Return the state in the light of what is in force.

    A change that was decided but did not come into force is no change, and a decrease that is no
    longer in force is not watched.  Workers that came up with a lower VRAM amount, which waited for
    their start, make a change now, and begin to be watched.
    """
    workloads, state = tick.workloads, tick.state
    known = state.request_change_s[..., 0] > NEVER
    last = state.request_change_before[..., 0]
    undone = known & ((last == workloads.request) | (np.isnan(last) & np.isnan(workloads.request)))
    undone &= tick.now_s - state.request_change_s[..., 0] > SETTLES_S
    at, before = _without_newest(state, undone)
    state = replace(state, request_change_s=at, request_change_before=before)
    started = _started_lower(tick, state.seen_request, workloads.request, state.start_request)
    at, before = _with_newest(state, started, tick.now_s, state.seen_request)
    request_s, request_before = _still_lowered(
        tick, state.request_decrease_s, state.request_before_decrease, workloads.request
    )
    limit_s, limit_before = _still_lowered(
        tick, state.limit_decrease_s, state.limit_before_decrease, workloads.limit
    )
    unplanned = state.segment_change_before == workloads.request
    unplanned &= tick.now_s - state.segment_change_s > SETTLES_S
    limit_started = _started_lower(tick, state.seen_limit, workloads.limit, state.start_limit)
    state = replace(
        state,
        request_change_s=at,
        request_change_before=before,
        segment_change_s=np.where(unplanned, NEVER, state.segment_change_s),
        request_decrease_s=np.where(started, tick.now_s, request_s),
        request_before_decrease=np.where(started, state.seen_request, request_before),
        limit_decrease_s=np.where(limit_started, tick.now_s, limit_s),
        limit_before_decrease=np.where(limit_started, state.seen_limit, limit_before),
    )
    return without_undone_scaling(state, workloads.replicas)


def remembered(
    tick: Tick,
    state: DecisionState,
    decisions: Decisions,
    requests: RequestTargets,
    proposed: NextRequests,
    granted: Granted,
    evaluated: Mapping[Layer, Bools],
) -> DecisionState:
    """Return ``state`` (with this tick's wishes) after this tick's decisions."""
    workloads, now_s = tick.workloads, tick.now_s
    state = remember_scaling(state, now_s, workloads.replicas, decisions.next_replicas)
    state = _with_requests(tick, state, decisions.next_request, requests, proposed)
    state = _with_limits(tick, state, decisions.next_limit)
    return replace(
        state,
        request_evaluated_s=_evaluated(
            tick,
            state.request_evaluated_s,
            evaluated[Layer.REQUESTS],
            tick.policies.requests.evaluation_s,
        ),
        limit_evaluated_s=_evaluated(
            tick,
            state.limit_evaluated_s,
            evaluated[Layer.LIMITS],
            tick.policies.limits.evaluation_s,
        ),
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
        seen_request=workloads.request,
        seen_limit=workloads.limit,
        budget_s=granted.charged_s,
        raise_charged_s=granted.raise_charged_s,
        granted_s=granted.granted_s,
    )


def _evaluated(tick: Tick, last_s: Ints, is_now: Bools, period_s: Ints) -> Ints:
    """Note evaluations.

    The first one counts as up to one period old, by the workload's UID: workloads that are seen for
    the first time together, as all are after a start, take turns from then on.
    """
    is_first = is_now & (last_s == NEVER)
    shift_s = np.zeros(last_s.shape, np.int64)
    for row in np.flatnonzero(is_first.any(axis=1)).tolist():
        moment = crc32(str(tick.workloads.uid[row]).encode())
        shift_s[row] = moment % np.maximum(period_s[row], 1)
    return np.where(is_now, tick.now_s - np.where(is_first, shift_s, 0), last_s)


def _with_requests(
    tick: Tick,
    state: DecisionState,
    value: Floats,
    targets: RequestTargets,
    proposed: NextRequests,
) -> DecisionState:
    """Note changes of requests; what a cron rule moves is neither counted nor watched.

    What a learned part of the day moves is not counted, but it may be wrong, so it is watched.
    """
    current, now_s = tick.workloads.request, tick.now_s
    if Layer.REQUESTS not in tick.due:
        return state
    is_own = ~proposed.is_planned
    is_learned = targets.segment_begins & changed(value, current) & is_own
    is_counted = changed(value, current) & is_own & ~is_learned
    at, before = _with_newest(state, is_counted, now_s, current)
    decrease_s, before_decrease = _watched(
        tick, (value < current) & is_own, current, state.request_decrease_s,
        state.request_before_decrease,
    )  # fmt: skip
    before_cron = state.request_before_cron
    begins = proposed.is_planned & (value > current) & np.isnan(before_cron)
    returned = np.isnan(targets.planned) & ~(value > np.fmax(before_cron, targets.target))
    return replace(
        state,
        request_change_s=at,
        request_change_before=before,
        segment_change_s=np.where(is_learned, now_s, state.segment_change_s),
        segment_change_before=np.where(is_learned, current, state.segment_change_before),
        request_decrease_s=decrease_s,
        request_before_decrease=before_decrease,
        request_before_cron=np.where(begins, current, np.where(returned, np.nan, before_cron)),
    )


def _with_limits(tick: Tick, state: DecisionState, value: Floats) -> DecisionState:
    current, now_s = tick.workloads.limit, tick.now_s
    if Layer.LIMITS not in tick.due:
        return state
    lowered, raised = np.asarray(value < current), np.asarray(value > current)
    decrease_s, before = _watched(
        tick, lowered, current, state.limit_decrease_s, state.limit_before_decrease
    )
    new_minute = lowered & (now_s - state.limit_anchor_s >= MINUTE_S)
    # what nobody could answer yet stays to be answered
    answers = (tick.policies.limits.acts & ~tick.is_paused) | (current > state.seen_limit)
    is_answered = (answers & tick.is_vram).any(axis=1)
    is_first = is_answered & (state.last_limits_tick_s == NEVER)
    return replace(
        state,
        limit_decrease_s=decrease_s,
        limit_before_decrease=before,
        limit_anchor_s=np.where(new_minute, now_s, state.limit_anchor_s),
        limit_anchor=np.where(new_minute, current, state.limit_anchor),
        limit_raise_s=np.where(raised, now_s, state.limit_raise_s),
        last_limits_tick_s=np.where(is_answered, now_s, state.last_limits_tick_s),
        answered_until_s=np.where(
            is_first, np.maximum(state.answered_until_s, now_s - WATCH_S), state.answered_until_s
        ),
    )


def changed(value: Floats, current: Floats) -> Bools:
    """Return which amounts are to be others than those in force."""
    return np.asarray((value != current) & ~np.isnan(value), np.bool_)


def _watched(
    tick: Tick, lowered: Bools, current: Floats, decrease_s: Ints, before: Floats
) -> tuple[Ints, Floats]:
    """Note a decrease; of a chain of decreases the amount before the first one is kept."""
    running = tick.now_s - decrease_s <= WATCH_S
    first = np.where(running, np.fmax(before, current), current)
    return np.where(lowered, tick.now_s, decrease_s), np.where(lowered, first, before)


def _still_lowered(
    tick: Tick, decrease_s: Ints, before: Floats, current: Floats
) -> tuple[Ints, Floats]:
    lowered = (current < before) | (tick.now_s - decrease_s <= SETTLES_S)
    return np.where(lowered, decrease_s, NEVER), np.where(lowered, before, np.nan)


def _started_lower(tick: Tick, seen: Floats, current: Floats, start: Floats) -> Bools:
    """Return where workers came up with the lower amount that was stated for their start."""
    rounding = np.fmax(MIB, RESOLUTION_RATIO * start)
    is_start = np.abs(current - start) <= rounding
    return np.asarray(tick.is_vram & (current < seen) & is_start, np.bool_)


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
