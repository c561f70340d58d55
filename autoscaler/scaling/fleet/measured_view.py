"""One measured workload as the loop sees it: what its workers say, joined with its row.

A row of the workloads file wins for what is stated; what is in force is what was measured.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from autoscaler.scaling.cards import GpuModels
from autoscaler.scaling.cluster import Amounts, WorkerView, WorkloadView, amounts
from autoscaler.scaling.collect.series import canonical_gpu_model
from autoscaler.scaling.fleet.stated import StatedWorkload, card_model, stated_view
from autoscaler.sources.prometheus.inventory import READY_AFTER_S
from recommender.observation import QOS_LEVELS
from recommender.policy.fields import AMOUNTS
from recommender.resources import COMPUTE_PERCENT, TFLOPS

if TYPE_CHECKING:
    from autoscaler.sources.prometheus.mapping import SeriesName
    from autoscaler.sources.prometheus.measured_worker import MeasuredWorker

GPU_COUNT = "gpu-count"
WRITTEN_RATIO = 1e-4
"""Amounts are written in thousandths and whole MiB; a smaller difference is none."""
UNKNOWN_START_S = -1
_RESOURCE_OF = {statement.key: statement.resource for statement in AMOUNTS}


def views_of(
    workers: Sequence[MeasuredWorker],
    *,
    now_s: int,
    statement: StatedWorkload | None,
    gpu_models: GpuModels,
    in_force: Mapping[str, SeriesName],
) -> list[WorkloadView]:
    """Return the views of one workload, one per GPU model that its workers report.

    Replicas are its running workers; they are counted over all models.  ``in_force`` names the
    series of each amount.
    """
    running = [worker for worker in workers if worker.is_alive]
    by_model = _by_model(running or workers)
    return [
        _view(
            by_model[name],
            reported=name,
            now_s=now_s,
            statement=statement,
            gpu_models=gpu_models,
            in_force=in_force,
            replicas=len(running) or None,
        )
        for name in sorted(by_model)
    ]


def _by_model(workers: Sequence[MeasuredWorker]) -> dict[str, list[MeasuredWorker]]:
    """Group workers by their card; those that do not name it go with the first that is named."""
    names = {name for worker in workers if (name := worker.labels.get("gpu_model", ""))}
    first = min(names, default="")
    groups: dict[str, list[MeasuredWorker]] = {}
    for worker in workers:
        groups.setdefault(worker.labels.get("gpu_model") or first, []).append(worker)
    return groups


def _view(
    workers: Sequence[MeasuredWorker],
    *,
    reported: str,
    now_s: int,
    statement: StatedWorkload | None,
    gpu_models: GpuModels,
    in_force: Mapping[str, SeriesName],
    replicas: int | None,
) -> WorkloadView:
    namespace, workload, _ = workers[0].key
    model = card_model(reported, statement, gpu_models)
    view = stated_view(
        (namespace, workload),
        statement=statement,
        model=model,
        gpu_models=gpu_models,
        owner=_owner(workers),
    )
    said = frozenset() if statement is None else statement.resolved.stated.sources.keys()
    measured = _highest(workers)
    sources = {key: f"metric {in_force[key]}" for key in measured if key in in_force}
    request, limit = _side(measured, "request"), _side(measured, "limit")
    return replace(
        view,
        stated_request=amounts({**request, **view.stated_request}),
        stated_limit=amounts({**limit, **view.stated_limit}),
        request=_in_force(view.request, request),
        limit=_in_force(view.limit, limit),
        stated_sources=MappingProxyType({**sources, **view.stated_sources}),
        in_force_sources=MappingProxyType(sources),
        replicas=view.replicas if replicas is None else replicas,
        stated_replicas=replicas if view.stated_replicas is None else view.stated_replicas,
        gpu_count=view.gpu_count if GPU_COUNT in said else _gpu_count(workers),
        # As the samples have it, which belong to the workload and this model.
        gpu_model=canonical_gpu_model(reported) or view.gpu_model,
        pool=view.pool or _label(workers, "pool"),
        qos=view.qos if "qos" in said else _qos(workers, view.qos),
        workers=tuple(_worker(worker, now_s) for worker in workers if worker.is_alive),
    )


def _highest(workers: Sequence[MeasuredWorker]) -> dict[str, float]:
    """Return what is in force: the highest of the workers."""
    highest: dict[str, float] = {}
    for worker in workers:
        for key, amount in worker.in_force.items():
            highest[key] = max(amount, highest.get(key, 0.0))
    return highest


def _side(measured: Mapping[str, float], side: str) -> dict[str, float]:
    """Return the amounts of ``request`` or ``limit`` by resource."""
    return {
        _RESOURCE_OF[key]: amount
        for key, amount in measured.items()
        if key.endswith(f"-{side}") and key in _RESOURCE_OF
    }


def _in_force(declared: Amounts, measured: Mapping[str, float]) -> Amounts:
    """Return what is in force; where that is what is declared, exactly so."""
    found = dict(declared)
    if TFLOPS.name in measured:
        found.pop(COMPUTE_PERCENT.name, None)
    for name, amount in measured.items():
        stated = declared.get(name)
        is_same = stated is not None and abs(amount - stated) <= WRITTEN_RATIO * stated
        found[name] = stated if stated is not None and is_same else amount
    return amounts(found)


def _gpu_count(workers: Sequence[MeasuredWorker]) -> int:
    return max(round(worker.in_force.get(GPU_COUNT, worker.gpu_count)) for worker in workers)


def _qos(workers: Sequence[MeasuredWorker], default: str) -> str:
    found = _label(workers, "qos").lower()
    return found if found in QOS_LEVELS else default


def _owner(workers: Sequence[MeasuredWorker]) -> str:
    """Return the owner that the server names; none where pods of one name have several kinds."""
    found = {worker.owner for worker in workers if worker.owner}
    return found.pop() if len(found) == 1 else ""


def _label(workers: Sequence[MeasuredWorker], name: str) -> str:
    values: Iterator[str] = (worker.labels.get(name, "") for worker in workers)
    return next((value for value in values if value), "")


def _worker(worker: MeasuredWorker, now_s: int) -> WorkerView:
    return WorkerView(
        name=worker.key[2],
        started_s=UNKNOWN_START_S,
        ready_s=now_s - READY_AFTER_S if worker.is_ready else None,
    )
