"""What a workload is to be, beside what others wrote into it.  Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from autoscaler.api.names import GENERATED_FROM, POOL_LABEL, Component, WorkloadMode
from autoscaler.kube.resource import WORKLOADS
from autoscaler.kube.store import Object
from autoscaler.workloads.generation.generated import FIELDS, Generated
from autoscaler.workloads.generation.merge_difference import merge_difference
from autoscaler.workloads.generation.replicas import wanted_replicas
from autoscaler.workloads.generation.workload_view import WorkloadView

_METADATA: Mapping[str, Any] = {"labels": {}, "annotations": {}, "ownerReferences": []}
"""Parts of the metadata that are looked after, each with its empty value."""


def wanted_workload(view: WorkloadView, generated: Generated | None) -> dict[str, Any]:
    """Return a workload that follows its pods; without ``generated`` its spec stays.

    Labels, annotations and fields of the spec that others wrote stay in any case.
    """
    present = view.workload or {}
    metadata = present.get("metadata") or {}
    spec = dict(present.get("spec") or {})
    if generated is not None:
        present_replicas = spec.pop("replicas", None)
        spec = {key: value for key, value in spec.items() if key not in FIELDS}
        spec |= {**generated.spec, **_replicas(view, generated, present_replicas)}
    elif view.mode not in (None, WorkloadMode.REMOTE):
        spec["replicas"] = view.owned_replicas
    labels = {**(metadata.get("labels") or {})}
    if spec.get("poolName"):
        labels[POOL_LABEL] = spec["poolName"]
    annotations = {**(metadata.get("annotations") or {})}
    annotations[GENERATED_FROM] = view.owners.generated_from or annotations[GENERATED_FROM]
    return {
        "apiVersion": WORKLOADS.api_version,
        "kind": WORKLOADS.kind,
        "metadata": {
            "name": view.name,
            "namespace": view.namespace,
            "labels": labels,
            "annotations": annotations,
            "ownerReferences": list(view.owners.references),
        },
        "spec": spec,
    }


def filled_workload(view: WorkloadView) -> dict[str, Any]:
    """Return a user's workload with replicas, where the GPU is local, it has none and pods do."""
    present = view.workload or {}
    spec = dict(present.get("spec") or {})
    is_local = view.mode not in (None, WorkloadMode.REMOTE)
    if is_local and view.owners.of_pods and spec.get("replicas") is None:
        spec["replicas"] = view.owned_replicas
    return {**present, "spec": spec}


def patch_of(present: Object, wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Return the merge patch of what is to change, in the version that was seen; else nothing."""
    old, new = present["metadata"], wanted["metadata"]
    metadata = merge_difference(
        {key: old.get(key) or empty for key, empty in _METADATA.items()},
        {key: new.get(key) or empty for key, empty in _METADATA.items()},
    )
    spec = merge_difference(present.get("spec") or {}, wanted["spec"])
    if not metadata and not spec:
        return {}
    versioned = {**metadata, "resourceVersion": old["resourceVersion"]}
    return {"metadata": versioned, **({"spec": spec} if spec else {})}


def _replicas(view: WorkloadView, generated: Generated, present: int | None) -> dict[str, int]:
    replicas = wanted_replicas(
        view.mode,
        is_autoscaled=generated.is_autoscaled,
        present=present,
        stated=generated.replicas,
        owned=view.owned_replicas,
        clients=len(view.live(Component.CLIENT)),
    )
    return {} if replicas is None else {"replicas": replicas}
