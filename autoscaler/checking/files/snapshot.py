"""The cluster as the files alone describe it, for the checks of admission."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from autoscaler.api.control import Control
from autoscaler.api.names import API_VERSION, GPU_POOL, IS_DEFAULT_POOL
from autoscaler.api.object_key import ObjectKey
from autoscaler.kube.resource import POOLS, PRIORITY_CLASSES, QUOTAS
from autoscaler.webhook.admission import Object
from autoscaler.webhook.snapshot import Installation


class FilesSnapshot:
    """A ``Snapshot`` of the objects of all files.

    A manifest without a namespace counts for every namespace.  Where no file has a pool, the pools
    are elsewhere: those that are named are taken to exist, and so is a default one.  Priority
    classes are the installation's, and are taken to exist too.
    """

    installation = Installation(limiter_image="limiter", has_standalone_workers=True)
    control = Control()

    def __init__(self, objects: Iterable[Object]) -> None:
        self._objects = tuple(objects)
        pools = [obj for obj in self._objects if obj.get("kind") == POOLS.kind]
        self._pools = pools or [_pool(name) for name in ("", *_named_pools(self._objects))]

    def find(self, key: ObjectKey) -> Object | None:
        """Return an object by its name."""
        if key.kind == POOLS.kind:
            return next((pool for pool in self._pools if _name(pool) == key.name), None)
        if key.kind == PRIORITY_CLASSES.kind:
            return {"metadata": {"name": key.name}}
        return next((obj for obj in self._objects if _is(obj, key)), None)

    def pools(self) -> Sequence[Object]:
        """Return all GPU pools, in the order of the files."""
        return self._pools

    def quotas(self, namespace: str) -> Sequence[Object]:
        """Return the GPUResourceQuotas of a namespace, by name."""
        found = (
            obj
            for obj in self._objects
            if obj.get("kind") == QUOTAS.kind and _namespace(obj) in {namespace, ""}
        )
        return sorted(found, key=_name)


def _pool(name: str) -> dict[str, Any]:
    annotations = {} if name else {IS_DEFAULT_POOL: "true"}
    return {
        "apiVersion": API_VERSION,
        "kind": POOLS.kind,
        "metadata": {"name": name or "default-pool", "annotations": annotations},
        "spec": {"componentConfig": {"worker": {"image": "worker"}}},
    }


def _named_pools(part: object) -> set[str]:
    """Return every pool that a field or an annotation names."""
    names: set[str] = set()
    waiting, seen = [part], set()
    while waiting:
        value = waiting.pop()
        if id(value) in seen:
            continue
        seen.add(id(value))
        if isinstance(value, Mapping):
            pools = (value.get("poolName"), value.get(GPU_POOL))
            names |= {pool.strip() for pool in pools if isinstance(pool, str) and pool.strip()}
            waiting += value.values()
        elif isinstance(value, list | tuple):
            waiting += value
    return names


def _is(obj: Object, key: ObjectKey) -> bool:
    is_there = not key.namespace or _namespace(obj) in {key.namespace, ""}
    return is_there and (obj.get("apiVersion"), obj.get("kind"), _name(obj)) == (
        key.api_version,
        key.kind,
        key.name,
    )


def _name(obj: Object) -> str:
    return str((obj.get("metadata") or {}).get("name") or "")


def _namespace(obj: Object) -> str:
    return str((obj.get("metadata") or {}).get("namespace") or "")
