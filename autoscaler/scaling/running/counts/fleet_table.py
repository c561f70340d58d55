"""What is in force and recommended of each workload, as columns for the metrics of one scrape.

A tick hands over references to arrays that no later tick changes; lines are only made of them when
somebody asks, and not on the loop's thread.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from autoscaler.scaling.cluster import WorkloadView
    from autoscaler.scaling.loop import Tick
    from recommender.forecast.promises import ForecastEvidence
    from recommender.observation import Floats, Ints


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetTable:
    """One row for each workload and GPU model; arrays ``[W, R]``, replicas ``[W]``.

    NaN: there is no such amount.
    """

    views: Sequence[WorkloadView]
    resources: tuple[str, ...]
    request: Floats
    limit: Floats
    recommended_request: Floats
    recommended_limit: Floats
    recommended_lower: Floats
    recommended_upper: Floats
    confidence: Floats
    """0 to 1."""
    last_sample_s: Ints
    """UTC seconds of the newest sample; negative: there is none."""
    replicas: Floats
    recommended_replicas: Floats
    replica_row: Ints
    """The row that stands for the replicas of its workload."""
    evidence: ForecastEvidence | None = None
    """Of forecasts; None: nobody asks for any."""


def fleet_table(tick: Tick, evidence: ForecastEvidence | None = None) -> FleetTable | None:
    """Return what a tick decided, with the evidence of forecasts; None: it decided nothing."""
    if tick.observed is None or tick.decisions is None:
        return None
    observation, decisions = tick.observed.observation, tick.decisions
    workloads = observation.workloads
    return FleetTable(
        views=tick.views,
        resources=tuple(resource.name for resource in observation.resources),
        request=workloads.request,
        limit=workloads.limit,
        recommended_request=decisions.target_request,
        recommended_limit=decisions.target_limit,
        recommended_lower=decisions.lower_request,
        recommended_upper=decisions.upper_request,
        confidence=decisions.confidence,
        last_sample_s=observation.usage.last_sample_s,
        replicas=workloads.replicas,
        recommended_replicas=decisions.target_replicas,
        replica_row=workloads.replica_row,
        evidence=evidence,
    )
