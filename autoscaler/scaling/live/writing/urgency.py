"""How urgent a change is to be written.  Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from autoscaler.kube.lanes import Priority
from recommender.resources import VRAM

if TYPE_CHECKING:
    from autoscaler.scaling.cluster import Amounts, Change, WorkloadView


def priority_of(change: Change, views: Sequence[WorkloadView]) -> Priority:
    """Return the urgency of a change; ``views`` are those of its workload.

    Of urgent changes those of VRAM come first: memory that is refused makes work fail, where
    compute that is short makes it slow.
    """
    if change.is_urgent:
        is_memory = VRAM.name in change.request or VRAM.name in change.limit
        return Priority.DENIAL if is_memory else Priority.SATURATION
    return Priority.RAISE if is_raise(change, views) else Priority.DECREASE


def is_raise(change: Change, views: Sequence[WorkloadView]) -> bool:
    """Return whether running workers get more, or there are to be more of them."""
    view = next((each for each in views if each.gpu_model == change.gpu_model), views[0])
    if change.replicas is not None:
        return view.replicas is None or change.replicas > view.replicas
    return _has_more(change.request, view.request) or _has_more(change.limit, view.limit)


def _has_more(wanted: Amounts, present: Amounts) -> bool:
    return any(value > present.get(name, -math.inf) for name, value in wanted.items())
