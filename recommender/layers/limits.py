"""Layer 1, auto-limits: how high a worker may burst, from the last seconds to the last day."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recommender.decision import Code, Layer
from recommender.layers.bounds import asked_for, at_most, bounded_limit, raised_to
from recommender.layers.confidence import reason_of_kept, unknown_reason
from recommender.layers.context import Tick
from recommender.layers.forecasts import LayerForecast, explain_gate, forecast_of
from recommender.observation import Bools, Floats
from recommender.resources import GIB
from recommender.usage.quality import SATURATED_SHARE, SATURATION_ROOM
from recommender.usage.statistics import COARSE_STEP_S

LAYER = Layer.LIMITS
SATURATED_RAISE = 1.5
PRESSURE_SHARE = 0.9
PRESSURE_RAISE = 1.2
PRESSURE_LEAST_BYTES = GIB
NO_SAMPLES = Code.NoSamples.number


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitTargets:
    """``[W, R]``; NaN where there is no value."""

    raw: Floats
    """Before bounds."""
    target: Floats
    wanted: Floats
    """For ``next``: known also where history is too short to show a target, for a burst needs none.
    It leaves the request to ``next_limits``, but for VRAM, whose need the request knows best."""
    asked: Floats
    """What the external scaler or a cron rule asks for, whatever is known of use."""
    unknown: NDArray[np.int16]
    is_urgent: Bools
    """Saturated, refused or short of VRAM."""


def limit_targets(tick: Tick, request: Floats, cron_floor: Floats) -> LimitTargets:
    """Return burst (or percentile), margin, floors, pressure and bounds of every limit.

    ``request`` is the request target of this tick: a recommended limit is never below it.
    """
    unknown = unknown_reason(tick, tick.usage.limit_percentile)
    value = _base(tick, unknown)
    external = tick.workloads.external_limit
    value = asked_for(tick, LAYER, Code.ExternalRecommendation, value, external)
    value = asked_for(tick, LAYER, Code.CronFloor, value, cron_floor)
    value, saturated = _saturation(tick, value)
    value, pressed = _vram_pressure(tick, value)
    asked = np.fmax(external, cron_floor)
    known = ((unknown == 0) | ~np.isnan(asked)) & ~np.isnan(value)
    bounded = bounded_limit(tick, value)
    target = raised_to(tick, LAYER, Code.RequestWins, bounded, np.where(known, request, np.nan))
    return LimitTargets(
        raw=np.where(known, value, np.nan),
        target=np.where(known, target, np.nan),
        wanted=np.where(tick.is_vram, target, bounded),
        asked=at_most(asked, target),
        unknown=np.where(known, 0, np.where(unknown == 0, NO_SAMPLES, unknown)).astype(np.int16),
        is_urgent=saturated | pressed,
    )


def kept_targets(tick: Tick) -> LimitTargets:
    """Return the targets of the last tick, while this layer is not due."""
    state = tick.state
    reason = unknown_reason(tick, tick.usage.limit_percentile)
    return LimitTargets(
        raw=state.raw_limit,
        target=state.target_limit,
        wanted=tick.workloads.limit,
        asked=np.full(tick.observation.shape, np.nan),
        unknown=reason_of_kept(state.target_limit, reason),
        is_urgent=np.zeros(tick.observation.shape, np.bool_),
    )


def _base(tick: Tick, unknown: NDArray[np.int16]) -> Floats:
    """Return use with its margin: bursts of the last minute, or what the histograms say.

    A burst needs no history; the upper percentile of a long time does.  A forecast that counts
    takes the histograms' place; of VRAM it only raises, unless a risk is stated for it.
    """
    usage, rule = tick.usage, tick.policies.limits
    forecast = forecast_of(tick, LAYER)
    has_risk = ~np.isnan(rule.risk_target)
    replaces = forecast.counts & (has_risk | ~tick.is_vram)
    coarse = (usage.step_s > COARSE_STEP_S) | np.isnan(usage.burst)
    recent = np.where(coarse, usage.last_three, usage.burst)
    quantile = np.where(has_risk, forecast.calibrated, np.where(replaces, forecast.value, np.nan))
    quantile = np.where(np.isnan(quantile), usage.limit_percentile, quantile)
    by_quantile = coarse | has_risk | tick.is_vram
    value = np.where(by_quantile, np.fmax(recent, quantile), recent)
    upper = np.where(unknown == 0, usage.request_upper, np.nan)
    value = np.where(rule.is_upper_percentile, upper, value)
    explain_gate(tick, LAYER, forecast, value)
    _explain_source(tick, value, coarse, np.where(replaces, forecast.value, np.nan))
    value = _with_margin(tick, value)
    floor = np.where(has_risk | rule.is_upper_percentile | replaces, np.nan, usage.day_percentile)
    value = raised_to(tick, LAYER, Code.DayFloor, value, floor)
    value = _above_forecast(tick, value, forecast)
    value = raised_to(tick, LAYER, Code.LoadedModelFloor, value, usage.loaded_floor)
    return _keep_opaque(tick, value)


def _with_margin(tick: Tick, value: Floats) -> Floats:
    """Add the margin; with a risk target no more than keeps use at the quantile from saturation."""
    has_risk = ~np.isnan(tick.policies.limits.risk_target)
    room = np.where(has_risk & ~tick.is_vram, value * SATURATION_ROOM, value)
    value = tick.log.changed(LAYER, Code.SaturationRoom, value, room)
    buffered = np.where(has_risk, value, _buffered(tick, value))
    return tick.log.changed(LAYER, Code.Buffer, value, buffered)


def _buffered(tick: Tick, value: Floats) -> Floats:
    rule = tick.policies.limits
    return np.maximum(value * rule.factor, value + rule.least)


def _above_forecast(tick: Tick, value: Floats, forecast: LayerForecast) -> Floats:
    """Raise a limit to what is forecast and its margin; a risk target needs neither."""
    has_risk = ~np.isnan(tick.policies.limits.risk_target)
    floor = np.where(has_risk, np.nan, _buffered(tick, forecast.value))
    return raised_to(tick, LAYER, Code.ForecastFloor, value, floor)


def _explain_source(tick: Tick, value: Floats, coarse: Bools, forecast: Floats) -> None:
    rule, nothing = tick.policies.limits, np.full(value.shape, np.nan)
    known, is_forecast = ~np.isnan(value), ~np.isnan(forecast)
    tick.log.add(LAYER, Code.Forecast, known & is_forecast, nothing, forecast)
    upper = known & rule.is_upper_percentile
    risk = known & ~upper & ~np.isnan(rule.risk_target)
    vram = known & ~upper & ~risk & tick.is_vram
    compute = known & ~upper & ~risk & ~vram
    step_s = tick.usage.step_s.astype(np.float64)
    sources = (
        (Code.UpperPercentile, upper, tick.policies.requests.upper_percentile),
        (Code.RiskTarget, risk, rule.risk_target),
        (Code.RecentVram, vram, np.nan),
        (Code.CoarseSteps, compute & coarse & ~is_forecast, step_s),
        (Code.LastSamples, compute & coarse & is_forecast, step_s),
        (Code.Burst, compute & ~coarse, np.nan),
    )
    for code, where, arg in sources:
        tick.log.add(LAYER, code, where, nothing, value, arg)


def _saturation(tick: Tick, value: Floats) -> tuple[Floats, Bools]:
    """Raise a limit that use reached, and return where that is so.

    Where use ended at a smaller share of a contended GPU, a higher limit is no remedy; it is not
    lowered either, as what would be used is hidden.
    """
    limit, usage = tick.workloads.limit, tick.usage
    saturated = usage.is_saturated & ~tick.is_vram & ~np.isnan(limit)
    contended = saturated & (usage.saturated_share < SATURATED_SHARE * limit)
    value = asked_for(tick, LAYER, Code.Contended, value, np.where(contended, limit, np.nan))
    saturated &= ~contended
    raised = np.where(saturated, SATURATED_RAISE * limit, np.nan)
    return asked_for(tick, LAYER, Code.Saturated, value, raised), saturated


def _keep_opaque(tick: Tick, value: Floats) -> Floats:
    in_force = tick.workloads.limit
    opaque = tick.usage.is_opaque & ~np.isnan(in_force) & ~np.isnan(value)
    tick.log.add(LAYER, Code.OpaqueVram, opaque, value, in_force)
    return np.where(opaque, in_force, value)


def _vram_pressure(tick: Tick, value: Floats) -> tuple[Floats, Bools]:
    """Raise a VRAM limit on a refused allocation, or when 90 % of it is in use.

    What was refused is in no sample yet, so a limit is not lowered soon after: a worker that
    failed for want of VRAM starts again within minutes.
    """
    limit, usage = tick.workloads.limit, tick.usage
    raised = np.maximum(limit * PRESSURE_RAISE, limit + PRESSURE_LEAST_BYTES)
    denied = tick.is_vram & (usage.new_denials > 0)
    full = tick.is_vram & ~usage.is_opaque & (usage.burst >= PRESSURE_SHARE * limit) & ~denied
    kept = np.where(tick.is_vram & (usage.denials > 0), limit, np.nan)
    least = np.where(denied, raised, kept)
    value = asked_for(tick, LAYER, Code.VramDenied, value, least)
    value = asked_for(tick, LAYER, Code.VramPressure, value, np.where(full, raised, np.nan))
    return value, (denied | full) & ~np.isnan(limit)
