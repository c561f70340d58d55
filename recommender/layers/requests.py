"""Layer 3, auto-requests: what a worker needs in the long run."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recommender.decision import Code, Layer
from recommender.layers.bounds import asked_for, at_most, bounded_request, raised_to
from recommender.layers.confidence import reason_of_kept, unknown_reason
from recommender.layers.context import Tick
from recommender.layers.forecasts import (
    LayerForecast,
    explain_gate,
    forecast_of,
    segment_begins,
    segment_floor,
)
from recommender.observation import Bools, Floats

LAYER = Layer.REQUESTS


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestTargets:
    """``[W, R]``; NaN where ``unknown`` says why."""

    raw: Floats
    """Before bounds."""
    target: Floats
    lower: Floats
    upper: Floats
    asked: Floats
    """What the external scaler or a cron rule asks for, whatever is known of use."""
    planned: Floats
    """What an active cron rule asks for: changes at its edges are free of pace."""
    segment_begins: Bools
    """A learned part of the day begins: one change towards the target is free of pace."""
    unknown: NDArray[np.int16]


def request_targets(tick: Tick, cron_floor: Floats) -> RequestTargets:
    """Return percentile (or peak, or forecast), margin, floors and bounds of every request."""
    usage, forecast = tick.usage, forecast_of(tick, LAYER)
    unknown = unknown_reason(tick, usage.request_target)
    value = np.where(unknown == 0, _quantile(tick, forecast), np.nan)
    explain_gate(tick, LAYER, forecast, value)
    _explain_source(tick, value, forecast)
    value = tick.log.changed(LAYER, Code.Buffer, value, _buffered(tick, value))
    value = raised_to(tick, LAYER, Code.ForecastFloor, value, _buffered(tick, forecast.value))
    value = raised_to(tick, LAYER, Code.SegmentFloor, value, segment_floor(tick, forecast))
    value = raised_to(tick, LAYER, Code.LoadedModelFloor, value, usage.loaded_floor)
    value = _keep_opaque(tick, value)
    refused = tick.is_vram & ((usage.denials > 0) | (usage.new_denials > 0))
    in_force = np.where(refused, tick.workloads.request, np.nan)
    value = raised_to(tick, LAYER, Code.VramDenied, value, in_force)
    external = tick.workloads.external_request
    value = asked_for(tick, LAYER, Code.ExternalRecommendation, value, external)
    raw = asked_for(tick, LAYER, Code.CronFloor, value, cron_floor)
    target = bounded_request(tick, raw)
    known = unknown == 0
    return RequestTargets(
        raw=raw,
        target=target,
        lower=np.fmin(np.where(known, _buffered(tick, usage.request_lower), np.nan), target),
        upper=np.fmax(np.where(known, _buffered(tick, usage.request_upper), np.nan), target),
        asked=at_most(np.fmax(external, cron_floor), target),
        planned=at_most(cron_floor, target),
        segment_begins=segment_begins(tick, forecast, target),
        unknown=np.where(np.isnan(target), unknown, 0).astype(np.int16),
    )


def kept_targets(tick: Tick) -> RequestTargets:
    """Return the targets of the last tick, while this layer is not due."""
    state = tick.state
    nothing = np.full(tick.observation.shape, np.nan)
    reason = unknown_reason(tick, tick.usage.request_target)
    return RequestTargets(
        raw=state.raw_request,
        target=state.target_request,
        lower=state.lower_request,
        upper=state.upper_request,
        asked=nothing,
        planned=nothing,
        segment_begins=np.zeros(nothing.shape, np.bool_),
        unknown=reason_of_kept(state.target_request, reason),
    )


def _quantile(tick: Tick, forecast: LayerForecast) -> Floats:
    """Return what use stays below: the forecast where it counts, else the policy's percentile.

    A VRAM forecast only raises, and later, unless a risk is stated for it.
    """
    has_risk = ~np.isnan(tick.policies.requests.risk_target)
    foreseen = np.where(tick.is_vram, np.nan, forecast.value)
    quantile = np.where(has_risk, forecast.calibrated, foreseen)
    return np.where(np.isnan(quantile), tick.usage.request_target, quantile)


def _buffered(tick: Tick, value: Floats) -> Floats:
    """Add the margin; a risk target needs none."""
    rule = tick.policies.requests
    buffered = np.maximum(value * rule.factor, value + rule.least)
    return np.where(np.isnan(rule.risk_target), buffered, value)


def _explain_source(tick: Tick, value: Floats, forecast: LayerForecast) -> None:
    rule, known = tick.policies.requests, ~np.isnan(value)
    nothing = np.full(value.shape, np.nan)
    has_risk = ~np.isnan(rule.risk_target)
    replaces = forecast.counts & (has_risk | ~tick.is_vram)
    tick.log.add(LAYER, Code.Forecast, known & replaces, nothing, forecast.value)
    is_maximum = rule.percentile >= 1.0
    compute = ~tick.is_vram & ~has_risk & ~forecast.counts
    vram = tick.is_vram & ~has_risk
    sources = (
        (Code.RiskTarget, has_risk, rule.risk_target),
        (Code.LoadWeightedPercentile, compute & rule.is_load_weighted, rule.percentile),
        (Code.Percentile, compute & ~rule.is_load_weighted, rule.percentile),
        (Code.HourlyPeaks, vram & is_maximum, rule.percentile),
        (Code.PeakPercentile, vram & ~is_maximum, rule.percentile),
    )
    for code, where, arg in sources:
        tick.log.add(LAYER, code, known & where, nothing, value, arg)


def _keep_opaque(tick: Tick, value: Floats) -> Floats:
    """Keep what is in force where use says nothing of need."""
    in_force = tick.workloads.request
    opaque = tick.usage.is_opaque & ~np.isnan(in_force) & ~np.isnan(value)
    tick.log.add(LAYER, Code.OpaqueVram, opaque, value, in_force)
    return np.where(opaque, in_force, value)
