"""From a request's target to what may be written now: confidence, threshold, pace, safety."""

from __future__ import annotations

import numpy as np

from recommender.decision import Code, Layer
from recommender.layers.bounds import lowered_to, raised_to
from recommender.layers.confidence import TO_LOWER, TO_RAISE
from recommender.layers.context import Tick
from recommender.observation import Bools, Floats

LAYER = Layer.REQUESTS
RAISE_PER_HOUR = 2.0
KEPT_PER_6_HOURS = 0.8
CHANGES_PER_DAY = 4
HOUR_S = 3600


def next_requests(
    tick: Tick, target: Floats, confidence: Floats, stale: Bools
) -> tuple[Floats, Floats]:
    """Return what running workers and what starting workers get, ``[W, R]`` each.

    Rows that are not enrolled, paused, unknown or stale keep what is in force.
    """
    current, rule = tick.workloads.request, tick.policies.requests
    acts = (rule.acts | rule.is_initial) & ~np.isnan(target)
    value = np.where(acts, target, current)
    value = _keep(tick, Code.Paused, value, acts & tick.is_paused)
    value = _keep(tick, Code.StaleMetrics, value, acts & stale)
    value = _ratio_bounds(tick, value, acts)
    value = _confident(tick, value, confidence)
    value = _limit_in_force(tick, value)
    small = np.abs(value - current) <= rule.update_threshold * current
    value = _keep(tick, Code.InsideUpdateThreshold, value, small, rule.update_threshold)
    value = _paced(tick, value)
    running = np.where(rule.is_initial, current, value)
    return never_lowered_while_running(tick, LAYER, running, current), value


def never_lowered_while_running(tick: Tick, layer: Layer, value: Floats, current: Floats) -> Floats:
    """VRAM that a running worker may hold is never taken away; a lower amount waits for a start."""
    lowered = tick.is_vram & (value < current)
    tick.log.add(layer, Code.ResidentPeak, lowered, value, current)
    return np.where(lowered, current, value)


def _keep(
    tick: Tick, code: Code, value: Floats, where: Bools, arg: Floats | float = np.nan
) -> Floats:
    """Stay at what is in force where ``where`` and something would change."""
    current = tick.workloads.request
    held = np.where(where & ~np.isnan(current), current, value)
    return tick.log.changed(LAYER, code, value, held, arg)


def _ratio_bounds(tick: Tick, value: Floats, acts: Bools) -> Floats:
    rule, stated = tick.policies.requests, tick.workloads.stated_request
    stated = np.where(acts, stated, np.nan)
    high, low = stated * rule.max_ratio, stated * rule.min_ratio
    capped = np.where(value > high, high, value)
    value = tick.log.changed(LAYER, Code.RatioBound, value, capped, rule.max_ratio)
    raised = np.where(value < low, low, value)
    return tick.log.changed(LAYER, Code.RatioBound, value, raised, rule.min_ratio)


def _confident(tick: Tick, value: Floats, confidence: Floats) -> Floats:
    """Raise from a little confidence, lower from much, and neither in the initial delay."""
    current, usage = tick.workloads.request, tick.usage
    span_s = usage.last_sample_s - usage.first_sample_s
    young = span_s < tick.policies.requests.initial_delay_s
    unsure = ((value > current) & (confidence < TO_RAISE)) | (
        (value < current) & (confidence < TO_LOWER)
    )
    return _keep(tick, Code.LowConfidence, value, unsure | young, confidence)


def _limit_in_force(tick: Tick, value: Floats) -> Floats:
    """Without automatic limits, a request ends at the limit in force."""
    fixed = ~tick.policies.limits.acts & tick.policies.requests.acts
    ceiling = np.where(fixed, tick.workloads.limit, np.nan)
    return lowered_to(tick, LAYER, Code.LimitInForce, value, ceiling)


def _paced(tick: Tick, value: Floats) -> Floats:
    current, state = tick.workloads.request, tick.state
    blocked = (value < current) & (state.no_decrease_until_s > tick.now_s)
    value = _keep(tick, Code.NoDecreaseAfterRollBack, value, blocked)
    age_s = tick.now_s - state.request_change_s
    today = (age_s < 24 * HOUR_S).sum(axis=2)
    tired = (today >= CHANGES_PER_DAY) & tick.policies.requests.acts
    value = _keep(tick, Code.ChangesPerDay, value, tired, float(CHANGES_PER_DAY))
    before = state.request_change_before
    lowest = np.fmin(current, np.fmin.reduce(np.where(age_s < HOUR_S, before, np.nan), axis=2))
    highest = np.fmax(current, np.fmax.reduce(np.where(age_s < 6 * HOUR_S, before, np.nan), axis=2))
    acts = tick.policies.requests.acts
    most = np.where(acts & (value > current), RAISE_PER_HOUR * lowest, np.nan)
    # a floor of pace holds nothing up that must fall no further than where it is
    least = np.where(acts & (value < current), np.fmin(KEPT_PER_6_HOURS * highest, current), np.nan)
    capped = np.where(value > most, np.fmax(most, current), value)
    value = tick.log.changed(LAYER, Code.RaisePace, value, capped, RAISE_PER_HOUR)
    return raised_to(tick, LAYER, Code.LowerPace, value, least)
