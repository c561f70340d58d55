"""The view of the cluster that one admission looks at: over the caches, without copies.

The caches go on changing meanwhile; each lookup is remembered, so that the same question has the
same answer for as long as the view is used.  What fills the caches is ``caches``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from autoscaler.api.control import Control
from autoscaler.api.object_key import ObjectKey
from autoscaler.kube.resource import POOLS
from autoscaler.webhook.admission import Object
from autoscaler.webhook.snapshot import Installation, Snapshot


class Lookups(Protocol):
    """What a view needs of the caches."""

    @property
    def installation(self) -> Installation:
        """Return what the installation decided."""
        ...

    def control(self) -> Control:
        """Return the process-wide mode and pause."""
        ...

    def find(self, key: ObjectKey) -> Object | None:
        """Return an object; None where it is not there, or of a kind that is not cached."""
        ...

    def pools(self) -> Iterable[Object]:
        """Return all GPU pools."""
        ...

    def quotas(self, namespace: str) -> Iterable[Object]:
        """Return the GPUResourceQuotas of a namespace."""
        ...


class CacheSnapshot:
    """A ``Snapshot`` for one request."""

    def __init__(self, lookups: Lookups) -> None:
        self._lookups = lookups
        self._found: dict[ObjectKey, Object | None] = {}
        self._control: Control | None = None
        self._pools: tuple[Object, ...] | None = None
        self._quotas: dict[str, tuple[Object, ...]] = {}

    @property
    def installation(self) -> Installation:
        """Return what the installation decided."""
        return self._lookups.installation

    @property
    def control(self) -> Control:
        """Return the process-wide mode and pause."""
        if self._control is None:
            self._control = self._lookups.control()
        return self._control

    def find(self, key: ObjectKey) -> Object | None:
        """Return an object by its name."""
        if key not in self._found:
            self._found[key] = self._lookups.find(key)
        return self._found[key]

    def pools(self) -> Sequence[Object]:
        """Return all GPU pools, the oldest first."""
        if self._pools is None:
            self._pools = oldest_first(self._lookups.pools())
        return self._pools

    def quotas(self, namespace: str) -> Sequence[Object]:
        """Return the GPUResourceQuotas of a namespace, by name."""
        if namespace not in self._quotas:
            found = sorted(self._lookups.quotas(namespace), key=_name)
            self._quotas[namespace] = tuple(found)
        return self._quotas[namespace]


class CompletedSnapshot:
    """A ``Snapshot`` to which objects were added that were looked at live."""

    def __init__(self, base: Snapshot, found: Mapping[ObjectKey, Object]) -> None:
        self._base = base
        self._found = found

    @property
    def installation(self) -> Installation:
        """Return what the installation decided."""
        return self._base.installation

    @property
    def control(self) -> Control:
        """Return the process-wide mode and pause."""
        return self._base.control

    def find(self, key: ObjectKey) -> Object | None:
        """Return an object by its name."""
        return self._found.get(key) or self._base.find(key)

    def pools(self) -> Sequence[Object]:
        """Return all GPU pools, the oldest first."""
        known = {_name(pool): pool for pool in self._base.pools()}
        added = {key.name: obj for key, obj in self._found.items() if key.kind == POOLS.kind}
        return oldest_first({**known, **added}.values()) if added else self._base.pools()

    def quotas(self, namespace: str) -> Sequence[Object]:
        """Return the GPUResourceQuotas of a namespace, by name."""
        return self._base.quotas(namespace)


def oldest_first(objects: Iterable[Object]) -> tuple[Object, ...]:
    """Return objects by when they were created, then by name."""
    return tuple(sorted(objects, key=lambda obj: (_created(obj), _name(obj))))


def _created(obj: Object) -> str:
    """Return the time of creation; as the API server writes it, texts sort like times."""
    return str((obj.get("metadata") or {}).get("creationTimestamp") or "")


def _name(obj: Object) -> str:
    return str((obj.get("metadata") or {}).get("name") or "")
