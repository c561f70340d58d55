"""What a pod is, and how far it has come, as the pod itself shows it.  Pure."""

from __future__ import annotations

from autoscaler.api.names import API_VERSION, COMPONENT, GPU_IDS, PLACEMENT_GATE, Component
from autoscaler.kube.condition import find_condition
from autoscaler.kube.resource import WORKLOADS
from autoscaler.kube.store import Object

_ENDED = frozenset({"Succeeded", "Failed"})
"""Phases of pods that hold nothing any more."""


def component_of(pod: Object) -> Component | None:
    """Return whether a pod is a worker or a client; None: it is neither."""
    text = (pod["metadata"].get("labels") or {}).get(COMPONENT)
    return Component(text) if text in set(Component) else None


def is_client(pod: Object) -> bool:
    """Return whether a pod uses, or may still use, the GPU of a worker."""
    return component_of(pod) is Component.CLIENT and not has_ended(pod)


def is_made_by_controller(pod: Object) -> bool:
    """Return whether a pod is a worker pod that was made for a workload."""
    references = pod["metadata"].get("ownerReferences") or ()
    return any(
        each.get("controller") is True
        and (each.get("apiVersion"), each.get("kind")) == (API_VERSION, WORKLOADS.kind)
        for each in references
    )


def has_controller(pod: Object) -> bool:
    """Return whether something would make a deleted pod anew."""
    owners = pod["metadata"].get("ownerReferences") or ()
    return any(owner.get("controller") for owner in owners)


def gates_of(pod: Object) -> tuple[str, ...]:
    """Return the names of the scheduling gates of a pod."""
    return tuple(gate["name"] for gate in (pod.get("spec") or {}).get("schedulingGates") or ())


def is_gated(pod: Object) -> bool:
    """Return whether a pod waits for its GPUs."""
    return PLACEMENT_GATE in gates_of(pod)


def is_placed(pod: Object) -> bool:
    """Return whether a pod has its GPUs."""
    return bool((pod["metadata"].get("annotations") or {}).get(GPU_IDS))


def is_ready(pod: Object) -> bool:
    """Return whether the containers of a pod say that they are ready."""
    return (find_condition(pod, "Ready") or {}).get("status") == "True"


def is_serving(pod: Object) -> bool:
    """Return whether a pod is ready, and neither ended nor about to go."""
    return is_live(pod) and is_ready(pod)


def has_ended(pod: Object) -> bool:
    """Return whether a pod holds nothing any more, as all its containers ended for good."""
    return (pod.get("status") or {}).get("phase") in _ENDED


def is_deleted(obj: Object) -> bool:
    """Return whether an object is about to go."""
    return bool(obj["metadata"].get("deletionTimestamp"))


def is_live(pod: Object) -> bool:
    """Return whether a pod has neither ended nor is about to go."""
    return not has_ended(pod) and not is_deleted(pod)


def age(pod: Object) -> tuple[str, str]:
    """Return what sorts pods from the oldest to the newest."""
    metadata = pod["metadata"]
    return metadata.get("creationTimestamp") or "", metadata["name"]
