"""What forecasts promised, and what came of it, for reports and metrics.

Plain arrays beside the fleet's other tables; who fills them is the fleet's forecasts, who says them
in words is the report.
"""

from __future__ import annotations

from dataclasses import dataclass

from recommender.observation import Floats, Ints


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerEvidence:
    """Of one layer, ``[W, R]``; of replicas ``[W, 1]``."""

    gate: Ints
    """``recommender.forecast.gate.Gate``: whether the forecast counts, and why not."""
    promised: Floats
    """Share of minutes that may lie above what is in force; NaN: no ``riskTarget``."""
    realised: Floats
    """Share of minutes that did, fading with a half-life of 7 days; NaN: nothing was judged."""
    minutes: Floats
    """How many were judged, fading alike."""
    loss_ratio: Floats
    """Pinball loss of the forecast over that of the calibrated histogram; NaN: not judged."""
    absence: Ints
    """``recommender.forecast.absence.Absence``: why not the model counts that was asked for."""
    shares: Floats
    """``[W, R, E]`` weight of each of ``recommender.forecast.forecaster.EXPERTS``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ForecastEvidence:
    """Of all layers, rows as asked for."""

    limits: LayerEvidence
    requests: LayerEvidence
    replicas: LayerEvidence
    """``[W, 1]``: of demand of compute over all workers."""
