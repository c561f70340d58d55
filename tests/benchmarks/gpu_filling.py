"""A large cluster on a real API server whose controller has nothing left to do.

A webhook and a controller look after one node with GPUs; what they made of it is copied in etcd,
beside the API server, through which it would take half an hour.
"""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from typing import Any, Protocol

from autoscaler.api.names import CONTROL_CONFIG_MAP, GPU_IDS, FieldManager
from autoscaler.api.names import NAMESPACE as INSTALLATION
from autoscaler.errors import ApiUnavailableError
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
    Resource,
)
from tests.benchmarks import gpu_cells
from tests.benchmarks.filling import PUTS, coded, etcd
from tests.benchmarks.gpu_cells import (
    DECIDED,
    GPUS_OF_A_NODE,
    NAMESPACE,
    WORKERS_OF_A_NODE,
    Copying,
)
from tests.cluster.control_plane import ControlPlane
from tests.cluster.controller_process import ControllerProcess
from tests.components.processes import until

PREFIXES = {
    NODES: "/registry/minions/",
    GPUS: f"/registry/{GPUS.group}/{GPUS.plural}/",
    STATEFUL_SETS: f"/registry/{STATEFUL_SETS.plural}/{NAMESPACE}/",
    PODS: f"/registry/{PODS.plural}/{NAMESPACE}/",
    WORKLOADS: f"/registry/{WORKLOADS.group}/{WORKLOADS.plural}/{NAMESPACE}/",
}
DEADLINE_S = 120.0
GATHERING_S = 0.6
"""For longer than the controller gathers changes."""
WAITING = ("queue_backlog", "queue_in_hand", "events_waiting")
"""Numbers of a controller that are 0 where nothing is to be done."""


def add_node(plane: ControlPlane) -> None:
    """Add the pool with one node, its GPUs and its pods, and let decisions reach workers."""
    with closing(administrator(plane)) as api:
        mode = {"data": {"mode": "apply"}}
        api.merge_patch(CONFIG_MAPS, CONTROL_CONFIG_MAP, mode, INSTALLATION)
        api.create(NAMESPACES, {"metadata": {"name": NAMESPACE}})
        api.create(POOLS, gpu_cells.pool())
        uid = with_status(api, NODES, gpu_cells.node(0))
        # Admission taints every new node as not ready.
        api.merge_patch(NODES, gpu_cells.node_name(0), {"spec": {"taints": None}})
        for number in range(GPUS_OF_A_NODE):
            gpu = gpu_cells.gpu(number, uid)
            api.create(GPUS, {key: part for key, part in gpu.items() if key != "status"})
            apply_status(api, GPUS, gpu, FieldManager.AGENT)
        for number in range(WORKERS_OF_A_NODE):
            add_worker(api, number)


def add_worker(api: ApiServer, number: int) -> None:
    """Add a StatefulSet with its pod."""
    owner = api.create(STATEFUL_SETS, gpu_cells.stateful_set(number))
    api.create(PODS, gpu_cells.pod(number, owner["metadata"]["uid"]))


def settle(plane: ControlPlane, controller: ControllerProcess) -> None:
    """Let the pods of the first node run, something be decided, and all of it be done."""
    with closing(administrator(plane)) as api:
        until(lambda: _all_placed(api), what="all pods are placed", deadline_s=DEADLINE_S)
        for pod in _pods(api):
            run_pod(api, pod["metadata"]["name"], gpu_cells.node_name(0))
        until(
            lambda: len(_workloads(api)) == WORKERS_OF_A_NODE,
            what="all workloads are there",
            deadline_s=DEADLINE_S,
        )
        for workload in _workloads(api):
            apply_status(
                api,
                WORKLOADS,
                {**workload, "status": {"desiredResources": DECIDED}},
                FieldManager.AUTOSCALER,
            )
        until(
            lambda: all(map(_is_settled, _workloads(api))),
            what="what was decided is applied",
            deadline_s=DEADLINE_S,
        )
    wait_until_idle(controller)


class CopiesStored(Protocol):
    """Makes stored bytes of a copy from those of the original."""

    def copied(self, stored: bytes, number: int) -> bytes:
        """Return the bytes of the copy of a number."""
        ...


def copy_nodes(
    plane: ControlPlane,
    nodes: int,
    *,
    copying_of: Callable[[Iterable[str]], CopiesStored] = Copying,
) -> None:
    """Copy the first node and all that belongs to it, so that there are so many.

    ``copying_of`` says how a copy is made, given all UIDs of the original.
    """
    stored = {resource: list(_stored(plane, prefix)) for resource, prefix in PREFIXES.items()}
    with closing(administrator(plane)) as api:
        made = (obj for resource in PREFIXES for obj in listed(api, resource))
        copying = copying_of(obj["metadata"]["uid"] for obj in made)
        puts: list[dict[str, object]] = []
        for number in range(1, nodes):
            for pairs in stored.values():
                for pair in pairs:
                    parts = (copying.copied(part, number) for part in pair)
                    key, value = map(coded, parts)
                    puts.append({"requestPut": {"key": key, "value": value}})
                    if len(puts) == PUTS:
                        etcd(plane, "txn", {"success": puts})
                        puts.clear()
        if puts:
            etcd(plane, "txn", {"success": puts})
        until(
            lambda: all(
                _count(api, resource) == nodes * len(pairs) for resource, pairs in stored.items()
            ),
            what="the API server has seen all copies",
            deadline_s=DEADLINE_S,
        )


