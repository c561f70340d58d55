"""Workloads of a live cluster as their users write them, and what workers have in force."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from autoscaler.api.names import API_VERSION
from recommender.quantities import parse_quantity
from tests.cluster.spaces import annotation, owning
from tests.cluster.webhook_process import enabled_pod
from tests.cluster.worker_program import working

GIB = 2.0**30
KEYS = ("tflops-request", "tflops-limit", "vram-request", "vram-limit")
AMOUNTS = {
    "tflops_request": "40",
    "tflops_limit": "80",
    "vram_request": "8Gi",
    "vram_limit": "8Gi",
}
FITTING_TFLOPS = 0.7 * 80.0
"""Demand of one worker that auto-replicas aims at."""
LIMITS = {"auto_limits": "true"}
REQUESTS = {"auto_requests": "true"}
REPLICAS = {"auto_replicas": "true"}
OFTEN = {"enable": True, "evaluationPeriod": "10s"}
GROWING = {"enable": True, "evaluationPeriod": "10s", "maxReplicas": 6}
SCALED = {**GROWING, "scaleDownCoolDownTime": "6s", "scaleDownStep": 0.2}
STEADIER = {**SCALED, "scaleDownCoolDownTime": "30s"}
PROFILES: Mapping[str, Mapping[str, Any]] = {
    "growing": {"autoSetReplicas": GROWING},
    "scaled": {"autoSetReplicas": SCALED},
    "steadier": {"autoSetReplicas": STEADIER},
    "sized": {"autoSetRequests": OFTEN, "autoSetLimits": OFTEN},
    "foreseen": {"autoSetLimits": {**OFTEN, "prediction": {"enable": True}}},
    "initial": {"mode": "initial", "autoSetRequests": OFTEN, "autoSetLimits": OFTEN},
}
"""Seconds for what is minutes elsewhere."""
Amounts = tuple[float, float, float, float]
"""TFLOPS requested and at most, VRAM in GiB requested and at most."""


def profile(name: str) -> dict[str, Any]:
    """Return one of the profiles."""
    return {
        "apiVersion": API_VERSION,
        "kind": "WorkloadProfile",
        "metadata": {"name": name},
        "spec": {"autoScalingConfig": PROFILES[name]},
    }


def owner_of_workers(
    name: str, *, pool: str, kind: str = "Deployment", replicas: int = 1, **annotations: str
) -> dict[str, Any]:
    """Return an owner of workers; annotations are given without prefix, ``_`` for ``-``."""
    pod = working(enabled_pod(name, **{"gpupool": pool, **AMOUNTS, **annotations}))
    pod["spec"]["terminationGracePeriodSeconds"] = 1
    owner = owning(kind, name, pod)
    if kind != "DaemonSet":
        owner["spec"]["replicas"] = replicas
    return owner


def amounts_of(pod: Mapping[str, Any]) -> Amounts:
    """Return what a worker has in force."""
    numbers = [float(parse_quantity(annotation(pod, key) or "0")) for key in KEYS]
    return (numbers[0], numbers[1], numbers[2] / GIB, numbers[3] / GIB)
