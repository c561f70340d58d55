"""What the controller's caches keep of each object: what it reads, and nothing else.

Pods are the most numerous.  Of those that are not ours only the node and what they take of it is
kept, because the scheduler will ask for that.  Of ours the texts of users, such as environments and
annotations of others, are left out: they may be long, and secret.
"""

from __future__ import annotations

from typing import Any

from autoscaler.api.names import COMPONENT, PREFIX
from autoscaler.workloads.template_revision import REVISIONS

METADATA = (
    "name",
    "namespace",
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "labels",
    "annotations",
    "ownerReferences",
)
_OF_FOREIGN_METADATA = ("name", "namespace", "uid", "resourceVersion", "deletionTimestamp")
_OF_FOREIGN_SPEC = ("nodeName", "overhead", "resources")
_OF_FOREIGN_CONTAINER = ("resources", "ports", "restartPolicy")
_OF_CONTAINER = ("name", *_OF_FOREIGN_CONTAINER)
_CONTAINERS = ("containers", "initContainers")
_VOLUMES = ("persistentVolumeClaim", "ephemeral")
"""Kinds of volumes that tie a pod to nodes."""
_OF_STATUS = ("phase", "conditions", "podIP", "startTime", "reason", "message")
_OF_NODE_STATUS = ("allocatable", "conditions")


def is_ours(obj: dict[str, Any]) -> bool:
    """Return whether a pod is a worker or a client."""
    return COMPONENT in (obj["metadata"].get("labels") or {})


def kept_of_pod(obj: dict[str, Any]) -> dict[str, Any]:
    """Return a pod of ours without what nobody reads; of another one what it takes of its node."""
    metadata, spec, status = obj["metadata"], obj.get("spec") or {}, obj.get("status") or {}
    if not is_ours(obj):
        return {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": _of(metadata, _OF_FOREIGN_METADATA),
            "spec": {
                **_of(spec, _OF_FOREIGN_SPEC),
                **_containers(spec, _OF_FOREIGN_CONTAINER),
            },
            "status": _of(status, ("phase",)),
        }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {**_of(metadata, METADATA), "annotations": _annotations(metadata)},
        "spec": {**spec, **_containers(spec, _OF_CONTAINER), "volumes": _volumes(spec)},
        "status": _of(status, _OF_STATUS),
    }


def kept_of_node(obj: dict[str, Any]) -> dict[str, Any]:
    """Return what placement asks of a node; its images and addresses are left out."""
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": _of(obj["metadata"], METADATA),
        "spec": obj.get("spec") or {},
        "status": _of(obj.get("status") or {}, _OF_NODE_STATUS),
    }


def kept_of_owner(obj: dict[str, Any]) -> dict[str, Any]:
    """Return who an object is and of which revision, who owns it, and its wanted replicas."""
    metadata = _of(obj["metadata"], (*METADATA[:-3], "ownerReferences"))
    revisions = _of(obj["metadata"].get("annotations") or {}, REVISIONS)
    if revisions:
        metadata["annotations"] = revisions
    kept = {"apiVersion": obj.get("apiVersion"), "kind": obj.get("kind"), "metadata": metadata}
    replicas = (obj.get("spec") or {}).get("replicas")
    return kept if replicas is None else {**kept, "spec": {"replicas": replicas}}


def kept_of_volume(obj: dict[str, Any]) -> dict[str, Any]:
    """Return where a volume, or the claim for one, may be used."""
    spec = obj.get("spec") or {}
    kept = _of(spec, ("nodeAffinity", "volumeName"))
    metadata = _of(obj["metadata"], METADATA[:4])
    return {**obj, "metadata": metadata, "spec": kept, "status": {}}


def _annotations(metadata: dict[str, Any]) -> dict[str, str]:
    annotations = metadata.get("annotations") or {}
    return {key: text for key, text in annotations.items() if key.startswith(PREFIX)}


def _containers(spec: dict[str, Any], keys: tuple[str, ...]) -> dict[str, list[dict[str, Any]]]:
    return {
        part: [_of(each, keys) for each in spec[part]] for part in _CONTAINERS if spec.get(part)
    }


def _volumes(spec: dict[str, Any]) -> list[dict[str, Any]]:
    volumes = spec.get("volumes") or ()
    return [each for each in volumes if any(each.get(kind) is not None for kind in _VOLUMES)]


def _of(mapping: dict[str, Any], keys: tuple[str, ...]) -> dict[str, Any]:
    return {key: mapping[key] for key in keys if key in mapping}
