"""The views of one workload from everything that the caches know of it.  Pure.

One view for each model of the GPUs that its workers run on.  Without a worker that runs there is
one too: what is in force is then what a worker would start with now, and the model the one that the
workload states, or the only one of its pool.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from autoscaler.api.ceilings import read_ceilings
from autoscaler.api.control import Control, is_paused
from autoscaler.api.in_force import amounts_at_start
from autoscaler.api.notes import NotedProblems
from autoscaler.kube.store import Object
from autoscaler.scaling.cards import GpuModels
from autoscaler.scaling.cluster import Amounts, WorkloadView, amounts
from autoscaler.scaling.external.answers import ExternalAnswer
from autoscaler.scaling.live.amount_units import highest, in_tflops
from autoscaler.scaling.live.replicas.replica_state import ReplicaState, owner_text
from autoscaler.scaling.live.status.status_parts import guard_from
from autoscaler.scaling.live.viewing.policies import Settings
from autoscaler.scaling.live.viewing.quota_room import Worker, quota_room
from autoscaler.scaling.live.viewing.room import Room
from autoscaler.scaling.live.viewing.worker_groups import (
    PlacedWorker,
    WorkerGroup,
    placed_workers,
    surplus_of,
    worker_groups,
    worker_views,
)
from autoscaler.scaling.live.viewing.worker_state import WorkerState
from recommender.gpu_models import GpuModel, find_gpu_model
from recommender.policy.fields import AMOUNTS
from recommender.quantities import parse_quantity
from recommender.resources import COMPUTE_PERCENT, TFLOPS, VRAM

SIDES = ("request", "limit")
_RESOURCE_OF = {each.key: each.resource for each in AMOUNTS}
_CONFIG = "autoScalingConfig"
NO_ANSWER = ExternalAnswer()


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """All that the views of one workload are made of."""

    workload: Object
    workers: tuple[WorkerState, ...]
    settings: Settings
    control: Control
    pool: Object | None
    quotas: Sequence[Object]
    replicas: ReplicaState
    external: ExternalAnswer | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Started:
    """What a worker would start with now."""

    request: Amounts
    limit: Amounts


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """One view, and what its bounds are made of, which change most often."""

    view: WorkloadView
    own_room: Amounts
    """Largest request that the GPUs of its workers have room for."""
    asking: Worker
    """What quotas are asked for."""


def views_of(facts: Facts, room: Room, gpu_models: GpuModels) -> tuple[Built, ...]:
    """Return the views of a workload, by the name of their GPU model; at least one."""
    placed = placed_workers(facts.workers, room.device)
    groups = worker_groups(placed) or (_resting(facts, placed, room),)
    shared = _Shared(
        facts=facts,
        room=room,
        gpu_models=gpu_models,
        pool=pool_of(facts.workload, facts.workers),
        placed=len(placed),
        surplus=surplus_of(facts.workers, facts.replicas.replicas),
    )
    return tuple(_built(shared, group) for group in groups)


def refitted(built: Built, room: Room, quotas: Sequence[Object]) -> Built:
    """Return a view with the bounds that GPUs and quotas set now; the same where they are."""
    view = built.view
    largest = _largest_placeable(view.pool, view.gpu_model, built.own_room, room)
    allowed = quota_room(quotas, built.asking)
    before = view.largest_placeable, view.quota, view.replica_quota
    if before == (largest, allowed.request, allowed.replicas):
        return built
    refitting = replace(
        view,
        largest_placeable=largest,
        quota=allowed.request,
        replica_quota=allowed.replicas,
    )
    return replace(built, view=refitting)


def pool_of(workload: Object, workers: Sequence[WorkerState]) -> str:
    """Return the name of a workload's pool: the one that it states, else that of its workers."""
    stated = (workload.get("spec") or {}).get("poolName")
    return str(stated or next((worker.pool for worker in workers if worker.pool), ""))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shared:
    """What all views of one workload are made of."""

    facts: Facts
    room: Room
    gpu_models: GpuModels
    pool: str
    placed: int
    """Workers that have GPUs."""
    surplus: frozenset[str]


def _resting(facts: Facts, placed: tuple[PlacedWorker, ...], room: Room) -> WorkerGroup:
    """Return the group of a workload without a worker that runs; those that leave are its own."""
    named = facts.settings.stated.gpu_model
    models = room.models_in(pool_of(facts.workload, facts.workers), named)
    known = find_gpu_model(named) if named else None
    stated = known.name if known is not None else named
    return WorkerGroup(gpu_model=models[0] if len(models) == 1 else stated, leaving=placed)


