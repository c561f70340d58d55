"""The controller's part of the status of a workload.  Pure.

The same state gives the same status, so that nothing is written where nothing changed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from autoscaler.api.condition_reasons import WorkloadReason
from autoscaler.api.names import (
    COMPONENT,
    WORKLOAD_LABEL,
    Component,
    Condition,
    EventReason,
    FieldManager,
    WorkloadMode,
)
from autoscaler.api.root_owner import Owner, owners_of
from autoscaler.kube.condition import LONGEST_MESSAGE, condition
from autoscaler.kube.status_apply import StatusOwner
from autoscaler.workloads.adjusting.adjusted import Adjusted
from autoscaler.workloads.generation.ensuring import Ensured
from autoscaler.workloads.generation.workload_conditions import Said, placement, readiness
from autoscaler.workloads.generation.workload_owners import MOST_OWNERS
from autoscaler.workloads.generation.workload_view import WorkloadView
from autoscaler.workloads.generation.workload_workers import counts_of, worker_statuses, workers_of
from autoscaler.workloads.placement.shortage import Shortage
from autoscaler.workloads.worker_pods.worker_pods_result import WorkerPodsResult

OWNER = StatusOwner(
    field_manager=FieldManager.CONTROLLER,
    fields=frozenset(
        {
            "phase",
            "observedGeneration",
            "workerCount",
            "readyWorkers",
            "replicas",
            "readyReplicas",
            "workerStatuses",
            "selector",
            "podTemplateHash",
            "owners",
            "effective",
            "applied",
            "appliedRecommendedReplicas",
        }
    ),
    conditions=frozenset(
        {
            Condition.READY,
            Condition.PLACED,
            Condition.DESIRED_APPLIED,
            Condition.OWNER_CONFLICT,
            Condition.SCALE_TO_ZERO,
        }
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkloadState:
    """All that the status of a workload is made from."""

    view: WorkloadView
    ensured: Ensured
    adjusted: Adjusted
    worker_pods: WorkerPodsResult | None
    """None where the workload has no worker pods of its own."""
    shortage_of: Callable[[str], Shortage | None]
    """Of a worker, by its UID."""


def status_of(state: WorkloadState, *, now_s: float) -> dict[str, Any]:
    """Return the controller's whole part of the status of a workload."""
    workload, workers = state.ensured.workload, workers_of(state.view.pods)
    counts = counts_of(workers)
    made = state.worker_pods
    phase, ready = readiness(counts, _wanted(state), made.problem if made else None)
    said = dict(_conditions(state, ready, placement(workers, state.shortage_of)))
    status: dict[str, Any] = {
        "phase": phase,
        "observedGeneration": workload["metadata"].get("generation"),
        "workerCount": counts.live,
        "readyWorkers": counts.ready,
        "replicas": counts.live,
        "readyReplicas": counts.ready,
        "workerStatuses": worker_statuses(workers),
        "selector": selector_of(workload["metadata"]["name"]),
        "podTemplateHash": made.template_hash if made else "",
        "owners": _owners(state),
        "effective": dict(state.ensured.effective),
        "applied": state.adjusted.applied,
        "appliedRecommendedReplicas": state.adjusted.replicas_with_all,
    }
    conditions = [
        condition(
            workload,
            kind,
            is_true=each.is_true,
            reason=str(each.reason),
            message=each.message[:LONGEST_MESSAGE],
            now_s=now_s,
        )
        for kind, each in said.items()
    ]
    present = {key: value for key, value in status.items() if value not in (None, "", [], {})}
    return {**present, "conditions": conditions}


def selector_of(name: str) -> str:
    """Return the label selector of the workers of a workload."""
    return f"{COMPONENT}={Component.WORKER},{WORKLOAD_LABEL}={name}"


def _wanted(state: WorkloadState) -> int:
    """Return how many workers there are to be."""
    if state.view.mode in (WorkloadMode.STANDALONE, WorkloadMode.REMOTE):
        if state.worker_pods is not None:
            return state.worker_pods.wanted
        return int((state.ensured.workload.get("spec") or {}).get("replicas") or 0)
    return state.view.owned_replicas


def _conditions(
    state: WorkloadState, ready: Said, placed: Said | None
) -> Iterator[tuple[Condition, Said]]:
    ensured = state.ensured
    text = f"; the spec stays as it is: {ensured.problem}" if ensured.problem else ""
    text += f"; not all settings are used: {ensured.left_out}" if ensured.left_out else ""
    yield Condition.READY, ready._replace(message=ready.message + text)
    if placed is not None:
        yield Condition.PLACED, placed
    applied = state.adjusted.state
    if applied is not None:
        said = Said(is_true=applied.is_true, reason=applied.reason, message=applied.message)
        yield Condition.DESIRED_APPLIED, said
    if state.view.owners.conflict:
        text = state.view.owners.conflict
        said = Said(is_true=True, reason=EventReason.OWNER_CONFLICT, message=text)
        yield Condition.OWNER_CONFLICT, said
    config = (state.ensured.workload.get("spec") or {}).get("autoScalingConfig") or {}
    if config.get("scaleToZero"):
        text = "autoScalingConfig.scaleToZero is kept and not acted on yet"
        said = Said(is_true=True, reason=WorkloadReason.NOT_ACTED_ON, message=text)
        yield Condition.SCALE_TO_ZERO, said


def _owners(state: WorkloadState) -> list[dict[str, str]]:
    """Return the owners, the first one first; who is here by chance is none of them."""
    owners = state.view.owners
    references = () if state.view.is_users else owners.references
    found: dict[str, Owner] = {
        each.uid: each for each in owners_of({"metadata": {"ownerReferences": references}})
    }
    for group in owners.of_pods:
        if state.view.is_users or not group.shapes:
            found.setdefault(group.owner.uid, group.owner)
    return [
        {"apiVersion": each.api_version, "kind": each.kind, "name": each.name, "uid": each.uid}
        for each in list(found.values())[:MOST_OWNERS]
    ]
