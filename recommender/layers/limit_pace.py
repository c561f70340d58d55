"""From a limit's target to what may be written now: fast up, calm and slow down."""

from __future__ import annotations

import numpy as np

from recommender.decision import Code, Layer
from recommender.layers.bounds import (
    asked_alone,
    at_most,
    floors,
    highest_limit,
    is_same,
    kept,
    raised_to,
)
from recommender.layers.confidence import TO_LOWER, TO_RAISE, unknown_reason
from recommender.layers.context import Tick
from recommender.layers.limits import LimitTargets
from recommender.layers.request_pace import NextRequests, never_lowered_while_running
from recommender.observation import Bools, Floats
from recommender.usage.minutes import MINUTE_S
from recommender.usage.statistics import WATCH_S

LAYER = Layer.LIMITS
RAISE_PER_TICK = 2.0
KEPT_PER_MINUTE = 0.8
CALM_S = 300
ROUNDING = 1e-6
CALM_SHARE = 0.9


def next_limits(
    tick: Tick, targets: LimitTargets, request: NextRequests, confidence: Floats, stale: Bools
) -> tuple[Floats, Floats]:
    """Return what running workers and what starting workers get, ``[W, R]`` each.

    ``request`` is what the requests layer decided in this tick: no limit is below it.
    """
    current, rule = tick.workloads.limit, tick.policies.limits
    acts = (rule.acts | rule.is_initial) & ~np.isnan(targets.wanted)
    value = np.where(acts, targets.wanted, current)
    value = asked_alone(tick, LAYER, value, targets.asked, current)
    beside = np.where(rule.is_initial, request.starting, request.running)
    value = raised_to(tick, LAYER, Code.RequestWins, value, np.where(acts, beside, np.nan))
    small = (np.abs(value - current) <= rule.ignored_delta * current) & ~targets.is_urgent
    # minutes above what is in force are promised: what lies below the promise is no small matter
    small &= ~rule.is_asked_only & ~((value > current) & ~np.isnan(rule.risk_target))
    value = _keep(tick, Code.InsideUpdateThreshold, value, small, rule.ignored_delta)
    value = _smallest_raise(tick, value)
    value = _bounded_by_statement(tick, value, acts)
    value = _trusted(tick, value, targets, confidence)
    value = _lowered_with_care(tick, value)
    value = _raised_at_pace(tick, value)
    waits = ~tick.is_evaluated(LAYER) & ~targets.is_urgent
    value = _keep(tick, Code.NotEvaluated, value, waits, rule.evaluation_s.astype(np.float64))
    value = _when_stale(tick, value, targets, stale)
    value = np.where(is_same(value, current), current, value)
    value = _keep(tick, Code.Paused, value, tick.is_paused)
    running = np.where(rule.is_initial, current, value)
    running = never_lowered_while_running(tick, LAYER, running, current)
    moves = rule.acts & ~tick.is_paused
    least = np.where(moves, request.running, np.nan)
    running = raised_to(tick, LAYER, Code.RequestWins, running, least)
    return running, _of_starting_workers(tick, value, request.starting, stale)


def _keep(
    tick: Tick, code: Code, value: Floats, where: Bools, arg: Floats | float = np.nan
) -> Floats:
    return kept(tick, LAYER, code, value, where, arg)


def _of_starting_workers(tick: Tick, value: Floats, request: Floats, stale: Bools) -> Floats:
    """Return the amounts at a start; where nothing may change, those of the last tick stay."""
    rule, before = tick.policies.limits, tick.state.start_limit
    has_own = rule.is_initial | (rule.acts & tick.is_vram)
    rests = tick.is_paused | stale | ~tick.is_evaluated(LAYER)
    frozen = has_own & rests & (value == tick.workloads.limit)
    value = np.where(frozen & ~np.isnan(before), before, value)
    return np.where((rule.acts | rule.is_initial) & (value < request), request, value)


def _bounded_by_statement(tick: Tick, value: Floats, acts: Bools) -> Floats:
    """Bounds that count from what the user stated; a stated limit above them is the bound."""
    rule, stated = tick.policies.limits, tick.workloads.stated_limit
    burst = acts & ~rule.is_upper_percentile
    most = np.where(burst, tick.workloads.stated_request * rule.max_ratio_to_requests, np.nan)
    most = np.maximum(np.where(stated > most, stated, most), floors(tick))
    ratio = rule.max_ratio_to_requests
    value = tick.log.changed(LAYER, Code.MaxRatioToRequests, value, at_most(value, most), ratio)
    stated = np.where(acts & rule.is_upper_percentile, stated, np.nan)
    high = np.maximum(stated * rule.max_ratio, floors(tick))
    value = tick.log.changed(LAYER, Code.RatioBound, value, at_most(value, high), rule.max_ratio)
    low = at_most(stated * rule.min_ratio, highest_limit(tick))
    after = np.where(value < low, low, value)
    return tick.log.changed(LAYER, Code.RatioBound, value, after, rule.min_ratio)


