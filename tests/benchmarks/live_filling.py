"""A large cluster of running workers on a real API server, for the whole loop.

A webhook and a controller look after one node; what they made of it is copied in etcd, beside the
API server, through which it would take an hour.
"""

from __future__ import annotations

from contextlib import closing
from typing import Any

from autoscaler.api.names import CONTROL_CONFIG_MAP, GPU_IDS, WORKLOAD_LABEL, FieldManager
from autoscaler.api.names import NAMESPACE as INSTALLATION
from autoscaler.kube.api_server import ApiServer
from autoscaler.kube.resource import (
    CONFIG_MAPS,
    GPUS,
    NAMESPACES,
    NODES,
    PODS,
    POOLS,
    STATEFUL_SETS,
    WORKLOADS,
)
from tests.benchmarks import gpu_cells, live_cells
from tests.benchmarks.gpu_cells import NAMESPACE
from tests.benchmarks.gpu_filling import (
    administrator,
    apply_status,
    copy_nodes,
    listed,
    run_pod,
    wait_until_idle,
    with_status,
)
from tests.benchmarks.live_cells import (
    CELL,
    WORKERS_OF_A_CELL,
    WORKERS_OF_A_WORKLOAD,
    WORKLOADS_OF_A_CELL,
    Copying,
    Placed,
    copied_worker,
)
from tests.cluster.control_plane import ControlPlane
from tests.cluster.controller_process import ControllerProcess
from tests.components.processes import until

DEADLINE_S = 120.0
LONG_AGO = "2026-01-01T00:00:00Z"
"""When all workers have started."""
RUNNING: dict[str, Any] = {
    "startTime": LONG_AGO,
    "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": LONG_AGO}],
}


def fill_cluster(plane: ControlPlane, controller: ControllerProcess, cells: int) -> list[Placed]:
    """Fill a cluster with workers that run, and return them; the controller has ended then."""
    with closing(administrator(plane)) as api:
        _add_cell(api)
        _settle(api)
        wait_until_idle(controller)
        workers = [_placed(pod) for pod in listed(api, PODS, NAMESPACE)]
    controller.process.stop()
    copy_nodes(plane, cells, copying_of=Copying)
    return [copied_worker(worker, number) for number in range(cells) for worker in workers]


def _add_cell(api: ApiServer) -> None:
    """Add the pool with one node, its GPUs and its pods, and let decisions reach workers."""
    api.merge_patch(CONFIG_MAPS, CONTROL_CONFIG_MAP, {"data": {"mode": "apply"}}, INSTALLATION)
    api.create(NAMESPACES, {"metadata": {"name": NAMESPACE}})
    api.create(POOLS, gpu_cells.pool())
    uid = with_status(api, NODES, live_cells.node())
    # Admission taints every new node as not ready.
    api.merge_patch(NODES, CELL, {"spec": {"taints": None}})
    for gpu in live_cells.gpus(uid):
        api.create(GPUS, {key: part for key, part in gpu.items() if key != "status"})
        apply_status(api, GPUS, gpu, FieldManager.AGENT)
    for number in range(WORKLOADS_OF_A_CELL):
        owner = api.create(STATEFUL_SETS, live_cells.stateful_set(number))
        for pod in live_cells.pods(number, owner["metadata"]["uid"]):
            api.create(PODS, pod)


def _settle(api: ApiServer) -> None:
    """Let the pods run, and everybody know of it."""
    until(lambda: _placed_pods(api) == WORKERS_OF_A_CELL, what="all pods are placed",
          deadline_s=DEADLINE_S)  # fmt: skip
    for pod in listed(api, PODS, NAMESPACE):
        name = pod["metadata"]["name"]
        run_pod(api, name, CELL)
        api.merge_patch(PODS, name, {"status": RUNNING}, NAMESPACE, subresource="status")
    until(lambda: _ready_workloads(api) == WORKLOADS_OF_A_CELL, what="all workloads are ready",
          deadline_s=DEADLINE_S)  # fmt: skip


def _placed_pods(api: ApiServer) -> int:
    return sum(GPU_IDS in pod["metadata"]["annotations"] for pod in listed(api, PODS, NAMESPACE))


def _ready_workloads(api: ApiServer) -> int:
    shown = [workload.get("status") or {} for workload in listed(api, WORKLOADS, NAMESPACE)]
    return sum(status.get("readyWorkers") == WORKERS_OF_A_WORKLOAD for status in shown)


def _placed(pod: dict[str, Any]) -> Placed:
    metadata = pod["metadata"]
    return Placed(
        workload=metadata["labels"][WORKLOAD_LABEL],
        name=metadata["name"],
        node=pod["spec"]["nodeName"],
        uuid=metadata["annotations"][GPU_IDS],
    )
