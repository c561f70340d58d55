"""From a request's target to what may be written now: bounds, confidence, threshold, pace, safety.

What an active cron rule asks for is planned: it comes at once, and it goes at once when the window
ends, back to what the rule had found (or to what use asks for by then, where that is more).  So is
one change when a learned part of the day begins; that one is watched like any of ours.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recommender.decision import Code, Layer
from recommender.layers.bounds import (
    asked_alone,
    at_most,
    floors,
    highest_request,
    is_same,
    kept,
    lowered_to,
    raised_to,
)
from recommender.layers.confidence import TO_LOWER, TO_RAISE
from recommender.layers.context import Tick
from recommender.layers.requests import RequestTargets
from recommender.observation import Bools, Floats
from recommender.usage.peaks import HOUR_S
from recommender.usage.store import DAY_S

LAYER = Layer.REQUESTS
RAISE_PER_HOUR = 2.0
KEPT_PER_6_HOURS = 0.8
CHANGES_PER_DAY = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class NextRequests:
    """``[W, R]``: what running and what starting workers get."""

    running: Floats
    starting: Floats
    is_planned: Bools
    """Moved by a cron rule: no change of ours, so neither counted nor watched."""


def next_requests(
    tick: Tick, targets: RequestTargets, confidence: Floats, stale: Bools
) -> NextRequests:
    """Return what may be written now.

    Rows that are not enrolled, paused, unknown or stale keep what is in force.
    """
    current, rule = tick.workloads.request, tick.policies.requests
    acts = (rule.acts | rule.is_initial) & ~np.isnan(targets.target)
    wanted = np.where(acts, targets.target, current)
    unasked = _known(tick.state.request_before_cron, current)
    wanted = asked_alone(tick, LAYER, wanted, targets.asked, unasked)
    wanted = _ratio_bounds(tick, wanted, acts)
    wanted = _limit_in_force(tick, wanted, acts)
    value = _trusted(tick, wanted, targets, confidence, stale)
    small = np.abs(value - current) <= rule.update_threshold * current
    small &= ~rule.is_asked_only
    value = _keep(tick, Code.InsideUpdateThreshold, value, small, rule.update_threshold)
    value = _paced(tick, value, targets.segment_begins)
    period_s = rule.evaluation_s.astype(np.float64)
    value = _keep(tick, Code.NotEvaluated, value, ~tick.is_evaluated(LAYER), period_s)
    value = np.where(is_same(value, current), current, value)
    begins = targets.segment_begins & (value != current)
    tick.log.add(LAYER, Code.SegmentBegins, begins, current, value)
    value = _planned(tick, value, wanted, targets, acts)
    is_planned = _at_edge(tick, value, targets.planned)
    value = _keep(tick, Code.Paused, value, tick.is_paused)
    return NextRequests(
        running=_of_running_workers(tick, value),
        starting=_of_starting_workers(tick, value, stale),
        is_planned=is_planned & ~tick.is_paused,
    )


def never_lowered_while_running(tick: Tick, layer: Layer, value: Floats, current: Floats) -> Floats:
    """VRAM that a running worker may hold is never taken away; a lower amount waits for a start.

    Where no limit is in force, any is lower.
    """
    is_first_limit = (layer is Layer.LIMITS) & np.isnan(current) & ~np.isnan(value)
    lowered = tick.is_vram & ((value < current) | is_first_limit)
    tick.log.add(layer, Code.ResidentPeak, lowered, value, current)
    return np.where(lowered, current, value)


def _keep(
    tick: Tick, code: Code, value: Floats, where: Bools, arg: Floats | float = np.nan
) -> Floats:
    return kept(tick, LAYER, code, value, where, arg)


def _of_running_workers(tick: Tick, value: Floats) -> Floats:
    """Return the amounts without those that only a start brings."""
    current, limit = tick.workloads.request, tick.workloads.limit
    running = np.where(tick.policies.requests.is_initial, current, value)
    is_fixed = tick.policies.requests.acts & ~tick.policies.limits.acts & ~(running <= current)
    ceiling = np.where(is_fixed & ~np.isnan(limit), np.fmax(limit, current), np.nan)
    running = lowered_to(tick, LAYER, Code.LimitInForce, running, ceiling)
    return never_lowered_while_running(tick, LAYER, running, current)


def _of_starting_workers(tick: Tick, value: Floats, stale: Bools) -> Floats:
    """Return the amounts at a start; where nothing may change, those of the last tick stay."""
    rule, before = tick.policies.requests, tick.state.start_request
    has_own = rule.is_initial | (rule.acts & tick.is_vram)
    rests = tick.is_paused | stale | ~tick.is_evaluated(LAYER)
    frozen = has_own & rests & (value == tick.workloads.request)
    return np.where(frozen & ~np.isnan(before), before, value)


def _at_edge(tick: Tick, value: Floats, planned: Floats) -> Bools:
    """Return where a cron window begins or ends, also where the pace would have allowed as much."""
    current = tick.workloads.request
    begins = (value > current) & (value <= planned)
    ends = (value < current) & np.isnan(planned) & ~np.isnan(tick.state.request_before_cron)
    return np.asarray(begins | ends, np.bool_)


def _known(value: Floats, otherwise: Floats) -> Floats:
    return np.where(np.isnan(value), otherwise, value)


def _ratio_bounds(tick: Tick, value: Floats, acts: Bools) -> Floats:
    """Bound by multiples of the stated value; the smallest amount and the hard bounds win."""
    rule, stated = tick.policies.requests, tick.workloads.stated_request
    stated = np.where(acts, stated, np.nan)
    high = np.maximum(stated * rule.max_ratio, floors(tick))
    low = at_most(stated * rule.min_ratio, highest_request(tick))
    value = tick.log.changed(LAYER, Code.RatioBound, value, at_most(value, high), rule.max_ratio)
    raised = np.where(value < low, low, value)
    return tick.log.changed(LAYER, Code.RatioBound, value, raised, rule.min_ratio)


def _limit_in_force(tick: Tick, value: Floats, acts: Bools) -> Floats:
    """Without limits that move along, a request ends at the limit in force."""
    limits, in_force = tick.policies.limits, np.where(acts, tick.workloads.limit, np.nan)
    moves = limits.acts | limits.is_initial
    fixed = np.where(moves, np.nan, in_force)
    value = lowered_to(tick, LAYER, Code.LimitInForce, value, fixed)
    if Layer.LIMITS in tick.due:
        return value
    return lowered_to(tick, LAYER, Code.LimitNotDue, value, in_force)


def _trusted(
    tick: Tick, value: Floats, targets: RequestTargets, confidence: Floats, stale: Bools
) -> Floats:
    """Raise from a little confidence, lower from much, and neither early on nor without samples.

    What others ask for does not depend on how well use is known, so it may still raise.
    """
    current, usage, rule = tick.workloads.request, tick.usage, tick.policies.requests
    asked = at_most(targets.asked, value)
    asked = np.where((rule.acts | rule.is_initial) & ~(asked <= current), asked, np.nan)
    least = np.where(np.isnan(asked), current, asked)
    span_s = usage.last_sample_s - usage.first_sample_s
    unsure = ~(value <= current) & (confidence < TO_RAISE)
    unsure |= (value < current) & (confidence < TO_LOWER)
    unsure |= span_s < rule.initial_delay_s
    follows_use = ~rule.is_asked_only
    for code, where, arg in (
        (Code.StaleMetrics, stale, np.nan),
        (Code.LowConfidence, unsure, confidence),
    ):
        held = np.where(where & follows_use, least, value)
        differs = ~((value == held) | (np.isnan(value) & np.isnan(held)))
        tick.log.add(LAYER, code, differs, value, held, arg)
        value = held
    return value


def _paced(tick: Tick, value: Floats, is_free: Bools) -> Floats:
    """Change step by step and four times a day, where it is not free; never after trouble.

    Use that was measured is no guess: a raise may go to twice the last hour's at once.
    """
    current, state, rule = tick.workloads.request, tick.state, tick.policies.requests
    used = tick.usage.hour_mean
    acts = rule.acts & ~rule.is_asked_only
    blocked = (value < current) & (state.no_decrease_until_s > tick.now_s)
    value = _keep(tick, Code.NoDecreaseAfterRollBack, value, blocked)
    age_s = tick.now_s - state.request_change_s
    # VRAM in use above the request is reserved for nobody: others may be placed on it
    is_short = tick.is_vram & (tick.usage.resident_peak > current)
    # and four careful decreases must not stand in the way of a jump in demand
    is_short |= (value > current) & ((tick.usage.saturated_minutes > 0) | (used > current))
    acts &= ~is_free
    tired = acts & ((age_s < DAY_S).sum(axis=2) >= CHANGES_PER_DAY) & ~is_short
    value = _keep(tick, Code.ChangesPerDay, value, tired, float(CHANGES_PER_DAY))
    before = state.request_change_before
    lowest = np.fmin(current, np.fmin.reduce(np.where(age_s < HOUR_S, before, np.nan), axis=2))
    highest = np.fmax(current, np.fmax.reduce(np.where(age_s < 6 * HOUR_S, before, np.nan), axis=2))
    most = np.fmax(RAISE_PER_HOUR * np.fmax(lowest, used), current)
    most = np.where(acts & (value > current), most, np.nan)
    value = tick.log.changed(LAYER, Code.RaisePace, value, at_most(value, most), RAISE_PER_HOUR)
    least = np.fmin(KEPT_PER_6_HOURS * highest, current)
    least = np.where(acts & (value < current), least, np.nan)
    return raised_to(tick, LAYER, Code.LowerPace, value, least)


def _planned(
    tick: Tick, value: Floats, wanted: Floats, targets: RequestTargets, acts: Bools
) -> Floats:
    """Follow the edges of cron windows at once."""
    rule, state = tick.policies.requests, tick.state
    planned = np.where(rule.acts, at_most(targets.planned, wanted), np.nan)
    value = raised_to(tick, LAYER, Code.CronFloor, value, planned)
    before = state.request_before_cron
    back = np.where(acts, np.maximum(before, wanted), before)
    is_over = rule.acts & np.isnan(targets.planned) & (state.no_decrease_until_s <= tick.now_s)
    after = np.where(is_over, at_most(value, back), value)
    return tick.log.changed(LAYER, Code.CronWindowEnded, value, after)
