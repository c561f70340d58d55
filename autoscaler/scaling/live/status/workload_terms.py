"""In which terms things may be stated for a workload, by its views.  Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from autoscaler.scaling.cards import card_of
from autoscaler.scaling.live.status.desired_amounts import Terms, uses_percent
from recommender.resources import TFLOPS

if TYPE_CHECKING:
    from autoscaler.scaling.cluster import WorkloadView


def terms_of(workload: Mapping[str, Any], views: Sequence[WorkloadView]) -> Terms:
    """Return the terms of a workload; ``views`` are all of its views, at least one."""
    peaks = ((view.gpu_model, card_of(view, view.gpu_model).get(TFLOPS.name)) for view in views)
    return Terms(
        policy=views[0].policy,
        is_in_percent=uses_percent(workload.get("spec") or {}),
        peak_tflops={model: peak for model, peak in peaks if peak is not None},
        models=frozenset(view.gpu_model for view in views if view.workers and view.gpu_model),
    )