def decide_at_once(plane: ControlPlane, workloads: int, decided: dict[str, Any]) -> None:
    """Let the same be decided for the first workloads, all within one moment."""
    pairs = _stored(plane, PREFIXES[WORKLOADS], most=workloads)
    puts = []
    for key, value in pairs:
        workload = json.loads(value)
        workload["status"]["desiredResources"] = decided
        stored = coded(json.dumps(workload).encode())
        puts.append({"requestPut": {"key": coded(key), "value": stored}})
    for start in range(0, len(puts), PUTS):
        etcd(plane, "txn", {"success": puts[start : start + PUTS]})


def wait_until_idle(controller: ControllerProcess) -> None:
    """Wait until nothing is looked at, nor to be looked at soon, and all events are written.

    Its numbers cost the controller some milliseconds each time, so they are asked for rarely.
    """

    def is_idle() -> bool:
        done = controller.metric("controller_reconciles_total")
        time.sleep(GATHERING_S)
        return (
            done > 0
            and controller.metric("controller_reconciles_total") == done
            and not any(map(controller.metric, WAITING))
        )

    until(is_idle, what="the controller has nothing to do", deadline_s=DEADLINE_S)


def administrator(plane: ControlPlane) -> ApiServer:
    """Return the API server of who may do everything."""
    return ApiServer.from_environment(kubeconfig=plane.admin_kubeconfig, user_agent="benchmark")


def with_status(api: ApiServer, resource: Resource, obj: dict[str, Any]) -> str:
    """Create an object and then its status; return its UID."""
    created = api.create(resource, {key: part for key, part in obj.items() if key != "status"})
    status = {"status": obj["status"]}
    api.merge_patch(resource, obj["metadata"]["name"], status, subresource="status")
    return str(created["metadata"]["uid"])


def apply_status(api: ApiServer, resource: Resource, obj: dict[str, Any], manager: str) -> None:
    identity = {
        key: obj["metadata"][key] for key in ("name", "namespace") if key in obj["metadata"]
    }
    body = {
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "metadata": identity,
        "status": obj["status"],
    }
    api.apply(resource, body, field_manager=manager, subresource="status")


def run_pod(api: ApiServer, name: str, node: str) -> None:
    """Do what scheduler and kubelet do of a pod."""
    target = {"apiVersion": "v1", "kind": "Node", "name": node}
    binding = {
        "apiVersion": "v1",
        "kind": "Binding",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "target": target,
    }
    api.request("POST", f"{PODS.path(NAMESPACE, name)}/binding", body=binding)
    ready = {"type": "Ready", "status": "True"}
    status = {"status": {"phase": "Running", "conditions": [ready]}}
    api.merge_patch(PODS, name, status, NAMESPACE, subresource="status")


def _pods(api: ApiServer) -> list[dict[str, Any]]:
    return listed(api, PODS, NAMESPACE)


def _workloads(api: ApiServer) -> list[dict[str, Any]]:
    return listed(api, WORKLOADS, NAMESPACE)


def listed(
    api: ApiServer, resource: Resource, namespace: str | None = None
) -> list[dict[str, Any]]:
    return [obj for objects, _ in api.pages(resource, namespace=namespace) for obj in objects]


def _all_placed(api: ApiServer) -> bool:
    return all(GPU_IDS in (pod["metadata"].get("annotations") or {}) for pod in _pods(api))


def _is_settled(workload: dict[str, Any]) -> bool:
    status = workload.get("status") or {}
    is_applied = (status.get("applied") or {}).get("sequence") == DECIDED["sequence"]
    return is_applied and status.get("readyWorkers") == 1


def _count(api: ApiServer, resource: Resource) -> int:
    """Return how many there are; -1 while the API server is behind its etcd."""
    namespace = NAMESPACE if resource.is_namespaced else None
    try:
        return sum(
            len(objects)
            for objects, _ in api.pages(resource, namespace=namespace, is_metadata_only=True)
        )
    except ApiUnavailableError:
        return -1


def _stored(plane: ControlPlane, prefix: str, *, most: int = 0) -> Iterator[tuple[bytes, bytes]]:
    """Yield keys and values in etcd that begin with a prefix; ``most`` of 0: all of them."""
    end = f"{prefix[:-1]}{chr(ord(prefix[-1]) + 1)}"
    question = {"key": coded(prefix.encode()), "range_end": coded(end.encode()), "limit": most}
    for pair in etcd(plane, "range", question)["kvs"]:
        yield base64.b64decode(pair["key"]), base64.b64decode(pair["value"])
