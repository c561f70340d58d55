"""Bounds that an amount never leaves, and the three ways in which a step changes it.

Bounds: smallest amount, allowed range, card, free share, quota.  What may change now, and how
fast, is for the ``*_pace`` modules.
"""

from __future__ import annotations

import numpy as np

from recommender.decision import Code, Layer
from recommender.layers.context import Tick
from recommender.observation import Bools, Floats
from recommender.policy.table import LimitColumns, RequestColumns

RESOLUTION_RATIO = 0.002
"""A smaller difference is none: amounts are rounded to what the API carries (1/1000 TFLOPS, 1 MiB),
and what comes back would look like a change for ever."""


def raised_to(tick: Tick, layer: Layer, code: Code, value: Floats, floor: Floats) -> Floats:
    """Raise ``value`` to ``floor`` where both are known; a step says where it was below."""
    return tick.log.changed(layer, code, value, np.where(value < floor, floor, value))


def asked_for(tick: Tick, layer: Layer, code: Code, value: Floats, floor: Floats) -> Floats:
    """Raise ``value`` to ``floor``, also where there is no value of our own yet."""
    return tick.log.changed(layer, code, value, np.fmax(value, floor))


def asked_alone(tick: Tick, layer: Layer, value: Floats, asked: Floats, unasked: Floats) -> Floats:
    """Where use is not followed, put what is asked for, ``[W, R]``, in place of ``value``.

    An answer of the external scaler counts as it is, be it lower; a cron window only raises.  Where
    nothing is asked for it is ``unasked`` if the external scaler may ask, else what is stated.
    """
    workloads, policies = tick.workloads, tick.policies
    if layer is Layer.REQUESTS:
        rule: RequestColumns | LimitColumns = policies.requests
        current, stated, answer = (
            workloads.request, workloads.stated_request, workloads.external_request
        )  # fmt: skip
        highest = highest_request(tick)
    else:
        rule = policies.limits
        current, stated, answer = workloads.limit, workloads.stated_limit, workloads.external_limit
        highest = highest_limit(tick)
    otherwise = np.where(rule.keeps_unasked, unasked, stated)
    alone = np.fmax(asked, np.where(np.isnan(answer), otherwise, np.nan))
    alone = at_most(np.maximum(alone, floors(tick)), highest)
    alone = np.where(np.isnan(alone), current, alone)
    moves = rule.is_asked_only & (rule.acts | rule.is_initial)
    return tick.log.changed(layer, Code.UseNotFollowed, value, np.where(moves, alone, value))


def lowered_to(tick: Tick, layer: Layer, code: Code, value: Floats, ceiling: Floats) -> Floats:
    """Lower ``value`` to ``ceiling`` where one is set; a step says where it was above."""
    return tick.log.changed(layer, code, value, at_most(value, ceiling))


def kept(
    tick: Tick, layer: Layer, code: Code, value: Floats, where: Bools, arg: Floats | float = np.nan
) -> Floats:
    """Stay at what is in force (also at nothing) where ``where`` and something would change."""
    workloads = tick.workloads
    current = workloads.request if layer is Layer.REQUESTS else workloads.limit
    held = np.where(where, current, value)
    same = (value == held) | (np.isnan(value) & np.isnan(held))
    tick.log.add(layer, code, ~same, value, held, arg)
    return held


def at_most(value: Floats, ceiling: Floats) -> Floats:
    """Return the smaller one; NaN of a ceiling is none, NaN of a value stays."""
    return np.where(value > ceiling, ceiling, value)


def is_same(value: Floats, current: Floats) -> Bools:
    """Return where two amounts differ by no more than rounding."""
    return np.asarray(np.abs(value - current) <= RESOLUTION_RATIO * current, np.bool_)


def bounded_request(tick: Tick, value: Floats) -> Floats:
    """Keep a request inside its bounds; where they collide the upper bound wins.

    A quota or a free share below what is in force stops growth; it takes nothing away.
    """
    rule, workloads, layer = tick.policies.requests, tick.workloads, Layer.REQUESTS
    value = raised_to(tick, layer, Code.Floor, value, floors(tick))
    value = raised_to(tick, layer, Code.MinAllowed, value, rule.min_allowed)
    value = lowered_to(tick, layer, Code.MaxAllowed, value, rule.max_allowed)
    value = lowered_to(tick, layer, Code.CardCapacity, value, workloads.card)
    placeable = _of_growth(tick, workloads.largest_placeable)
    value = lowered_to(tick, layer, Code.LargestPlaceable, value, placeable)
    return lowered_to(tick, layer, Code.QuotaCapped, value, _of_growth(tick, workloads.quota))


def bounded_limit(tick: Tick, value: Floats) -> Floats:
    """Keep a limit inside its bounds; the request, which wins over them, comes later."""
    rule, layer = tick.policies.limits, Layer.LIMITS
    value = raised_to(tick, layer, Code.Floor, value, floors(tick))
    value = raised_to(tick, layer, Code.MinAllowed, value, rule.min_allowed)
    value = lowered_to(tick, layer, Code.MaxAllowed, value, rule.max_allowed)
    return lowered_to(tick, layer, Code.CardCapacity, value, tick.workloads.card)


def highest_request(tick: Tick) -> Floats:
    """Return the upper bound of requests, ``[W, R]``; NaN where there is none."""
    own = np.fmin(tick.policies.requests.max_allowed, tick.workloads.card)
    others = np.fmin(tick.workloads.largest_placeable, tick.workloads.quota)
    return np.fmin(own, _of_growth(tick, others))


def highest_limit(tick: Tick) -> Floats:
    """Return the upper bound of limits, ``[W, R]``; NaN where there is none."""
    return np.fmin(tick.policies.limits.max_allowed, tick.workloads.card)


def floors(tick: Tick) -> Floats:
    """Return the smallest amounts, ``[W, R]``."""
    least = [resource.floor for resource in tick.observation.resources]
    return np.broadcast_to(np.array(least), tick.observation.shape)


def _of_growth(tick: Tick, ceiling: Floats) -> Floats:
    least = np.fmax(tick.workloads.request, floors(tick))
    return np.where(ceiling < least, least, ceiling)
