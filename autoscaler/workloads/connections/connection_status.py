"""What the status of a connection says of the worker that serves a client.  Pure."""

from __future__ import annotations

from typing import Any

from autoscaler.api.condition_reasons import ConnectionReason
from autoscaler.api.names import Condition, FieldManager
from autoscaler.kube.condition import condition
from autoscaler.kube.status_apply import StatusOwner
from autoscaler.kube.store import Object
from autoscaler.workloads.connections.worker_address import connection_url, worker_port
from autoscaler.workloads.pod_state import is_serving

STATUS_OWNER = StatusOwner(
    field_manager=FieldManager.CONTROLLER,
    fields=frozenset({"phase", "observedGeneration", "workerName", "connectionURL"}),
    conditions=frozenset({Condition.READY}),
)
RUNNING = "Running"


def connection_status(connection: Object, worker: Object | None, *, now_s: float) -> dict[str, Any]:
    """Return the controller's part of the status; ``worker`` is None where none serves yet."""
    phase, reason, message = _verdict(connection, worker)
    metadata = connection["metadata"]
    status: dict[str, Any] = {
        "phase": phase,
        "observedGeneration": metadata.get("generation", 0),
        "conditions": [
            condition(
                connection,
                Condition.READY,
                is_true=phase == RUNNING,
                reason=reason,
                message=message,
                now_s=now_s,
            )
        ],
    }
    if worker is not None:
        status["workerName"] = worker["metadata"]["name"]
        if phase == RUNNING:
            status["connectionURL"] = connection_url(worker)
    return status


def _verdict(connection: Object, worker: Object | None) -> tuple[str, str, str]:
    """Return phase, reason and message."""
    workload = (connection.get("spec") or {}).get("workloadName")
    if worker is None:
        return (
            "Pending",
            ConnectionReason.WAITING_FOR_WORKER,
            f"no worker of workload {workload} is free and ready",
        )
    name = worker["metadata"]["name"]
    if worker_port(worker) is None:
        message = (
            f"worker {name} declares no port; set spec.containers[].ports[].containerPort in the "
            "podTemplate of componentConfig.worker of its pool"
        )
        return "Failed", ConnectionReason.NO_PORT, message
    if not is_serving(worker) or connection_url(worker) is None:
        return "Pending", ConnectionReason.WORKER_NOT_READY, f"worker {name} is not ready yet"
    return RUNNING, ConnectionReason.WORKER_READY, f"worker {name} serves"
