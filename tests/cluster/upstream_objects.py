"""What an upstream operator's cluster of one worker consists of, made by the administrator."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from autoscaler.api.names import COMPONENT, CONTROL_CONFIG_MAP, NAMESPACE, PREFIX, WORKLOAD_LABEL
from autoscaler.kube.resource import CONFIG_MAPS, GPUS, PODS, SECRETS, WORKLOADS
from tests.cluster.control_plane import ControlPlane
from tests.cluster.rest import MERGE_PATCH, Rest
from tests.cluster.upstream_definitions import install_upstream_definitions

TEAM = "team"
NAME, WORKER = "chat", "chat-0"
CHAT = f"{TEAM}/{NAME}"
TOKEN = "a-token-of-the-test"
BEGIN = "2026-01-01T00:00:00Z"
A100 = "NVIDIA A100-SXM4-80GB"
STATED = {"requests": {"tflops": "40", "vram": "10Gi"}, "limits": {"tflops": "80", "vram": "16Gi"}}
IN_FORCE = {
    "gpu-ids": "gpu-1",
    "tflops-request": "40",
    "tflops-limit": "80",
    "vram-request": "10Gi",
    "vram-limit": "16Gi",
}


def make_namespaces(rest: Rest) -> None:
    """Make the namespace of the worker and our own, with the mode ``apply``."""
    for name in (TEAM, NAMESPACE):
        rest.request("POST", "/api/v1/namespaces", {"metadata": {"name": name}})
    switch(rest, "POST", mode="apply")


def switch(rest: Rest, method: str, **data: str) -> None:
    """Set the switches of our installation."""
    path = CONFIG_MAPS.path(
        namespace=NAMESPACE, name=CONTROL_CONFIG_MAP if method == "PUT" else None
    )
    rest.request(method, path, {"metadata": {"name": CONTROL_CONFIG_MAP}, "data": data})


def make_workload(plane: ControlPlane, rest: Rest, *, url: str) -> None:
    """Make the operator's kinds, a workload that has ``url`` asked, its GPU and the key."""
    install_upstream_definitions(plane)
    config = {
        "autoSetResources": {"enable": True, "targetResource": "all"},
        "autoSetLimits": {"enable": True},
        "externalScaler": {
            "enable": True,
            "url": url,
            "apiKeySecretRef": {"name": "autoscaler", "namespace": NAMESPACE},
        },
    }
    spec = {"replicas": 1, "resources": STATED, "autoScalingConfig": config}
    rest.request("POST", WORKLOADS.path(namespace=TEAM), _made(WORKLOADS, NAME, spec=spec))
    rest.request("POST", GPUS.path(), _made(GPUS, "gpu-1"))
    status = {
        "phase": "Running",
        "gpuModel": A100,
        "capacity": {"tflops": "312", "vram": "80Gi"},
        "available": {"tflops": "272", "vram": "70Gi"},
    }
    _set_status(rest, GPUS.path(name="gpu-1"), status)
    secret = {"metadata": {"name": "autoscaler"}, "stringData": {"apiKey": TOKEN}}
    rest.request("POST", SECRETS.path(namespace=NAMESPACE), secret)


def make_worker(rest: Rest, **annotations: str) -> None:
    """Make a worker that has been ready for long; ``annotations`` are further ones."""
    pod = {
        "metadata": {
            "name": WORKER,
            "labels": {COMPONENT: "worker", WORKLOAD_LABEL: NAME},
            "annotations": {PREFIX + key: text for key, text in (IN_FORCE | annotations).items()},
        },
        "spec": {"containers": [{"name": "main", "image": "none.invalid/none"}]},
    }
    rest.request("POST", PODS.path(namespace=TEAM), pod)
    ready = {"type": "Ready", "status": "True", "lastTransitionTime": BEGIN}
    status = {"phase": "Running", "startTime": BEGIN, "conditions": [ready]}
    _set_status(rest, PODS.path(namespace=TEAM, name=WORKER), status)


def in_force(rest: Rest, key: str) -> str:
    """Return what the worker has in force."""
    pod = rest.get(PODS.path(namespace=TEAM, name=WORKER))
    return str(pod["metadata"]["annotations"][PREFIX + key])


def _made(resource: Any, name: str, **more: Any) -> dict[str, Any]:
    kind = {"apiVersion": resource.api_version, "kind": resource.kind}
    return {**kind, "metadata": {"name": name}, **more}


def _set_status(rest: Rest, path: str, status: Mapping[str, Any]) -> None:
    rest.request("PATCH", f"{path}/status", {"status": status}, content_type=MERGE_PATCH)
