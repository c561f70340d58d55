"""Copies of what admission looks up, kept up to date: which kinds, and what of their objects.

Owners of pods are the most numerous, so only who owns them is kept; of workloads the webhook needs
what is desired and nothing else of their status.  How one request sees all this is
``cache_snapshot``.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from autoscaler.api.object_key import ObjectKey
from autoscaler.errors import NotFoundError
from autoscaler.kube.cache_set import CachedKind, CacheSet, namespace_of
from autoscaler.kube.reflector import without_managed_fields
from autoscaler.kube.resource import (
    JOBS,
    POOLS,
    PRIORITY_CLASSES,
    QUOTAS,
    REPLICA_SETS,
    STATEFUL_SETS,
    WORKLOAD_PROFILES,
    WORKLOADS,
)
from autoscaler.webhook.admission import Object
from autoscaler.webhook.snapshot import Installation

if TYPE_CHECKING:
    from autoscaler.kube.api_server import ApiServer

BY_NAMESPACE = "namespace"
KEPT_OF_METADATA = ("name", "namespace", "uid", "resourceVersion", "ownerReferences")


def workload(obj: dict[str, Any]) -> dict[str, Any]:
    """Return a workload with what is desired of it, and nothing else of its status."""
    desired = (obj.pop("status", None) or {}).get("desiredResources")
    if desired is not None:
        obj["status"] = {"desiredResources": desired}
    return without_managed_fields(obj)


def owner(obj: dict[str, Any]) -> dict[str, Any]:
    """Return who an object is and who owns it."""
    metadata = obj.get("metadata") or {}
    kept = {key: metadata[key] for key in KEPT_OF_METADATA if key in metadata}
    return {"apiVersion": obj.get("apiVersion"), "kind": obj.get("kind"), "metadata": kept}


KINDS = (
    CachedKind(resource=WORKLOAD_PROFILES),
    CachedKind(resource=WORKLOADS, keep=workload),
    CachedKind(resource=POOLS),
    CachedKind(resource=QUOTAS),
    CachedKind(resource=PRIORITY_CLASSES),
    CachedKind(resource=REPLICA_SETS, keep=owner, is_metadata_only=True),
    CachedKind(resource=STATEFUL_SETS, keep=owner, is_metadata_only=True),
    CachedKind(resource=JOBS, keep=owner, is_metadata_only=True),
)


class Caches(CacheSet):
    """The caches of one process, and what it looks at live; thread-safe."""

    def __init__(self, api: ApiServer, *, installation: Installation, namespace: str) -> None:
        super().__init__(api, KINDS, namespace=namespace)
        self._api = api
        self.installation = installation
        self.store(QUOTAS).add_index(BY_NAMESPACE, namespace_of)

    def pools(self) -> Iterable[Object]:
        """Return all GPU pools, in no order."""
        return self.store(POOLS).items()

    def quotas(self, namespace: str) -> Iterable[Object]:
        """Return the GPUResourceQuotas of a namespace."""
        return self.store(QUOTAS).indexed(BY_NAMESPACE, namespace)

    def look(self, key: ObjectKey, timeout_s: float) -> Object:
        """Return an object as the API server has it, and as the caches would keep it.

        Raises a ``KubeError``; ``NotFoundError`` also for kinds that are not cached.
        """
        cached = self.kind_of(key)
        if cached is None:
            raise NotFoundError(f"{key.kind} of {key.api_version} is not looked at")
        found = self._api.get(
            cached.resource,
            key.name,
            key.namespace or None,
            is_metadata_only=cached.is_metadata_only,
            timeout_s=timeout_s,
        )
        return cached.keep(found)
