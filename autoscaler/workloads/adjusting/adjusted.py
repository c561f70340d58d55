"""What one look at a workload's decision came to, for its status.

The controller's status of a workload takes ``applied`` and the condition ``DesiredApplied`` from
here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from autoscaler.api.condition_reasons import AppliedReason


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
    has_raised: bool = False
    """Whether running workers got more just now, as those of other workloads may wait to."""


UNDECIDED = Adjusted(applied=None, state=None, replicas_with_all=None, has_more=False)
"""Of a workload for which nothing was decided."""
