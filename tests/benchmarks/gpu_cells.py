"""A node with GPUs and workers of as many workloads, and how stored copies of it are made.

A large cluster is a node that a controller has looked after until nothing was left to do, and
copies of all that belongs to it.  Names and UIDs of a copy are as long as those of the original, so
that stored bytes which tell their own length can be copied, too.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from autoscaler.api.names import API_VERSION, ENABLED, MANAGED_BY, PREFIX

NAMESPACE = "benchmark"
POOL = "benchmark-pool"
OF_POOL = {"example.test/pool": POOL}
HOSTNAME = "kubernetes.io/hostname"
GPUS_OF_A_NODE, WORKERS_OF_A_GPU = 8, 5
WORKERS_OF_A_NODE = GPUS_OF_A_NODE * WORKERS_OF_A_GPU
MODEL, TFLOPS, VRAM = "NVIDIA A100-SXM4-80GB", "312", "80Gi"
AMOUNTS = {
    "tflops-request": "10",
    "tflops-limit": "20",
    "vram-request": "8Gi",
    "vram-limit": "8Gi",
}
"""Of a worker: a GPU has room for ten."""
ENROLLED = {"auto-requests": "true", "auto-limits": "true"}
DECIDED = {
    "epoch": 1,
    "sequence": 1,
    "time": "2026-01-01T00:00:00Z",
    "requests": {"tflops": "12", "vram": "8Gi"},
    "limits": {"tflops": "24", "vram": "8Gi"},
}
REQUESTS = {"cpu": "100m", "memory": "256Mi"}
_GPU = "GPU-00000000-0000-4000-8000-0000000"
_UID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_NAMES = re.compile(rf"(node-|worker-|(?i:{_GPU}))([0-9]{{5}})|({_UID})".encode())
_OF_A_NODE = {b"node-": 1, b"worker-": WORKERS_OF_A_NODE, _GPU.lower().encode(): GPUS_OF_A_NODE}


def node_name(number: int) -> str:
    return f"node-{number:05}"


def gpu_uuid(number: int) -> str:
    return f"{_GPU}{number:05}"


def worker_name(number: int) -> str:
    """Return the name of a StatefulSet; ``pod_name`` is that of its pod."""
    return f"worker-{number:05}"


def pod_name(number: int) -> str:
    return f"{worker_name(number)}-0"


def pool() -> dict[str, Any]:
    """Return the pool of all nodes."""
    return _own("GPUPool", POOL, spec={"nodeSelector": OF_POOL})


def node(number: int) -> dict[str, Any]:
    """Return a node that is ready, with room for all workers that its GPUs have room for."""
    name = node_name(number)
    amounts = {"cpu": "64", "memory": "512Gi", "pods": "250"}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": {HOSTNAME: name, **OF_POOL}},
        "status": {
            "capacity": amounts,
            "allocatable": amounts,
            "conditions": [
                {"type": "Ready", "status": "True", "reason": "KubeletReady", "message": "ready"}
            ],
        },
    }


def gpu(number: int, node_uid: str) -> dict[str, Any]:
    """Return a GPU as the agent of its node writes it."""
    index, name = number % GPUS_OF_A_NODE, node_name(number // GPUS_OF_A_NODE)
    owner = {"apiVersion": "v1", "kind": "Node", "name": name, "uid": node_uid}
    metadata = {"labels": {MANAGED_BY: name}, "ownerReferences": [owner]}
    status = {
        "phase": "Running",
        "vendor": "NVIDIA",
        "gpuModel": MODEL,
        "model": "A100",
        "uuid": gpu_uuid(number),
        "index": index,
        "nodeSelector": {HOSTNAME: name},
        "capacity": {"tflops": TFLOPS, "vram": VRAM},
    }
    return _own("GPU", gpu_uuid(number).lower(), metadata, status=status)


def stateful_set(number: int) -> dict[str, Any]:
    """Return what owns one worker; nobody acts on it, as its pod is made beside it."""
    name = worker_name(number)
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
            "replicas": 1,
            "serviceName": name,
            "selector": {"matchLabels": labels},
            "template": template,
        },
    }


def pod(number: int, owner_uid: str) -> dict[str, Any]:
    """Return the pod of a StatefulSet as its controller makes it: not admitted yet."""
    name = worker_name(number)
    owner = {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "name": name,
        "uid": owner_uid,
        "controller": True,
        "blockOwnerDeletion": True,
    }
    stated = {**AMOUNTS, **ENROLLED, "gpupool": POOL}
    container = {"name": "main", "image": "cuda", "resources": {"requests": REQUESTS}}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": pod_name(number),
            "namespace": NAMESPACE,
            "labels": {"app": name, ENABLED: "true"},
            "annotations": {f"{PREFIX}{key}": text for key, text in stated.items()},
            "ownerReferences": [owner],
        },
        "spec": {"containers": [container]},
    }


class Copying:
    """Copies what belongs to the node of number 0, given all UIDs of it."""

    def __init__(self, uids: Iterable[str]) -> None:
        self._uids = frozenset(uid.encode() for uid in uids)

    def copied(self, stored: bytes, number: int) -> bytes:
        """Return stored bytes for the node of another number."""

        def renamed(found: re.Match[bytes]) -> bytes:
            prefix, own, uid = found.groups()
            if uid is None:
                moved = int(own) + number * _OF_A_NODE[prefix.lower()]
                return prefix + b"%05d" % moved
            return b"%05d" % number + uid[5:] if uid in self._uids else uid

        return _NAMES.sub(renamed, stored)


def _own(kind: str, name: str, metadata: Any = None, **fields: Any) -> dict[str, Any]:
    identity = {"name": name, **(metadata or {})}
    return {"apiVersion": API_VERSION, "kind": kind, "metadata": identity, **fields}
