"""The one write that lets a client start beside its worker, on the same node.  Pure."""

from __future__ import annotations

from typing import Any

from autoscaler.api.names import MODE, PLACEMENT_GATE, WorkloadMode
from autoscaler.kube.store import Object
from autoscaler.workloads.nodes.node_fit import HOSTNAME
from autoscaler.workloads.pod_state import gates_of


def is_pinned_to_worker(client: Object) -> bool:
    """Return whether a client must run on the node of its worker."""
    mode = (client["metadata"].get("annotations") or {}).get(MODE)
    return bool(mode == WorkloadMode.STANDALONE)


def host_of(pod: Object) -> str:
    """Return the host name that a pod is bound to by its node selector; empty: to none."""
    selector = (pod.get("spec") or {}).get("nodeSelector") or {}
    return str(selector.get(HOSTNAME) or "")


def is_bound(pod: Object) -> bool:
    """Return whether the scheduler has given a pod its node, so that it does not move any more."""
    return bool((pod.get("spec") or {}).get("nodeName"))


def pin_patch(client: Object, worker: Object) -> dict[str, Any] | None:
    """Return the strategic merge patch that lets a client start; None: it waits, or has started.

    Other gates than ours are somebody else's, who will look at the client before it starts.
    """
    if gates_of(client) != (PLACEMENT_GATE,) or not is_bound(worker):
        return None
    return {
        "metadata": {"resourceVersion": client["metadata"]["resourceVersion"]},
        "spec": {
            "nodeSelector": {HOSTNAME: host_of(worker)},
            "schedulingGates": [{"$patch": "delete", "name": PLACEMENT_GATE}],
        },
    }
