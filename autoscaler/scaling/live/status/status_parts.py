"""``status.recommendation`` and ``status.guard``: what the API carries, and what it means.  Pure.

Quantities of the guard are in the unit in which decisions are made, so that reading them needs no
GPU: TFLOPS also where a workload's users state percent.  Replicas have a ``replica_guard``.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from autoscaler.kube.timestamps import seconds_of, time_text
from autoscaler.scaling.cluster import Guard, amounts
from autoscaler.scaling.live.status.desired_amounts import SIDES, amounts_mapping, known_mapping
from autoscaler.scaling.live.status.model_parts import laid_out, parts_of, place_of
from recommender.amounts import ResourceAmounts
from recommender.quantities import parse_quantity

if TYPE_CHECKING:
    from autoscaler.scaling.cluster import Amounts
    from autoscaler.scaling.live.replicas.replica_guard import ReplicaGuard
    from autoscaler.scaling.live.status.workload_terms import Terms

REPLICAS = "replicas"
_TIMES = ("lastChange", "watchedUntil", "noDecreaseUntil", "answeredUntil")
_GUARD = (*_TIMES, "previous", "changesToday")


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """What is recommended for the workers of one GPU model, by resource name."""

    gpu_model: str
    request: Amounts
    limit: Amounts


def recommendation_of(targets: Iterable[Target], terms: Terms) -> dict[str, Any]:
    """Return what is recommended; of several GPU models the highest of each amount.

    An amount that cannot be said in the workload's unit is left out; empty where none is left.
    """
    found: dict[str, dict[str, str]] = {}
    for target in targets:
        for side, values in zip(SIDES, (target.request, target.limit), strict=True):
            for name, text in known_mapping(values, target.gpu_model, terms).items():
                known = found.setdefault(side, {})
                highest = max(text, known.get(name, text), key=parse_quantity)
                known[name] = highest
    return {side: found[side] for side in SIDES if side in found}


def guard_from(status: Mapping[str, Any] | None, gpu_model: str) -> Guard | None:
    """Return what an earlier process left of the workers of a GPU model; None: nothing.

    What cannot be read counts as absent.
    """
    parts = parts_of((status or {}).get("guard"), _GUARD, ())
    part = parts.get(gpu_model) or parts.get("")
    if not part:
        return None
    last_change_s, watched_until_s, no_decrease_until_s, answered_until_s = (
        seconds_of(part.get(name)) for name in _TIMES
    )
    previous, changes = part.get("previous") or {}, part.get("changesToday")
    request, limit = (
        amounts(ResourceAmounts.from_mapping(previous.get(side) or {}, side)[0].base_units())
        for side in SIDES
    )
    return Guard(
        last_change_s=last_change_s,
        changes=changes if isinstance(changes, int) else 0,
        watched_until_s=watched_until_s,
        previous_request=request,
        previous_limit=limit,
        no_decrease_until_s=no_decrease_until_s,
        answered_until_s=answered_until_s,
    )


def guard_after(
    present: Mapping[str, Any] | None,
    guards: Mapping[str, Guard],
    models: Collection[str],
    replicas: ReplicaGuard | None,
) -> dict[str, Any]:
    """Return ``status.guard`` with new guards by GPU model; empty where nothing is to be kept.

    ``models`` are those that workers run on.  Without ``replicas`` nothing is said of them.
    """
    parts = parts_of(present, _GUARD, models)
    for model, guard in guards.items():
        parts[place_of(model, parts, models)] = guard_mapping(guard)
    of_replicas = {} if replicas is None else replicas.mapping()
    return {**laid_out(parts, models), **({REPLICAS: of_replicas} if of_replicas else {})}


def guard_mapping(guard: Guard) -> dict[str, Any]:
    """Return the guard of one GPU model as the API carries it; the opposite of ``guard_from``."""
    times = (
        guard.last_change_s,
        guard.watched_until_s,
        guard.no_decrease_until_s,
        guard.answered_until_s,
    )
    previous = {
        side: texts
        for side, values in zip(SIDES, (guard.previous_request, guard.previous_limit), strict=True)
        if (texts := amounts_mapping(values))
    }
    fields: dict[str, Any] = {
        **{
            name: None if at_s is None else time_text(at_s)
            for name, at_s in zip(_TIMES, times, strict=True)
        },
        "previous": previous or None,
        "changesToday": guard.changes or None,
    }
    return {name: value for name, value in fields.items() if value is not None}
