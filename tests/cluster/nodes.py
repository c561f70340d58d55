"""Nodes without machines: the real scheduler binds pods to them, a ``FakeKubelet`` runs these."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from autoscaler.kube.resource import NODES
from tests.cluster.control_plane import ControlPlane
from tests.cluster.rest import MERGE_PATCH, STRATEGIC_PATCH, Rest, suppress_absence
from tests.components.processes import LOOPBACK

NATIVE_GPUS = "nvidia.com/gpu"
HOSTNAME = "kubernetes.io/hostname"
PODS_OF_A_NODE = 110


def add_node(
    control_plane: ControlPlane,
    name: str,
    *,
    gpus: int = 0,
    cpu: str = "8",
    memory: str = "32Gi",
    pods: int = PODS_OF_A_NODE,
    labels: Mapping[str, str] | None = None,
    capacity: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Add a node that is ready, and return it.

    ``gpus`` is how many a device plugin of the vendor advertises; ``capacity`` adds other
    resources.  Raises ``RestError``.
    """
    rest = Rest(control_plane)
    amounts = {"cpu": cpu, "memory": memory, "pods": str(pods), **(capacity or {})}
    if gpus:
        amounts[NATIVE_GPUS] = str(gpus)
    node = {
        "apiVersion": NODES.api_version,
        "kind": NODES.kind,
        "metadata": {"name": name, "labels": {HOSTNAME: name, **(labels or {})}},
    }
    status = {
        "capacity": amounts,
        "allocatable": amounts,
        "addresses": [{"type": "InternalIP", "address": LOOPBACK}],
        "conditions": [
            {"type": "Ready", "status": "True", "reason": "KubeletReady", "message": "ready"}
        ],
    }
    rest.request("POST", NODES.path(), node)
    # Admission taints every new node as not ready, and no node controller runs that takes it away.
    path = NODES.path(name=name)
    rest.request("PATCH", path, {"spec": {"taints": None}}, content_type=MERGE_PATCH)
    return rest.request("PATCH", f"{path}/status", {"status": status}, content_type=STRATEGIC_PATCH)


def remove_node(control_plane: ControlPlane, name: str) -> None:
    """Remove a node; pods that are bound to it stay.  Raises ``RestError``."""
    Rest(control_plane).request("DELETE", NODES.path(name=name))


@contextmanager
def temporary_node(
    control_plane: ControlPlane, name: str, **amounts: Any
) -> Iterator[dict[str, Any]]:
    """Have a node within a block; see ``add_node``."""
    node = add_node(control_plane, name, **amounts)
    try:
        yield node
    finally:
        with suppress_absence():
            remove_node(control_plane, name)
