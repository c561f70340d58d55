"""Objects that make pods, and a look-up of objects by their keys."""

from autoscaler.api.names import GENERATED_FROM
from autoscaler.api.object_key import ObjectKey
from tests.autoscaler.workloads.objects import made, owned, worker, workload


def deployment(name="web", *, replicas=2, **metadata):
    return made(
        "Deployment",
        name,
        api_version="apps/v1",
        metadata=metadata,
        spec={} if replicas is None else {"replicas": replicas},
    )


def replica_set(owner, revision="1", **metadata):
    """Return what a Deployment makes of one of its templates; the revision may be any text."""
    name = f"{owner['metadata']['name']}-{revision}"
    annotations = {"deployment.kubernetes.io/revision": revision}
    metadata = {"annotations": annotations, **metadata}
    own = made("ReplicaSet", name, api_version="apps/v1", metadata=metadata)
    return owned(own, owner)


def of_kind(kind, name, *, api_version="batch/v1", **fields):
    return made(kind, name, api_version=api_version, **fields)


def pod_of(owner, suffix="a", *, created="2026-01-01T00:00:00Z", **fields):
    """Return a worker that an object made, of the workload ``web`` unless its test says so."""
    metadata = {"creationTimestamp": created, **fields.pop("metadata", {})}
    name = f"{owner['metadata']['name']}-{suffix}"
    return owned(worker(name, metadata=metadata, **{"workload": "web", **fields}), owner)


def reference(owner):
    """Return the reference by which a workload belongs to an object."""
    return {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "blockOwnerDeletion": False,
    }


def generated(name="web", *owners, generated_from="Deployment.apps/web", **fields):
    """Return a workload that follows its pods and belongs to these objects."""
    metadata = {
        "annotations": {GENERATED_FROM: generated_from},
        "ownerReferences": [reference(owner) for owner in owners],
    }
    return workload(name, metadata=metadata, **fields)


def finder(*objects):
    """Return the look-up of these objects, as the caches have them."""
    found = {
        ObjectKey(
            obj["apiVersion"],
            obj["kind"],
            obj["metadata"].get("namespace") or "",
            obj["metadata"]["name"],
        ): obj
        for obj in objects
    }
    return found.get
