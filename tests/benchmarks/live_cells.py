"""A node with the workers of some workloads, made so that stored copies of it are easily had.

Every name of what belongs to the node holds ``CELL``, so that a copy is the stored text with
another number there, and other UIDs of the same length.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from autoscaler.api.names import API_VERSION, ENABLED, MANAGED_BY, PREFIX
from tests.benchmarks.gpu_cells import HOSTNAME, MODEL, NAMESPACE, OF_POOL, POOL, TFLOPS, VRAM

CELL = "cell00000"
GPUS_OF_A_CELL, WORKLOADS_OF_A_CELL, WORKERS_OF_A_WORKLOAD = 8, 10, 4
WORKERS_OF_A_CELL = WORKLOADS_OF_A_CELL * WORKERS_OF_A_WORKLOAD
REQUEST_TFLOPS, LIMIT_TFLOPS = 10.0, 20.0
STATED = {
    "tflops-request": f"{REQUEST_TFLOPS:g}",
    "tflops-limit": f"{LIMIT_TFLOPS:g}",
    "vram-request": "8Gi",
    "vram-limit": "8Gi",
    "auto-requests": "true",
    "auto-limits": "true",
    "gpupool": POOL,
}
PEAK_TFLOPS = float(TFLOPS)
REQUESTS = {"cpu": "100m", "memory": "256Mi"}
_UID = re.compile(rb"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(frozen=True, slots=True)
class Placed:
    """A worker of the filled cluster, as its agent would label it."""

    workload: str
    name: str
    node: str
    uuid: str


def cell_name(number: int) -> str:
    """Return what stands in the names of a copy; the original is number 0."""
    return f"{CELL[:-5]}{number:05}"


def workload_name(number: int, cell: str = CELL) -> str:
    """Return the name of a StatefulSet, and so of its workload."""
    return f"{cell}-service-{number}"


def gpu_uuid(number: int) -> str:
    """Return the UUID of a GPU of the original."""
    return f"GPU-{CELL}-4000-8000-{number:012}"


def gpus(node_uid: str) -> Iterator[dict[str, Any]]:
    """Yield the GPUs of the node, with the status that its agent writes."""
    owner = {"apiVersion": "v1", "kind": "Node", "name": CELL, "uid": node_uid}
    for number in range(GPUS_OF_A_CELL):
        uuid = gpu_uuid(number)
        yield {
            "apiVersion": API_VERSION,
            "kind": "GPU",
            "metadata": {
                "name": uuid.lower(),
                "labels": {MANAGED_BY: CELL},
                "ownerReferences": [owner],
            },
            "status": {
                "phase": "Running",
                "vendor": "NVIDIA",
                "gpuModel": MODEL,
                "model": "A100",
                "uuid": uuid,
                "index": number,
                "nodeSelector": {HOSTNAME: CELL},
                "capacity": {"tflops": TFLOPS, "vram": VRAM},
            },
        }


def node() -> dict[str, Any]:
    """Return a node that is ready, with room for its workers."""
    amounts = {"cpu": "64", "memory": "512Gi", "pods": "250"}
    ready = {"type": "Ready", "status": "True", "reason": "KubeletReady", "message": "ready"}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": CELL, "labels": {HOSTNAME: CELL, **OF_POOL}},
        "status": {"capacity": amounts, "allocatable": amounts, "conditions": [ready]},
    }


def stateful_set(number: int) -> dict[str, Any]:
    """Return what owns the workers of a workload; its pods are made beside it."""
    name = workload_name(number)
    labels = {"app": name}
    template = {
        "metadata": {"labels": labels},
        "spec": {"containers": [{"name": "main", "image": "cuda"}]},
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {
            "replicas": WORKERS_OF_A_WORKLOAD,
            "serviceName": name,
            "selector": {"matchLabels": labels},
            "template": template,
        },
    }


def pods(number: int, owner_uid: str) -> Iterator[dict[str, Any]]:
    """Yield the pods of a StatefulSet as its controller makes them: not admitted yet."""
    name = workload_name(number)
    owner = {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "name": name,
        "uid": owner_uid,
        "controller": True,
        "blockOwnerDeletion": True,
    }
    container = {"name": "main", "image": "cuda", "resources": {"requests": REQUESTS}}
    for worker in range(WORKERS_OF_A_WORKLOAD):
        yield {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "name": f"{name}-{worker}",
                "namespace": NAMESPACE,
                "labels": {"app": name, ENABLED: "true"},
                "annotations": {f"{PREFIX}{key}": text for key, text in STATED.items()},
                "ownerReferences": [owner],
            },
            "spec": {"containers": [container]},
        }


def copied_worker(worker: Placed, number: int) -> Placed:
    """Return the same worker of a copy."""
    texts = (worker.workload, worker.name, worker.node, worker.uuid)
    return Placed(*(text.replace(CELL, cell_name(number)) for text in texts))


class Copying:
    """Copies stored text of the original, given all UIDs in it."""

    def __init__(self, uids: Iterable[str]) -> None:
        self._uids = frozenset(uid.encode() for uid in uids)

    def copied(self, stored: bytes, number: int) -> bytes:
        """Return the text of a copy, as long as the original."""

        def renamed(match: re.Match[bytes]) -> bytes:
            uid = match[0]
            return uid[:-5] + f"{number:05}".encode() if uid in self._uids else uid

        named = stored.replace(CELL.encode(), cell_name(number).encode())
        return _UID.sub(renamed, named)
