"""What forecasts of a whole fleet promised and kept, and how many of them count."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np

from recommender.forecast.gate import Gate

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from recommender.forecast.promises import ForecastEvidence, LayerEvidence
    from recommender.resources import Resource

Subject = tuple[str, str]
"""Layer and resource."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """Shares of minutes above what was in force, over all workloads that state a risk."""

    promised: float
    realised: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PromiseSnapshot:
    """The forecasts of a fleet at one moment; what nobody asks for is absent."""

    gates: Mapping[tuple[str, str, Gate], int] = field(default_factory=lambda: MappingProxyType({}))
    """(layer, resource, gate) to workloads."""
    promises: Mapping[Subject, Promise] = field(default_factory=lambda: MappingProxyType({}))


def promise_snapshot(evidence: ForecastEvidence, resources: Sequence[Resource]) -> PromiseSnapshot:
    """Return the sums of what forecasts promised and kept."""
    gates: dict[tuple[str, str, Gate], int] = {}
    promises: dict[Subject, Promise] = {}
    for layer, resource, column, of in _columns(evidence, resources):
        gate = of.gate[:, column]
        if (gate == Gate.NOT_ASKED).all():
            continue
        found = np.bincount(gate[gate >= 0], minlength=max(Gate) + 1).tolist()
        gates |= {(layer, resource, each): found[each] for each in Gate if each >= 0}
        judged = ~np.isnan(of.promised[:, column]) & (of.minutes[:, column] > 0)
        if judged.any():
            minutes = of.minutes[judged, column]
            promises[layer, resource] = Promise(
                promised=float(np.average(of.promised[judged, column], weights=minutes)),
                realised=float(np.average(of.realised[judged, column], weights=minutes)),
            )
    return PromiseSnapshot(gates=MappingProxyType(gates), promises=MappingProxyType(promises))


def _columns(
    evidence: ForecastEvidence, resources: Sequence[Resource]
) -> Iterator[tuple[str, str, int, LayerEvidence]]:
    """Yield layer, resource, column and the evidence that it is of."""
    names = [resource.name for resource in resources]
    compute = next((each.name for each in resources if each.is_compressible), "")
    for layer, of in (("limits", evidence.limits), ("requests", evidence.requests)):
        for column, name in enumerate(names):
            yield layer, name, column, of
    if compute:
        yield "replicas", compute, 0, evidence.replicas
