"""Whether the decision for a workload is to be carried to its workers at all now.  Pure.

What the workers get of it is ``adjust_plan``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from autoscaler.api.condition_reasons import AppliedReason
from autoscaler.api.control import Control, ProcessMode, is_paused
from autoscaler.api.desired import read_desired
from autoscaler.api.names import CONTROL_CONFIG_MAP, PAUSED
from autoscaler.api.notes import NotedProblems
from autoscaler.kube.store import Object
from autoscaler.workloads.adjusting.adjusted import AppliedState


class Decision(NamedTuple):
    """Decisions for one workload are in the order of these."""

    epoch: int
    sequence: int

    def __str__(self) -> str:
        return f"epoch {self.epoch}, sequence {self.sequence}"


def desired_of(workload: Object) -> Mapping[str, Any] | None:
    """Return what was decided for a workload, as it stands there; None: nothing was."""
    desired: Mapping[str, Any] | None = _status(workload).get("desiredResources")
    return desired


def applied_of(workload: Object) -> Mapping[str, Any] | None:
    """Return what the status says of what was applied; None: nothing was."""
    applied: Mapping[str, Any] | None = _status(workload).get("applied")
    return applied


def decision_of(part: Mapping[str, Any] | None) -> Decision:
    """Return the place in the order of ``desiredResources`` or ``applied``; 0 where none stands."""
    stated = part or {}
    return Decision(stated.get("epoch") or 0, stated.get("sequence") or 0)


def hindrance(workload: Object, control: Control, pool: Object | None) -> AppliedState | None:
    """Return why the decision for a workload is not carried out now; None where it is.

    ``workload`` must have a decision.
    """
    if control.mode is ProcessMode.RECOMMEND:
        return _not(
            AppliedReason.RECOMMEND_ONLY,
            f"mode of ConfigMap {CONTROL_CONFIG_MAP}: recommend: workers keep what they have",
        )
    paused = _paused(workload, control, pool)
    if paused:
        return _not(AppliedReason.PAUSED, f"{paused}: workers keep what they have")
    notes = NotedProblems()
    read = read_desired(workload, "", notes, at_start=False)
    if read is None:
        return _not(AppliedReason.INVALID_DECISION, "; ".join(notes.warnings))
    decision, before = decision_of(desired_of(workload)), decision_of(applied_of(workload))
    if decision < before:
        return _not(
            AppliedReason.STALE_DECISION, f"{decision} is older than what was applied: {before}"
        )
    return None


def _paused(workload: Object, control: Control, pool: Object | None) -> str:
    """Return which switch pauses a workload; empty where none does."""
    if control.is_paused:
        return f"paused of ConfigMap {CONTROL_CONFIG_MAP}"
    for kind, obj in (("GPUPool", pool), ("TensorFusionWorkload", workload)):
        if obj is not None and is_paused(control, obj):
            return f"annotation {PAUSED} of {kind} {obj['metadata']['name']}"
    return ""


def _not(reason: AppliedReason, message: str) -> AppliedState:
    return AppliedState(is_true=False, reason=reason, message=message)


def _status(workload: Object) -> Mapping[str, Any]:
    return workload.get("status") or {}
