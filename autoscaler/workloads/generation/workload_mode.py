"""Where the GPUs of a workload's pods are.  Pure.

Admission wrote its reading on every pod; without pods the workload's own ``spec`` must tell.
"""

from __future__ import annotations

from collections.abc import Sequence

from autoscaler.api.names import MODE, WorkloadMode
from autoscaler.kube.store import Object
from autoscaler.workloads.pod_state import age, is_made_by_controller


def mode_of(workload: Object | None, pods: Sequence[Object]) -> WorkloadMode | None:
    """Return the mode of a workload with these pods; None: nobody says it."""
    written = [pod for pod in pods if not is_made_by_controller(pod)]
    for pod in sorted(written, key=age, reverse=True):
        mode = (pod["metadata"].get("annotations") or {}).get(MODE)
        if mode in set(WorkloadMode):
            return WorkloadMode(mode)
    spec = (workload or {}).get("spec") or {}
    if spec.get("isLocalGPU") is None:
        return None
    if not spec["isLocalGPU"]:
        return WorkloadMode.REMOTE
    is_standalone = spec.get("standaloneWorkerMode") or spec.get("noStandaloneWorkerMode") is False
    return WorkloadMode.STANDALONE if is_standalone else WorkloadMode.EMBEDDED
