"""The workers of a workload as its status counts and lists them.  Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from autoscaler.api.names import Component
from autoscaler.kube.store import Object
from autoscaler.workloads.connections.worker_address import worker_port
from autoscaler.workloads.nodes.node_fit import HOSTNAME
from autoscaler.workloads.pod_state import (
    component_of,
    has_ended,
    is_live,
    is_made_by_controller,
    is_ready,
)

MOST_LISTED = 200
_FAILED, _SUCCEEDED = "Failed", "Succeeded"
_LISTED = ("Pending", "Running", _FAILED)
"""Phases that an entry may have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerCounts:
    """How many workers there are."""

    live: int
    """Those that have neither ended nor are about to go."""
    ready: int
    """Of those."""
    failed: int
    succeeded: int


def workers_of(pods: Sequence[Object]) -> tuple[Object, ...]:
    """Return the workers among the pods of a workload, by name."""
    workers = (pod for pod in pods if component_of(pod) is Component.WORKER)
    return tuple(sorted(workers, key=lambda pod: str(pod["metadata"]["name"])))


def counts_of(workers: Sequence[Object]) -> WorkerCounts:
    """Count workers."""
    live = [pod for pod in workers if is_live(pod)]
    return WorkerCounts(
        live=len(live),
        ready=sum(map(is_ready, live)),
        failed=sum(_phase(pod) == _FAILED for pod in workers),
        succeeded=sum(_phase(pod) == _SUCCEEDED for pod in workers),
    )


def worker_statuses(workers: Sequence[Object]) -> list[dict[str, Any]]:
    """Return an entry for each worker that has not ended well, as many as are listed.

    Versions of pods are left out: with them the status would change with every heartbeat of a pod.
    """
    listed = [pod for pod in workers if _phase(pod) != _SUCCEEDED]
    return [_entry(pod) for pod in listed[:MOST_LISTED]]


def _entry(pod: Object) -> dict[str, Any]:
    spec, status = pod.get("spec") or {}, pod.get("status") or {}
    entry: dict[str, Any] = {"workerName": pod["metadata"]["name"]}
    if _phase(pod) in _LISTED:
        entry["workerPhase"] = _phase(pod)
    node = spec.get("nodeName") or (spec.get("nodeSelector") or {}).get(HOSTNAME)
    if node:
        entry["nodeSelector"] = {HOSTNAME: node}
    if is_made_by_controller(pod) and not has_ended(pod):
        if status.get("podIP"):
            entry["workerIp"] = status["podIP"]
        port = worker_port(pod)
        if port is not None:
            entry["workerPort"] = port
    return entry


def _phase(pod: Object) -> str:
    return str((pod.get("status") or {}).get("phase") or "")
