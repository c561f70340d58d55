"""From wanted replicas to the next ones: cool-down windows and rate policies of the HPA.

Windows: the next count is the current one clamped between the lowest wish of the up window and the
highest wish of the down window.  Rates: at most +4 or a multiple per 15 s, at least a remainder per
minute, both counted from what stood at the start of the period
(``pkg/controller/podautoscaler/horizontal.go``).  What is remembered lives in ``DecisionState``.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from recommender.decision import Code, Layer
from recommender.layers.context import Tick
from recommender.layers.replicas import ReplicaTargets, replica_bounds
from recommender.observation import Bools, Floats, Ints
from recommender.state import NEVER, DecisionState

LAYER = Layer.REPLICAS
ALWAYS_ALLOWED_UP = 4.0
UP_PERIOD_S = 15
DOWN_PERIOD_S = 60


def next_replicas(tick: Tick, targets: ReplicaTargets) -> tuple[Floats, DecisionState]:
    """Return the replicas that may be set now, ``[W]``, and the state with this tick's wishes."""
    current, rule, log = tick.workloads.replicas, tick.policies.replicas, tick.log
    tick = replace(tick, state=_seeded(tick))
    target = _asked_alone(tick, targets)
    wanted = np.where(rule.acts & ~np.isnan(target), target, current)
    value = _stabilized(tick, wanted)
    value = _at_rate(tick, value)
    value = _corrected(tick, value)
    # while nothing is known of demand, what runs is the wish: an outage opens no way down
    wish = np.where(np.isnan(target) & (current > 0), current, target)
    state = _remember_wish(tick, wish)
    paused = np.where(tick.workloads.is_paused, current, value)
    return log.changed(LAYER, Code.Paused, value, paused), state


def _asked_alone(tick: Tick, targets: ReplicaTargets) -> Floats:
    """Where demand is not followed, want what a cron rule asks for, else what is stated."""
    workloads, rule = tick.workloads, tick.policies.replicas
    is_scaled = rule.acts & rule.is_asked_only & (workloads.replicas > 0)
    is_scaled &= workloads.replica_row == np.arange(len(workloads.replicas))
    alone = np.fmax(targets.asked, workloads.stated_replicas)
    alone = np.where(np.isnan(alone), workloads.replicas, alone)
    wanted = np.where(is_scaled, alone, targets.target)
    return tick.log.changed(LAYER, Code.UseNotFollowed, targets.target, wanted)


def remember_scaling(
    state: DecisionState, now_s: int, current: Floats, value: Floats
) -> DecisionState:
    """Return the state with this tick's changes of replicas, ``[W]`` from ``current``."""
    change = value - current
    made = np.nan_to_num(change) != 0
    oldest_s = np.full(len(change), now_s - max(UP_PERIOD_S, DOWN_PERIOD_S))
    at, by = _put(state.scaled_s, state.scaled_by, made, now_s, change, oldest_s)
    _, origin = _put(state.scaled_s, state.scaled_from, made, now_s, current, oldest_s)
    return replace(state, scaled_s=at, scaled_by=by, scaled_from=origin)


def without_undone_scaling(state: DecisionState, current: Floats) -> DecisionState:
    """Return the state without the newest change where its replicas are not in force (any more)."""
    newest = state.scaled_s.argmax(axis=1)
    rows = np.arange(len(current))
    undone = state.scaled_from[rows, newest] == current
    rows, newest = rows[undone], newest[undone]
    at, by = state.scaled_s.copy(), state.scaled_by.copy()
    at[rows, newest], by[rows, newest] = NEVER, np.nan
    return replace(state, scaled_s=at, scaled_by=by)


def _seeded(tick: Tick) -> DecisionState:
    """Let a workload that is seen for the first time begin with a wish for what it has."""
    state, current = tick.state, tick.workloads.replicas
    is_first = (state.wish_s.max(axis=1) == NEVER) & ~np.isnan(current)
    oldest_s = np.full(len(current), tick.now_s)
    at, wish = _put(state.wish_s, state.wish, is_first, tick.now_s, current, oldest_s)
    return replace(state, wish_s=at, wish=wish)


