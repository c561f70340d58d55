"""Takes back raises that there was no room for, once they are wanted no longer.  Pure.

What was stated stays stated, and the controller grants it as soon as there is room.  For running
workers nothing is decided where they have what is wanted now, so an old wish would be granted hours
after its cause is gone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from autoscaler.scaling.cluster import Amounts, Change, amounts
from autoscaler.scaling.live.status.desired_amounts import PART, SIDES, known_mapping
from autoscaler.scaling.live.status.model_parts import parts_of, place_of
from recommender.amounts import ResourceAmounts
from recommender.quantities import parse_quantity

if TYPE_CHECKING:
    from autoscaler.scaling.cluster import WorkloadView
    from autoscaler.scaling.live.status.workload_terms import Terms


def is_capped(status: Mapping[str, Any]) -> bool:
    """Return whether workers have less than was stated, and no more could be done for them."""
    desired, applied = status.get("desiredResources") or {}, status.get("applied") or {}
    orders = {(part.get("epoch"), part.get("sequence")) for part in (desired, applied)}
    return bool(applied.get("capped")) and len(orders) == 1


def withdrawal(
    view: WorkloadView,
    desired: Mapping[str, Any],
    terms: Terms,
    next_amounts: tuple[Amounts, Amounts],
) -> Change | None:
    """Return the change that states what is in force in the place of an old raise; None: no need.

    ``desired`` is what stands in the status; ``next_amounts`` are the request and the limit that
    are decided now, without those that are not: of these nobody knows whether they are wanted.
    """
    parts = parts_of(desired, PART, terms.models)
    part = parts.get(place_of(view.gpu_model, parts, terms.models)) or {}
    request, limit = (
        _unwanted(part.get(side) or {}, in_force, wanted, view.gpu_model, terms)
        for side, in_force, wanted in zip(
            SIDES, (view.request, view.limit), next_amounts, strict=True
        )
    )
    if not request and not limit:
        return None
    return Change(
        namespace=view.namespace,
        workload=view.workload,
        uid=view.uid,
        gpu_model=view.gpu_model,
        request=request,
        limit=limit,
        reason="a raise that there was no room for is wanted no longer",
    )


def _unwanted(
    stated: Mapping[str, Any], in_force: Amounts, wanted: Amounts, gpu_model: str, terms: Terms
) -> Amounts:
    """Return what is in force of each amount that is stated above it and wanted no higher."""
    read, _ = ResourceAmounts.from_mapping(stated, "")
    texts, found = read.to_mapping(), {}
    for name, wish in wanted.items():
        value = in_force.get(name)
        if value is None:
            continue
        now = known_mapping(amounts({name: value}), gpu_model, terms)
        then = known_mapping(amounts({name: wish}), gpu_model, terms)
        for key, text in now.items():
            is_above = key in texts and parse_quantity(texts[key]) > parse_quantity(text)
            if is_above and parse_quantity(then[key]) <= parse_quantity(text):
                found[name] = value
    return amounts(found)
