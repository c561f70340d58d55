"""What the autoscaler's caches keep of each object: what it reads, and nothing else.

Workers are the most numerous, some ten thousands of them: of a pod the amounts in force, its GPUs
and how far it has come are kept, texts that many of them share once only.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from sys import intern
from typing import Any

from autoscaler.api.names import (
    GPU_IDS,
    GPU_PEAK_TFLOPS,
    GPU_PEAK_VRAM,
    IN_FORCE,
    POOL_LABEL,
    WORKLOAD_LABEL,
)
from autoscaler.kube.condition import find_condition

READY = "Ready"
_METADATA = (
    "name",
    "namespace",
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "labels",
    "annotations",
)
_OF_POD_METADATA = (
    "name",
    "namespace",
    "uid",
    "resourceVersion",
    "creationTimestamp",
    "deletionTimestamp",
)
_ANNOTATIONS = (*IN_FORCE, GPU_IDS, GPU_PEAK_TFLOPS, GPU_PEAK_VRAM)
_LABELS = (WORKLOAD_LABEL, POOL_LABEL)
_UNREAD_OF_SPEC = ("workerPodTemplate", "nodeAffinity")
_UNREAD_OF_STATUS = ("workerStatuses",)
_OF_CONDITION = ("type", "status", "lastTransitionTime")
_OF_GPU_STATUS = ("phase", "gpuModel", "model", "usedBy", "capacity", "available")


def kept_of_worker(obj: dict[str, Any]) -> dict[str, Any]:
    """Return a worker pod's amounts in force, its GPUs, and how far it has come."""
    metadata, status = obj["metadata"], obj.get("status") or {}
    ready = find_condition(obj, READY)
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            **_of(metadata, _OF_POD_METADATA),
            "labels": _shared(metadata.get("labels"), _LABELS),
            "annotations": _shared(metadata.get("annotations"), _ANNOTATIONS),
        },
        "status": {
            **_of(status, ("phase", "startTime")),
            "conditions": [] if ready is None else [_of(ready, _OF_CONDITION)],
        },
    }


def kept_of_workload(obj: dict[str, Any]) -> dict[str, Any]:
    """Return a workload without the templates of its workers and the list of them."""
    metadata = _of(obj["metadata"], _METADATA)
    spec = _without(obj.get("spec"), _UNREAD_OF_SPEC)
    status = _without(obj.get("status"), _UNREAD_OF_STATUS)
    return {**obj, "metadata": metadata, "spec": spec, "status": status}


def kept_of_gpu(obj: dict[str, Any]) -> dict[str, Any]:
    """Return a GPU's pool, its model, what it has and what of that is free."""
    return {
        **obj,
        "metadata": _of(obj["metadata"], _METADATA),
        "status": _of(obj.get("status") or {}, _OF_GPU_STATUS),
    }


def kept_of_pool(obj: dict[str, Any]) -> dict[str, Any]:
    """Return a pool's metadata, which says whether it is paused."""
    return {**_kind(obj), "metadata": _of(obj["metadata"], _METADATA)}


def kept_of_hpa(obj: dict[str, Any]) -> dict[str, Any]:
    """Return what a HorizontalPodAutoscaler scales."""
    target = (obj.get("spec") or {}).get("scaleTargetRef") or {}
    return {
        **_kind(obj),
        "metadata": _of(obj["metadata"], _OF_POD_METADATA),
        "spec": {"scaleTargetRef": target},
    }


def _kind(obj: Mapping[str, Any]) -> dict[str, Any]:
    return {"apiVersion": obj.get("apiVersion"), "kind": obj.get("kind")}


def _of(mapping: Mapping[str, Any], keys: Iterable[str]) -> dict[str, Any]:
    return {key: mapping[key] for key in keys if key in mapping}


def _without(mapping: Mapping[str, Any] | None, keys: Iterable[str]) -> dict[str, Any]:
    return {key: value for key, value in (mapping or {}).items() if key not in keys}


def _shared(mapping: Mapping[str, str] | None, keys: Iterable[str]) -> dict[str, str]:
    """Return some texts of a mapping, each the one that all workers with it have."""
    found = mapping or {}
    return {key: intern(found[key]) for key in keys if key in found}
