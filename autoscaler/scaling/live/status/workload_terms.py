"""In which terms things may be stated for a workload.  Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from autoscaler.scaling.cards import card_of
from recommender.resources import COMPUTE_PERCENT, TFLOPS

if TYPE_CHECKING:
    from autoscaler.scaling.cluster import WorkloadView
    from recommender.policy.model import Policy


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What may be stated for a workload, and how."""

    policy: Policy
    is_in_percent: bool
    """Whether its users state compute in percent of a GPU."""
    peak_tflops: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    """Of one GPU of a model, where it is known; percent are counted of it."""
    models: frozenset[str] = frozenset()
    """GPU models that its workers run on; none where no worker runs."""


def terms_of(workload: Mapping[str, Any], views: Sequence[WorkloadView]) -> Terms:
    """Return the terms of a workload; ``views`` are all of its views, at least one."""
    peaks = ((view.gpu_model, card_of(view, view.gpu_model).get(TFLOPS.name)) for view in views)
    return Terms(
        policy=views[0].policy,
        is_in_percent=uses_percent(workload.get("spec") or {}),
        peak_tflops={model: peak for model, peak in peaks if peak is not None},
        models=frozenset(view.gpu_model for view in views if view.workers and view.gpu_model),
    )


def uses_percent(spec: Mapping[str, Any]) -> bool:
    """Return whether a workload's ``spec`` states compute in percent."""
    stated = (spec.get("resources") or {}).values()
    return any(COMPUTE_PERCENT.api_name in (side or {}) for side in stated)