def _built(shared: _Shared, group: WorkerGroup) -> Built:
    facts, pool, gpu_models = shared.facts, shared.pool, shared.gpu_models
    workload, stated = facts.workload, facts.settings.stated
    metadata = workload["metadata"]
    model = find_gpu_model(group.gpu_model, gpu_models.own) if group.gpu_model else None
    card = _card(group, pool, shared.room, model)
    started = _started(facts, group.gpu_model, card)
    request = group.request if group.running else started.request
    limit = group.limit if group.running else started.limit
    asking = Worker(
        stated=replace(stated, gpu_model=group.gpu_model),
        card=card,
        request=request,
        start_request=started.request,
        start_limit=started.limit,
        count=len(group.running),
        placed=shared.placed,
        gpu_count=group.gpu_count or stated.gpu_count,
    )
    allowed = quota_room(facts.quotas, asking)
    external, own_room = facts.external or NO_ANSWER, group.room
    view = WorkloadView(
        namespace=metadata["namespace"],
        workload=metadata["name"],
        uid=metadata["uid"],
        policy=facts.settings.policy,
        stated_request=in_tflops(amounts(stated.request), card),
        stated_limit=in_tflops(amounts(stated.limit), card),
        request=request,
        limit=limit,
        start_request=_other_than(request, started.request, _said_at_start(workload, "requests")),
        start_limit=_other_than(limit, started.limit, _said_at_start(workload, "limits")),
        stated_sources=_sources(workload, group.gpu_model if TFLOPS.name in card else ""),
        replicas=facts.replicas.replicas,
        stated_replicas=facts.replicas.stated,
        replicas_held=facts.replicas.held.text if facts.replicas.held else "",
        gpu_count=asking.gpu_count,
        gpu_model=group.gpu_model,
        pool=pool,
        qos=stated.qos,
        owner=owner_text(workload),
        card=amounts({**card, COMPUTE_PERCENT.name: 100.0}) if card else card,
        largest_placeable=_largest_placeable(pool, group.gpu_model, own_room, shared.room),
        quota=allowed.request,
        replica_quota=allowed.replicas,
        is_paused=is_paused(facts.control, workload, facts.pool),
        external_request=in_tflops(external.request, card),
        external_limit=in_tflops(external.limit, card),
        external_replicas=external.replicas,
        workers=worker_views(group, shared.surplus),
        price_per_gpu_hour=None if model is None else gpu_models.prices.get(model.name),
        guard=guard_from(workload.get("status"), group.gpu_model),
    )
    return Built(view=view, own_room=own_room, asking=asking)


def _largest_placeable(pool: str, gpu_model: str, own_room: Amounts, room: Room) -> Amounts:
    """Return the largest request that a GPU of a pool, or one that a worker has, has room for."""
    group = room.group(pool, gpu_model)
    return own_room if group is None else highest((group.most_free, own_room))


def _card(group: WorkerGroup, pool: str, room: Room, model: GpuModel | None) -> Amounts:
    """Return what one GPU has: as GPUs of the workers, or of its pool, say, else by the table."""
    found = group.card
    if not found and (alike := room.group(pool, group.gpu_model)) is not None:
        found = alike.card
    if found or model is None:
        return found
    return amounts({TFLOPS.name: model.fp16_tflops, VRAM.name: float(model.vram_bytes)})


def _started(facts: Facts, gpu_model: str, card: Amounts) -> _Started:
    """Return what a worker on a GPU model would start with: decided, else declared."""
    notes = NotedProblems()
    stated = replace(facts.settings.stated, gpu_model=gpu_model)
    ceilings = read_ceilings(facts.quotas, stated, notes).amounts if facts.quotas else {}
    quantities = amounts_at_start(
        stated, facts.settings.policy, facts.workload, facts.control, ceilings, notes
    )
    found: dict[str, dict[str, float]] = {side: {} for side in SIDES}
    for key, quantity in quantities.items():
        found[key.rpartition("-")[2]][_RESOURCE_OF[key]] = float(parse_quantity(quantity))
    request, limit = (in_tflops(amounts(found[side]), card) for side in SIDES)
    return _Started(request=request, limit=limit)


def _said_at_start(workload: Object, side: str) -> frozenset[str]:
    """Return the resources of which something is stated for workers that start from now on.

    It must stay in sight where it is no other than what runs, or a raise of what runs would leave
    it as it is.
    """
    desired = (workload.get("status") or {}).get("desiredResources") or {}
    parts = (desired, *(desired.get("byGPUModel") or {}).values())
    said = {name for part in parts for name in (part.get("nextStart") or {}).get(side) or {}}
    names = {VRAM.name} if VRAM.api_name in said else set()
    return frozenset(names | ({TFLOPS.name} if said - {VRAM.api_name} else set()))


def _other_than(running: Amounts, starting: Amounts, said: frozenset[str]) -> Amounts:
    """Return what new workers start with where that is said, or other than running ones have."""
    return amounts(
        {key: value for key, value in starting.items() if key in said or running.get(key) != value}
    )


def _sources(workload: Object, gpu_model: str) -> Mapping[str, str]:
    """Return where each statement came from; percent that are shown in TFLOPS say so."""
    effective: Mapping[str, Any] = (workload.get("status") or {}).get("effective") or {}
    sources = {
        key: str(said.get("source") or "")
        for key, said in effective.items()
        if not key.startswith(_CONFIG) and isinstance(said, Mapping)
    }
    for side in SIDES:
        percent = f"compute-percent-{side}"
        if gpu_model and percent in sources:
            sources[f"tflops-{side}"] = f"{sources[percent]} ({percent} of {gpu_model})"
    return MappingProxyType(sources)
