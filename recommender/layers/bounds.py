"""Bounds that a target never leaves: smallest amount, allowed range, card, free share, quota."""

from __future__ import annotations

import numpy as np

from recommender.decision import Code, Layer
from recommender.layers.context import Tick
from recommender.observation import Floats


def raised_to(tick: Tick, layer: Layer, code: Code, value: Floats, floor: Floats) -> Floats:
    """Raise ``value`` to ``floor`` where one is set; a step says where it was below."""
    return tick.log.changed(layer, code, value, np.where(value < floor, floor, value))


def lowered_to(tick: Tick, layer: Layer, code: Code, value: Floats, ceiling: Floats) -> Floats:
    """Lower ``value`` to ``ceiling`` where one is set; a step says where it was above."""
    return tick.log.changed(layer, code, value, np.where(value > ceiling, ceiling, value))


def bounded_request(tick: Tick, value: Floats) -> Floats:
    """Keep a request inside its bounds; where they collide the upper bound wins."""
    rule, workloads, layer = tick.policies.requests, tick.workloads, Layer.REQUESTS
    value = raised_to(tick, layer, Code.Floor, value, _floors(tick))
    value = raised_to(tick, layer, Code.MinAllowed, value, rule.min_allowed)
    value = lowered_to(tick, layer, Code.MaxAllowed, value, rule.max_allowed)
    value = lowered_to(tick, layer, Code.CardCapacity, value, workloads.card)
    value = lowered_to(tick, layer, Code.LargestPlaceable, value, workloads.largest_placeable)
    return lowered_to(tick, layer, Code.QuotaCapped, value, workloads.quota)


def bounded_limit(tick: Tick, value: Floats, request: Floats) -> Floats:
    """Keep a limit inside its bounds; where they collide with the request, the request wins."""
    rule, layer = tick.policies.limits, Layer.LIMITS
    value = raised_to(tick, layer, Code.Floor, value, _floors(tick))
    value = raised_to(tick, layer, Code.MinAllowed, value, rule.min_allowed)
    value = lowered_to(tick, layer, Code.MaxAllowed, value, rule.max_allowed)
    value = lowered_to(tick, layer, Code.CardCapacity, value, tick.workloads.card)
    return raised_to(tick, layer, Code.RequestWins, value, request)


def _floors(tick: Tick) -> Floats:
    floors = [resource.floor for resource in tick.observation.resources]
    return np.broadcast_to(np.array(floors), tick.observation.shape)
