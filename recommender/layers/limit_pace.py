"""From a limit's target to what may be written now: fast up, calm and slow down."""

from __future__ import annotations

import numpy as np

from recommender.decision import Code, Layer
from recommender.layers.bounds import raised_to
from recommender.layers.confidence import TO_LOWER
from recommender.layers.context import Tick
from recommender.layers.limits import LimitTargets
from recommender.layers.request_pace import never_lowered_while_running
from recommender.observation import Bools, Floats

LAYER = Layer.LIMITS
RAISE_PER_TICK = 2.0
KEPT_PER_MINUTE = 0.8
CALM_SHARE = 0.9
WATCH_S = 1800


def next_limits(
    tick: Tick, targets: LimitTargets, request: Floats, confidence: Floats, stale: Bools
) -> tuple[Floats, Floats]:
    """Return what running workers and what starting workers get, ``[W, R]`` each.

    ``request`` is the next request of this tick.
    """
    current, rule = tick.workloads.limit, tick.policies.limits
    acts = (rule.acts | rule.is_initial) & ~np.isnan(targets.wanted)
    value = np.where(acts, targets.wanted, current)
    value = _keep(tick, Code.Paused, value, acts & tick.is_paused)
    small = (np.abs(value - current) <= rule.ignored_delta * current) & ~targets.is_urgent
    value = _keep(tick, Code.InsideUpdateThreshold, value, small, rule.ignored_delta)
    value = _smallest_raise(tick, value, acts)
    value = _bounded_by_statement(tick, value, acts)
    value = _lowered_with_care(tick, value, targets, confidence)
    value = _raised_at_pace(tick, value, acts)
    value = _when_stale(tick, value, stale & acts & ~tick.is_paused)
    running = np.where(rule.is_initial, current, value)
    running = never_lowered_while_running(tick, LAYER, running, current)
    running = raised_to(tick, LAYER, Code.RequestWins, running, np.where(acts, request, np.nan))
    return running, np.where(tick.is_vram, np.fmax(value, request), np.fmax(value, running))


def _keep(
    tick: Tick, code: Code, value: Floats, where: Bools, arg: Floats | float = np.nan
) -> Floats:
    current = tick.workloads.limit
    held = np.where(where & ~np.isnan(current), current, value)
    return tick.log.changed(LAYER, code, value, held, arg)


def _bounded_by_statement(tick: Tick, value: Floats, acts: Bools) -> Floats:
    """Bounds that count from what the user stated; a stated limit above them is the bound."""
    rule, stated = tick.policies.limits, tick.workloads.stated_limit
    burst = acts & ~rule.is_upper_percentile
    most = np.where(burst, tick.workloads.stated_request * rule.max_ratio_to_requests, np.nan)
    most = np.where(stated > most, stated, most)
    capped = np.where(value > most, most, value)
    arg = rule.max_ratio_to_requests
    value = tick.log.changed(LAYER, Code.MaxRatioToRequests, value, capped, arg)
    stated = np.where(acts & rule.is_upper_percentile, stated, np.nan)
    high, low = stated * rule.max_ratio, stated * rule.min_ratio
    value = tick.log.changed(
        LAYER, Code.RatioBound, value, np.where(value > high, high, value), rule.max_ratio
    )
    low = np.where(value < low, low, value)
    return tick.log.changed(LAYER, Code.RatioBound, value, low, rule.min_ratio)


def _lowered_with_care(
    tick: Tick, value: Floats, targets: LimitTargets, confidence: Floats
) -> Floats:
    """Lower only with enough history, after calm minutes, and 20 % a minute."""
    current, state, rule = tick.workloads.limit, tick.state, tick.policies.limits
    lower = value < current
    history = (targets.unknown != 0) | (rule.is_upper_percentile & (confidence < TO_LOWER))
    value = _keep(tick, Code.LowConfidence, value, lower & history, confidence)
    blocked = (value < current) & (state.no_decrease_until_s > tick.now_s)
    value = _keep(tick, Code.NoDecreaseAfterRollBack, value, blocked)
    restless = ~(tick.usage.recent_minutes < CALM_SHARE * value) & ~rule.is_upper_percentile
    value = _keep(tick, Code.NotCalm, value, (value < current) & restless & ~tick.is_vram)
    anchor = np.where(tick.now_s - state.limit_anchor_s < 60, state.limit_anchor, current)
    least = KEPT_PER_MINUTE * np.fmax(anchor, current)
    least = np.where((value < current) & ~tick.is_vram, np.fmin(least, current), np.nan)
    return raised_to(tick, LAYER, Code.LowerPace, value, least)


def _smallest_raise(tick: Tick, value: Floats, acts: Bools) -> Floats:
    current, step = tick.workloads.limit, tick.policies.limits.scale_up_step
    smallest = np.fmin(current * step, tick.workloads.card)
    raised = np.where(acts & (value > current) & (value < smallest), smallest, value)
    return tick.log.changed(LAYER, Code.SmallestRaise, value, raised, step)


def _raised_at_pace(tick: Tick, value: Floats, acts: Bools) -> Floats:
    most = RAISE_PER_TICK * tick.workloads.limit
    capped = np.where(acts & (value > most), most, value)
    return tick.log.changed(LAYER, Code.RaisePace, value, capped, RAISE_PER_TICK)


def _when_stale(tick: Tick, value: Floats, stale: Bools) -> Floats:
    """Without fresh samples, go back to the limit before a decrease that is still watched."""
    current, state = tick.workloads.limit, tick.state
    watched = tick.now_s - state.limit_decrease_s <= WATCH_S
    safe = np.where(watched, np.fmax(state.limit_before_decrease, current), current)
    relaxed = stale & (safe > current)
    tick.log.add(LAYER, Code.SafeLimit, relaxed, value, safe)
    tick.log.add(LAYER, Code.StaleMetrics, stale & ~relaxed & (value != current), value, safe)
    return np.where(stale, safe, value)