def _trusted(tick: Tick, value: Floats, targets: LimitTargets, confidence: Floats) -> Floats:
    """Lower only with a history; VRAM and percentiles of a long time need one that is long enough.

    A compute limit that is too low costs some seconds; one of VRAM costs the worker.
    """
    current, is_long = tick.workloads.limit, tick.policies.limits.is_upper_percentile
    unsure = unknown_reason(tick, tick.usage.limit_percentile) != 0
    unsure |= (is_long | tick.is_vram) & (confidence < TO_LOWER)
    lowers = _is_lower(value, current) & unsure
    on_demand = targets.is_urgent | (value <= targets.asked)
    raises = (value > current) & is_long & (confidence < TO_RAISE) & ~on_demand
    held = (tick.policies.limits.acts | tick.policies.limits.is_initial) & (lowers | raises)
    held &= ~tick.policies.limits.is_asked_only
    return _keep(tick, Code.LowConfidence, value, held, confidence)


def _lowered_with_care(tick: Tick, value: Floats) -> Floats:
    """Lower running workers after calm minutes only, and 20 % a minute."""
    current, state, rule = tick.workloads.limit, tick.state, tick.policies.limits
    blocked = _is_lower(value, current) & (state.no_decrease_until_s > tick.now_s)
    value = _keep(tick, Code.NoDecreaseAfterRollBack, value, blocked)
    is_paced = rule.acts & ~tick.is_vram & ~rule.is_asked_only
    # a margin of less than a ninth leaves no room for 90 %: there, calm is what fits
    calm_share = np.maximum(CALM_SHARE, (1 + ROUNDING) / rule.factor)
    restless = ~(tick.usage.recent_minutes < calm_share * value)
    restless |= tick.now_s - state.limit_raise_s < CALM_S
    # a percentile may lie below the recent peaks: there, only a limit that was too low is trouble
    restless = np.where(rule.is_upper_percentile, tick.usage.saturated_minutes > 0, restless)
    value = _keep(tick, Code.NotCalm, value, is_paced & _is_lower(value, current) & restless)
    is_same_minute = tick.now_s - state.limit_anchor_s < MINUTE_S
    anchor = np.where(is_same_minute, np.fmax(state.limit_anchor, current), current)
    least = np.fmin(KEPT_PER_MINUTE * anchor, current)
    least = np.where(is_paced & (value < current), least, np.nan)
    return raised_to(tick, LAYER, Code.LowerPace, value, least)


def _is_lower(value: Floats, current: Floats) -> Bools:
    """Return what is lower than in force; where no limit is in force, any is."""
    return np.asarray(~(value >= current) & ~np.isnan(value), np.bool_)


def _smallest_raise(tick: Tick, value: Floats) -> Floats:
    current, rule = tick.workloads.limit, tick.policies.limits
    smallest = at_most(current * rule.scale_up_step, highest_limit(tick))
    raised = np.where(rule.acts & (value > current) & (value < smallest), smallest, value)
    return tick.log.changed(LAYER, Code.SmallestRaise, value, raised, rule.scale_up_step)


def _raised_at_pace(tick: Tick, value: Floats) -> Floats:
    rule = tick.policies.limits
    is_paced = rule.acts & ~rule.is_asked_only
    most = np.where(is_paced, RAISE_PER_TICK * tick.workloads.limit, np.nan)
    return tick.log.changed(LAYER, Code.RaisePace, value, at_most(value, most), RAISE_PER_TICK)


def _when_stale(tick: Tick, value: Floats, targets: LimitTargets, stale: Bools) -> Floats:
    """Without fresh samples, go back to the limit before a decrease that is still watched.

    A refused allocation needs no sample, and what others ask for needs none either.
    """
    current, state, rule = tick.workloads.limit, tick.state, tick.policies.limits
    watched = tick.now_s - state.limit_decrease_s <= WATCH_S
    safe = at_most(np.where(watched, state.limit_before_decrease, np.nan), highest_limit(tick))
    safe = np.fmax(safe, current)
    safe = np.fmax(safe, at_most(targets.asked, value))
    stale = stale & (rule.acts | rule.is_initial) & ~(targets.is_urgent & (value > current))
    stale &= ~rule.is_asked_only
    after = np.where(stale, np.where(rule.is_initial, current, safe), value)
    relaxed = stale & (after > current)
    tick.log.add(LAYER, Code.SafeLimit, relaxed, value, after)
    tick.log.add(LAYER, Code.StaleMetrics, stale & ~relaxed & (value != current), value, after)
    return after
