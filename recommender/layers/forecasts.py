"""What of the forecasts counts in a layer, and which step says why the others do not.

Where a gate is closed, a layer decides as it would without ``prediction``.  What the layers do with
a forecast that counts is theirs.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from recommender.decision import Code, Layer
from recommender.forecast.gate import Gate
from recommender.layers.context import Tick
from recommender.observation import Bools, Floats, Forecasts, Ints

SEGMENT_BEGINS_S = 3600
"""So long after its begin a change towards a segment of the day is still planned."""
LOWERS_AFTER_S = 300
"""Until then the forecast has not seen the hour before: it may still expect what has just ended."""
CODE_OF_GATE = MappingProxyType(
    {
        Gate.YOUNG: Code.ForecastYoung,
        Gate.GAPS: Code.ForecastGaps,
        Gate.UNPROVEN: Code.ForecastUnproven,
        Gate.NO_GAIN: Code.ForecastNoGain,
        Gate.STEP: Code.ForecastStep,
        Gate.HISTOGRAM: Code.ForecastNotMade,
    }
)
"""Closed gates of a policy that asks for a forecast."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerForecast:
    """``[W, R]``, of replicas ``[W]``."""

    value: Floats
    """NaN where nobody asks for a forecast, or where the gate is closed."""
    histogram: Floats
    """What the histogram says, calibrated like a forecast; NaN where nothing is known."""
    gate: Ints
    """``Gate``; ``NOT_ASKED`` also where a share of risk is all that is asked for."""

    @property
    def counts(self) -> Bools:
        """Where there is a forecast and its gate is open."""
        return ~np.isnan(self.value)

    @property
    def calibrated(self) -> Floats:
        """The forecast, and where none counts what was measured, calibrated alike."""
        return np.where(self.counts, self.value, self.histogram)


def forecast_of(tick: Tick, layer: Layer) -> LayerForecast:
    """Return what is forecast for a layer, as far as its rules ask for it."""
    forecasts, asks = tick.observation.forecasts, _asks(tick, layer)
    if forecasts is None:
        nothing = np.full(asks.shape, np.nan)
        return LayerForecast(
            value=nothing, histogram=nothing, gate=np.full(asks.shape, int(Gate.NOT_ASKED))
        )
    value, histogram, gate = _columns(forecasts, layer)
    return LayerForecast(
        value=np.where(asks & (gate == Gate.OPEN), value, np.nan),
        histogram=histogram,
        gate=np.where(asks, gate, int(Gate.NOT_ASKED)),
    )


def explain_gate(tick: Tick, layer: Layer, forecast: LayerForecast, value: Floats) -> None:
    """Say why a forecast that is asked for does not count; ``value`` is what does."""
    nothing, known = np.full(value.shape, np.nan), ~np.isnan(value)
    for gate, code in CODE_OF_GATE.items():
        tick.log.add(layer, code, (forecast.gate == gate) & known, nothing, value)


def segment_floor(tick: Tick, forecast: LayerForecast) -> Floats:
    """Return the level of the running segment of the day, ``[W, R]``; NaN where it does not count.

    A stated risk decides alone, and VRAM is no matter of the time of the day.
    """
    forecasts, rule = tick.observation.forecasts, tick.policies.requests
    if forecasts is None:
        return np.full(tick.observation.shape, np.nan)
    counts = forecast.counts & ~tick.is_vram & np.isnan(rule.risk_target)
    return np.where(counts, forecasts.segment, np.nan)


def segment_begins(tick: Tick, forecast: LayerForecast, target: Floats) -> Bools:
    """Return where a segment began lately and no change was made for it yet, ``[W, R]``.

    A raise comes at once, a decrease when the forecast knows of the begin.
    """
    forecasts, rule = tick.observation.forecasts, tick.policies.requests
    if forecasts is None:
        return np.zeros(tick.observation.shape, np.bool_)
    has_segments = forecast.counts & ~tick.is_vram & ~np.isnan(forecasts.segment)
    since_s = forecasts.segment_since_s
    age_s = tick.now_s - since_s
    least_s = np.where(target < tick.workloads.request, LOWERS_AFTER_S, 0)
    is_new = (age_s >= least_s) & (age_s < SEGMENT_BEGINS_S)
    is_new &= tick.state.segment_change_s < since_s
    return np.asarray(has_segments & is_new & rule.acts & ~rule.is_asked_only, np.bool_)


def _asks(tick: Tick, layer: Layer) -> Bools:
    policies = tick.policies
    if layer is Layer.REPLICAS:
        return policies.replicas.predicts
    return (policies.requests if layer is Layer.REQUESTS else policies.limits).predicts


def _columns(forecasts: Forecasts, layer: Layer) -> tuple[Floats, Floats, Ints]:
    if layer is Layer.REQUESTS:
        return forecasts.request, forecasts.request_histogram, forecasts.request_gate
    if layer is Layer.LIMITS:
        return forecasts.limit, forecasts.limit_histogram, forecasts.limit_gate
    demand = forecasts.replica_demand
    return demand, np.full(demand.shape, np.nan), forecasts.replica_gate
