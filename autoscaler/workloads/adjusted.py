"""What one look at a workload's decision came to, for its status.

The controller's status of a workload takes ``applied`` and the condition ``DesiredApplied`` from
here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class AppliedReason(StrEnum):
    """Reasons of the condition ``DesiredApplied``."""

    APPLIED = "Applied"
    """Every worker has what was decided."""
    AT_START = "AtStart"
    """Only workers that start get what was decided, as no layer has the mode ``apply``."""
    APPLYING = "Applying"
    """Further workers are changed at the next look."""
    CAPPED = "Capped"
    """Some workers have less than was decided."""
    PAUSED = "Paused"
    RECOMMEND_ONLY = "RecommendOnly"
    STALE_DECISION = "StaleDecision"
    """A newer decision was applied before."""
    INVALID_DECISION = "InvalidDecision"
    """``status.desiredResources`` or the workload's own settings cannot be read."""


class CapReason(StrEnum):
    """Why a worker has less than was decided for it."""

    GPU_FULL = "GPUFull"
    GPU_LOST = "GPULost"
    """A GPU of the worker is not there, so nothing more of it is given."""
    ABOVE_GPU = "AboveGPU"
    """More than its GPU has in all."""
    QUOTA_EXCEEDED = "QuotaExceeded"
    ABOVE_LIMIT = "AboveLimit"
    """A request above a limit that could not be raised."""
    INVALID_WORKER = "InvalidWorker"
    """Its annotations cannot be read, or what would become of them."""
    WRITE_REFUSED = "WriteRefused"
    """The API server does not allow the change."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AppliedState:
    """What the condition ``DesiredApplied`` says."""

    is_true: bool
    reason: AppliedReason
    message: str
    """Without times and ages."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Adjusted:
    """What is to stand in the status of a workload after one look."""

    applied: Mapping[str, Any] | None
    """``status.applied`` as it is to be written; None: the field is left out."""
    state: AppliedState | None
    """None: the condition is left out, as nothing was decided."""
    replicas_with_all: int | None
    """``status.appliedRecommendedReplicas``: workers that have all that was decided; None: the
    field is left out."""
    has_more: bool
    """Whether workers are left to be changed, so that the workload is to be looked at again."""


UNDECIDED = Adjusted(applied=None, state=None, replicas_with_all=None, has_more=False)
"""Of a workload for which nothing was decided."""
