"""What all pods of a pool hold of its GPUs, read from the API server itself."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from autoscaler.api.names import POOL_LABEL
from autoscaler.workloads.pod_state import has_ended
from recommender.quantities import parse_quantity
from tests.cluster.control_plane import ControlPlane
from tests.cluster.spaces import annotation


def pods_of_pool(plane: ControlPlane, pool: str) -> list[dict[str, Any]]:
    """Return the pods of a pool that have not ended."""
    words = ("get", "pods", "--all-namespaces", "-l", f"{POOL_LABEL}={pool}", "-o", "json")
    pods: list[dict[str, Any]] = plane.kubectl(*words).json["items"]
    return [pod for pod in pods if not has_ended(pod)]


def tflops_by_gpu(pods: Iterable[Mapping[str, Any]]) -> dict[str, Decimal]:
    """Return the TFLOPS that pods request of each GPU, by UUID."""
    held: defaultdict[str, Decimal] = defaultdict(Decimal)
    for pod in pods:
        tflops = parse_quantity(annotation(pod, "tflops-request") or "0")
        for gpu in (annotation(pod, "gpu-ids") or "").split(","):
            if gpu:
                held[gpu] += tflops
    return dict(held)
