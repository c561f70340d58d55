"""GPUs of nodes, as the agent of each node would make them: objects without any device behind."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from typing import Any

from autoscaler.api.names import API_VERSION, MANAGED_BY, FieldManager
from autoscaler.kube.resource import GPUS, NODES
from tests.cluster.control_plane import ControlPlane
from tests.cluster.nodes import HOSTNAME
from tests.cluster.rest import Rest, suppress_absence

APPLY_PATCH = "application/apply-patch+yaml"
A100 = "NVIDIA A100-SXM4-80GB"


def uuid_of(node: str, index: int) -> str:
    """Return the UUID of a GPU, as its driver would spell it."""
    digits = sha256(f"{node}/{index}".encode()).hexdigest()
    parts = digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:32]
    return f"GPU-{'-'.join(parts)}"


def gpu_name(node: str, index: int) -> str:
    """Return the name of the object of a GPU."""
    return uuid_of(node, index).lower()


def add_gpus(
    plane: ControlPlane,
    node: str,
    count: int = 1,
    *,
    gpu_model: str = A100,
    model: str = "A100",
    tflops: str = "312",
    vram: str = "80Gi",
    phase: str = "Running",
) -> tuple[str, ...]:
    """Add the GPUs of a node and return the names of their objects.  Raises ``RestError``."""
    rest = Rest(plane)
    owner = rest.get(NODES.path(name=node))
    for index in range(count):
        status = gpu_status(
            node,
            index,
            gpuModel=gpu_model,
            model=model,
            capacity={"tflops": tflops, "vram": vram},
            phase=phase,
        )
        rest.request("POST", GPUS.path(), _gpu(owner, index))
        set_gpu_status(plane, gpu_name(node, index), status)
    return tuple(gpu_name(node, index) for index in range(count))


def gpu_status(node: str, index: int = 0, **facts: Any) -> dict[str, Any]:
    """Return the agent's whole part of the status of a GPU, an A100 unless ``facts`` say else."""
    return {
        "phase": "Running",
        "vendor": "NVIDIA",
        "gpuModel": A100,
        "model": "A100",
        "uuid": uuid_of(node, index),
        "index": index,
        "nodeSelector": {HOSTNAME: node},
        "capacity": {"tflops": "312", "vram": "80Gi"},
        **facts,
    }


def set_gpu_status(plane: ControlPlane, name: str, status: dict[str, Any]) -> None:
    """Write the agent's whole part of the status of a GPU.  Raises ``RestError``."""
    body = {"apiVersion": API_VERSION, "kind": "GPU", "metadata": {"name": name}, "status": status}
    path = f"{GPUS.path(name=name)}/status?fieldManager={FieldManager.AGENT}&force=true"
    Rest(plane).request("PATCH", path, body, content_type=APPLY_PATCH)


def remove_gpus(plane: ControlPlane, names: tuple[str, ...]) -> None:
    """Remove GPUs; those that are gone already are fine.  Raises ``RestError``."""
    rest = Rest(plane)
    for name in names:
        with suppress_absence():
            rest.request("DELETE", GPUS.path(name=name))


@contextmanager
def temporary_gpus(
    plane: ControlPlane, node: str, count: int = 1, **facts: str
) -> Iterator[tuple[str, ...]]:
    """Have GPUs on a node within a block; see ``add_gpus``."""
    names = add_gpus(plane, node, count, **facts)
    try:
        yield names
    finally:
        remove_gpus(plane, names)


def _gpu(node: dict[str, Any], index: int) -> dict[str, Any]:
    name = node["metadata"]["name"]
    owner = {"apiVersion": "v1", "kind": "Node", "name": name, "uid": node["metadata"]["uid"]}
    return {
        "apiVersion": API_VERSION,
        "kind": "GPU",
        "metadata": {
            "name": gpu_name(name, index),
            "labels": {MANAGED_BY: name},
            "ownerReferences": [owner],
        },
    }
