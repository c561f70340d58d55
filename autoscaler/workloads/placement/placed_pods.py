"""What becomes of a pod after its gate is gone: the scheduler binds it, or refuses its node.

A refused pod that something would make anew is deleted after a while, so that it gets other GPUs.
A bare one keeps its reservation, because its gate and its node selector cannot be taken back and
it may be bound at any time.  A GPU that vanishes under a pod is told of, and nothing is done.

How long the scheduler has refused a pod is counted from when this process saw it first: the
condition's own time does not change when a gated pod becomes an unschedulable one.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Lock
from typing import TYPE_CHECKING

from autoscaler.api.names import PLACEMENT_GATE, EventReason
from autoscaler.kube.condition import find_condition
from autoscaler.kube.event import EventType, reference_of
from autoscaler.kube.lanes import Priority
from autoscaler.kube.resource import GPUS, PODS
from autoscaler.kube.store import key_of
from autoscaler.workloads.cluster import gpus_of
from autoscaler.workloads.placement.shortage import Shortage
from autoscaler.workloads.pod_state import has_controller, is_deleted
from autoscaler.workloads.work import WorkKey, WorkKind

if TYPE_CHECKING:
    from autoscaler.kube.store import Object
    from autoscaler.workloads.tools import Tools

ACTION = "Schedule"
RUNNING = "Running"
UNGATED = (
    f"somebody removed the scheduling gate {PLACEMENT_GATE} before it had GPUs, so that it has "
    "none; delete it and create it again"
)


class PlacedPods:
    """Looks after placed pods; thread-safe, one thread for one pod at a time."""

    def __init__(self, tools: Tools, *, monotonic_s: Callable[[], float] = time.monotonic) -> None:
        self._tools = tools
        self._monotonic_s = monotonic_s
        self._lock = Lock()
        self._refused: dict[tuple[str, str], tuple[str, float]] = {}
        """Namespace and name to the UID, and when it was seen refused first."""

    def look(self, pod: Object) -> Shortage | None:
        """Return what is wrong with a placed pod; let one go that the scheduler refuses for long.

        Raises ``KubeError``.
        """
        refusal = _refusal(pod)
        if refusal is None:
            self.forget(*key_of(pod))
            return self._lost(pod)
        left_s = self._tools.rules.release_after_s - self._refused_s(pod)
        if left_s > 0:
            key = WorkKey(WorkKind.POD, *key_of(pod))
            self._tools.work.add_after(key, left_s, Priority.STATUS)
            return None
        if has_controller(pod):
            return self._release(pod, refusal)
        return self._told(
            pod,
            EventReason.UNSCHEDULABLE,
            f"the scheduler refuses the node of its GPUs, which it keeps: {refusal}",
        )

    def forget(self, namespace: str, name: str) -> None:
        """Let a pod be one that the scheduler does not refuse."""
        with self._lock:
            self._refused.pop((namespace, name), None)

    def _refused_s(self, pod: Object) -> float:
        uid, now_s = pod["metadata"]["uid"], self._monotonic_s()
        with self._lock:
            seen = self._refused.get(key_of(pod))
            if seen is None or seen[0] != uid:
                seen = self._refused[key_of(pod)] = uid, now_s
        return now_s - seen[1]

    def _release(self, pod: Object, refusal: str) -> Shortage:
        metadata = pod["metadata"]
        namespace, name = key_of(pod)
        # The version keeps a pod that has been bound since it was seen.
        body = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "preconditions": {
                "uid": metadata["uid"],
                "resourceVersion": metadata["resourceVersion"],
            },
        }
        self._tools.writer.write(
            lambda api: api.request("DELETE", PODS.path(namespace, name), body=body)
        )
        self._tools.counts.released()
        return self._told(
            pod,
            EventReason.PLACEMENT_RELEASED,
            f"deleted, to be made anew with other GPUs: the scheduler refused its node: {refusal}",
        )

    def _lost(self, pod: Object) -> Shortage | None:
        if is_deleted(pod):
            return None
        if not gpus_of(pod):
            return self._told(pod, EventReason.INVALID_WORKER, UNGATED)
        gpus = self._tools.cluster.store(GPUS)
        lost = []
        for name in gpus_of(pod):
            gpu = gpus.get(None, name)
            phase = "" if gpu is None else (gpu.get("status") or {}).get("phase") or "unknown"
            if phase != RUNNING:
                lost.append(f"{name} is gone" if gpu is None else f"{name} is {phase}")
        if not lost:
            return None
        return self._told(
            pod,
            EventReason.GPU_LOST,
            f"GPU {', '.join(lost)}; the pod stays: look at its node, or delete the pod",
        )

    def _told(self, pod: Object, reason: EventReason, message: str) -> Shortage:
        self._tools.events.record(
            reference_of(PODS, pod),
            reason=reason,
            action=ACTION,
            note=message,
            type=EventType.WARNING,
        )
        return Shortage(reason=reason, message=message, missing_gpus=0, gpu_model="")


def _refusal(pod: Object) -> str | None:
    """Return why the scheduler does not bind a pod; None where it does, or was not asked."""
    if (pod.get("spec") or {}).get("nodeName") or is_deleted(pod):
        return None
    scheduled = find_condition(pod, "PodScheduled") or {}
    if scheduled.get("status") != "False" or scheduled.get("reason") != "Unschedulable":
        return None
    return str(scheduled.get("message") or "it does not say why")