def _remember_wish(tick: Tick, target: Floats) -> DecisionState:
    """Note a wish; an equal earlier one gives way, for windows ask for highest and lowest only."""
    state = tick.state
    oldest_s = tick.now_s - np.maximum(*_windows(tick))
    at = np.where(state.wish == target[:, None], NEVER, state.wish_s)
    at, wish = _put(at, state.wish, ~np.isnan(target), tick.now_s, target, oldest_s)
    return replace(state, wish_s=at, wish=wish)


def _windows(tick: Tick) -> tuple[Ints, Ints]:
    """Return the up and the down window; down waits for at least one start-up."""
    rule = tick.policies.replicas
    startup_s = np.nan_to_num(tick.usage.startup_s).astype(np.int64)
    return rule.scale_up_cooldown_s, np.maximum(rule.scale_down_cooldown_s, startup_s)


def _stabilized(tick: Tick, wanted: Floats) -> Floats:
    up_s, down_s = _windows(tick)
    state = tick.state
    age_s = tick.now_s - state.wish_s
    lowest = np.fmin.reduce(np.where(age_s < up_s[:, None], state.wish, np.nan), axis=1)
    highest = np.fmax.reduce(np.where(age_s < down_s[:, None], state.wish, np.nan), axis=1)
    current = tick.workloads.replicas
    raised = np.fmax(current, np.fmin(lowest, wanted))
    value = np.fmin(raised, np.fmax(highest, wanted))
    up, down = wanted > current, wanted < current
    tick.log.add(LAYER, Code.StabilizedUp, up & (value < wanted), wanted, value)
    tick.log.add(LAYER, Code.Stabilized, down & (value > wanted), wanted, value)
    return value


def _at_rate(tick: Tick, value: Floats) -> Floats:
    current, rule, state = tick.workloads.replicas, tick.policies.replicas, tick.state
    base = current - _scaled_since(state, tick.now_s - UP_PERIOD_S)
    most = np.maximum(base + ALWAYS_ALLOWED_UP, np.ceil(base * rule.scale_up_step - 1e-9))
    most = np.maximum(most, current)
    capped = np.where(value > most, most, value)
    value = tick.log.changed(LAYER, Code.ScaleUpRate, value, capped)
    base = current - _scaled_since(state, tick.now_s - DOWN_PERIOD_S)
    least = np.minimum(np.trunc(base * rule.scale_down_step + 1e-9), current)
    raised = np.where(value < least, least, value)
    return tick.log.changed(LAYER, Code.ScaleDownRate, value, raised)


def _corrected(tick: Tick, value: Floats) -> Floats:
    """Bring a count that lies outside minReplicas and maxReplicas back at once, as the HPA does."""
    current, (least, most) = tick.workloads.replicas, replica_bounds(tick)
    runs = tick.policies.replicas.acts & (current > 0)
    above = np.where(runs & (current > most), most, value)
    value = tick.log.changed(LAYER, Code.MaxReplicas, value, above)
    below = np.where(runs & (current < least), np.fmax(value, least), value)
    return tick.log.changed(LAYER, Code.MinReplicas, value, below)


def _scaled_since(state: DecisionState, since_s: int) -> Floats:
    counted = state.scaled_s > since_s
    return np.asarray(np.where(counted, state.scaled_by, 0.0).sum(axis=1), np.float64)


def _put(
    at: Ints, value: Floats, where: Bools, now_s: int, new: Floats, oldest_s: Ints
) -> tuple[Ints, Floats]:
    """Write one entry per row into its oldest slot; add a slot where all are still needed."""
    at, value = at.copy(), value.copy()
    slot = at.argmin(axis=1)
    rows = np.arange(len(at))
    if (where & (at[rows, slot] > oldest_s)).any():
        at = np.concatenate([at, np.full(at.shape, NEVER)], axis=1)
        value = np.concatenate([value, np.full(value.shape, np.nan)], axis=1)
        slot = at.argmin(axis=1)
    at[rows[where], slot[where]] = now_s
    value[rows[where], slot[where]] = new[where]
    return at, value
