"""A cluster in memory for admission: a snapshot and the objects that tests put into it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from autoscaler.api.control import Control, ProcessMode
from autoscaler.api.names import API_VERSION, IS_DEFAULT_POOL
from autoscaler.api.object_key import ObjectKey
from autoscaler.webhook.snapshot import Installation

NAMESPACE = "team"
LIMITER_IMAGE = "registry.example/limiter:1"
APPLY = Control(mode=ProcessMode.APPLY)


@dataclass(frozen=True, kw_only=True)
class MemorySnapshot:
    """A ``Snapshot`` of what it was given; objects of a cluster have no namespace."""

    objects: tuple[dict[str, Any], ...] = ()
    control: Control = field(default_factory=Control)
    installation: Installation = field(
        default_factory=lambda: Installation(limiter_image=LIMITER_IMAGE)
    )

    def find(self, key: ObjectKey) -> dict[str, Any] | None:
        return next((obj for obj in self.objects if key_of(obj) == key), None)

    def pools(self) -> list[dict[str, Any]]:
        return [obj for obj in self.objects if obj["kind"] == "GPUPool"]

    def quotas(self, namespace: str) -> list[dict[str, Any]]:
        found = [
            obj
            for obj in self.objects
            if obj["kind"] == "GPUResourceQuota" and obj["metadata"]["namespace"] == namespace
        ]
        return sorted(found, key=lambda obj: obj["metadata"]["name"])


def cluster(*objects: dict[str, Any], **fields: Any) -> MemorySnapshot:
    """Return a snapshot with these objects and a default pool."""
    pools = [obj for obj in objects if obj["kind"] == "GPUPool"]
    return MemorySnapshot(objects=objects if pools else (pool(), *objects), **fields)


def key_of(obj: dict[str, Any]) -> ObjectKey:
    metadata = obj["metadata"]
    return ObjectKey(
        obj["apiVersion"], obj["kind"], metadata.get("namespace") or "", metadata["name"]
    )


def made(kind: str, name: str, *, api_version: str = API_VERSION, **fields: Any) -> dict[str, Any]:
    """Return an object of the test's namespace; ``namespace=""`` for kinds without."""
    namespace = fields.pop("namespace", NAMESPACE)
    metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
    metadata |= fields.pop("metadata", {})
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **fields}


def pool(name: str = "default-pool", *, is_default: bool = True, **spec: Any) -> dict[str, Any]:
    metadata = {"annotations": {IS_DEFAULT_POOL: "true"}} if is_default else {}
    return made("GPUPool", name, namespace="", metadata=metadata, spec=spec)


def pool_with_workers(name: str = "default-pool", **spec: Any) -> dict[str, Any]:
    return pool(name, **{"componentConfig": {"worker": {"image": "worker:1"}}, **spec})


def profile(name: str = "small", **spec: Any) -> dict[str, Any]:
    return made("WorkloadProfile", name, spec=spec)


def workload(name: str = "job", desired: Any = None, **spec: Any) -> dict[str, Any]:
    status = {} if desired is None else {"desiredResources": desired}
    return made("TensorFusionWorkload", name, spec=spec, status=status)


def quota(name: str = "gold", *, allowed_qos: list[str] | None = None, **single: Any) -> dict:
    spec: dict[str, Any] = {"single": single}
    if allowed_qos is not None:
        spec["allowedQoS"] = allowed_qos
    return made("GPUResourceQuota", name, spec=spec)


def priority_class(name: str) -> dict[str, Any]:
    return made("PriorityClass", name, api_version="scheduling.k8s.io/v1", namespace="")


def owned(obj: dict[str, Any], owner: dict[str, Any]) -> dict[str, Any]:
    """Return an object whose controller is ``owner``."""
    reference = {
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": owner["metadata"]["name"],
        "controller": True,
        "uid": "1",
    }
    return {**obj, "metadata": {**obj["metadata"], "ownerReferences": [reference]}}
