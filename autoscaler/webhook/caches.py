"""Copies of what admission looks up, kept up to date: which kinds, and what of their objects.

Owners of pods are the most numerous, so only who owns them is kept; of workloads the webhook needs
what is desired and nothing else of their status.  How one request sees all this is
``cache_snapshot``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from autoscaler.api.control import Control, control_from
from autoscaler.api.names import CONTROL_CONFIG_MAP
from autoscaler.api.object_key import ObjectKey
from autoscaler.errors import NotFoundError
from autoscaler.kube.cache_problems import cache_problems
from autoscaler.kube.reflector import CacheCounts, Reflector, without_managed_fields
from autoscaler.kube.resource import (
    CONFIG_MAPS,
    JOBS,
    POOLS,
    PRIORITY_CLASSES,
    QUOTAS,
    REPLICA_SETS,
    STATEFUL_SETS,
    WORKLOAD_PROFILES,
    WORKLOADS,
    Resource,
)
from autoscaler.kube.store import Store
from autoscaler.webhook.admission import Object
from autoscaler.webhook.snapshot import Installation

if TYPE_CHECKING:
    from autoscaler.kube.api_server import ApiServer

BY_NAMESPACE = "namespace"
KEPT_OF_METADATA = ("name", "namespace", "uid", "resourceVersion", "ownerReferences")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cached:
    """One kind that is kept."""

    resource: Resource
    keep: Callable[[dict[str, Any]], dict[str, Any]]
    is_metadata_only: bool = False


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
    Cached(resource=WORKLOAD_PROFILES, keep=without_managed_fields),
    Cached(resource=WORKLOADS, keep=workload),
    Cached(resource=POOLS, keep=without_managed_fields),
    Cached(resource=QUOTAS, keep=without_managed_fields),
    Cached(resource=PRIORITY_CLASSES, keep=without_managed_fields),
    Cached(resource=REPLICA_SETS, keep=owner, is_metadata_only=True),
    Cached(resource=STATEFUL_SETS, keep=owner, is_metadata_only=True),
    Cached(resource=JOBS, keep=owner, is_metadata_only=True),
)
_BY_KIND = {(each.resource.group, each.resource.kind): each for each in KINDS}


class Caches:
    """The caches of one process, and what it looks at live; thread-safe."""

    def __init__(self, api: ApiServer, *, installation: Installation, namespace: str) -> None:
        self._api = api
        self.installation = installation
        self._namespace = namespace
        self._stores = {each.resource: Store() for each in KINDS}
        self._stores[QUOTAS].add_index(BY_NAMESPACE, _namespaces)
        self._controls = Store()
        self._reflectors = [
            Reflector(
                api,
                each.resource,
                store=self._stores[each.resource],
                is_metadata_only=each.is_metadata_only,
                keep=each.keep,
            )
            for each in KINDS
        ]
        self._reflectors.append(
            Reflector(
                api,
                CONFIG_MAPS,
                store=self._controls,
                namespace=namespace,
                field_selector=f"metadata.name={CONTROL_CONFIG_MAP}",
            )
        )

    def start(self) -> None:
        """Begin to fill the caches."""
        for reflector in self._reflectors:
            reflector.start()

    def stop(self) -> None:
        """Let the caches be as they are, within about a second."""
        # Beside one another: each may wait for a thread that still connects.
        with ThreadPoolExecutor(len(self._reflectors)) as pool:
            list(pool.map(Reflector.stop, self._reflectors))

    def control(self) -> Control:
        """Return the process-wide mode and pause."""
        return control_from(self._controls.get(self._namespace, CONTROL_CONFIG_MAP))

    def find(self, key: ObjectKey) -> Object | None:
        """Return an object; None where it is not there, or of a kind that is not cached."""
        cached = _cached(key)
        if cached is None:
            return None
        return self._stores[cached.resource].get(key.namespace, key.name)

    def pools(self) -> Iterable[Object]:
        """Return all GPU pools, in no order."""
        return self._stores[POOLS].items()

    def quotas(self, namespace: str) -> Iterable[Object]:
        """Return the GPUResourceQuotas of a namespace."""
        return self._stores[QUOTAS].indexed(BY_NAMESPACE, namespace)

    def look(self, key: ObjectKey, timeout_s: float) -> Object:
        """Return an object as the API server has it, and as the caches would keep it.

        Raises a ``KubeError``; ``NotFoundError`` also for kinds that are not cached.
        """
        cached = _cached(key)
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

    def problems(self) -> tuple[str, ...]:
        """Return which caches cannot be relied on, and why."""
        return cache_problems(self.counts())

    def counts(self) -> tuple[CacheCounts, ...]:
        """Return the numbers of each cache."""
        return tuple(reflector.snapshot() for reflector in self._reflectors)


def _cached(key: ObjectKey) -> Cached | None:
    """Return the kind of a key, whichever version of its group the key names."""
    group = key.api_version.rpartition("/")[0]
    return _BY_KIND.get((group, key.kind))


def _namespaces(obj: Mapping[str, Any]) -> Iterable[str]:
    return (obj["metadata"].get("namespace") or "",)
