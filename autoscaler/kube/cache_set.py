"""The caches of one process: the kinds that it keeps, and the switches that all processes read.

What is kept of which kind, and by which indexes it is found, each process says itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from autoscaler.api.control import Control, control_from
from autoscaler.api.names import CONTROL_CONFIG_MAP
from autoscaler.api.object_key import ObjectKey
from autoscaler.kube.cache_problems import cache_problems
from autoscaler.kube.reflector import CacheCounts, Reflector, without_managed_fields
from autoscaler.kube.resource import CONFIG_MAPS, Resource
from autoscaler.kube.store import Object, Store

if TYPE_CHECKING:
    from autoscaler.kube.api_server import ApiServer


@dataclass(frozen=True, slots=True, kw_only=True)
class CachedKind:
    """One kind that is kept, or the part of it that a selector chooses."""

    resource: Resource
    keep: Callable[[dict[str, Any]], dict[str, Any]] = without_managed_fields
    """Returns what is stored of an object, which it may change."""
    is_metadata_only: bool = False
    label_selector: str = ""


class CacheSet:
    """The caches of one process, each filled by a thread of its own; thread-safe."""

    def __init__(self, api: ApiServer, kinds: Iterable[CachedKind], *, namespace: str) -> None:
        """``namespace`` is that of the installation, which holds the switches."""
        self._namespace = namespace
        self._kinds = {(each.resource.group, each.resource.kind): each for each in kinds}
        self._stores = {each.resource: Store() for each in self._kinds.values()}
        self._controls = Store()
        self._reflectors = [
            Reflector(
                api,
                each.resource,
                store=self._stores[each.resource],
                keep=each.keep,
                is_metadata_only=each.is_metadata_only,
                label_selector=each.label_selector,
            )
            for each in self._kinds.values()
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

    def store(self, resource: Resource) -> Store:
        """Return the objects of a kind.  Raises ``KeyError`` for one that is not kept."""
        return self._stores[resource]

    @property
    def controls(self) -> Store:
        """Return the store of the ConfigMap with the switches, to listen to."""
        return self._controls

    def control(self) -> Control:
        """Return the process-wide mode and pause."""
        return control_from(self._controls.get(self._namespace, CONTROL_CONFIG_MAP))

    def kind_of(self, key: ObjectKey) -> CachedKind | None:
        """Return how the kind of a key is kept, whichever version of its group the key names.

        None for a kind that is not kept.
        """
        return self._kinds.get((key.api_version.rpartition("/")[0], key.kind))

    def find(self, key: ObjectKey) -> Object | None:
        """Return an object; None where it is not there, or of a kind that is not kept."""
        kind = self.kind_of(key)
        return None if kind is None else self._stores[kind.resource].get(key.namespace, key.name)

    def start(self) -> None:
        """Begin to fill the caches; once."""
        for reflector in self._reflectors:
            reflector.start()

    def stop(self) -> None:
        """Let the caches be as they are, within about a second."""
        # Beside one another: each may wait for a thread that still connects.
        with ThreadPoolExecutor(len(self._reflectors)) as pool:
            list(pool.map(Reflector.stop, self._reflectors))

    @property
    def has_synced(self) -> bool:
        """Return whether every cache has held a complete list."""
        return all(reflector.has_synced for reflector in self._reflectors)

    def problems(self) -> tuple[str, ...]:
        """Return which caches cannot be relied on, and why."""
        return cache_problems(self.counts())

    def counts(self) -> tuple[CacheCounts, ...]:
        """Return the numbers of each cache."""
        return tuple(reflector.snapshot() for reflector in self._reflectors)


def namespace_of(obj: Object) -> tuple[str]:
    """Return the namespace of an object, empty for kinds without, as an index wants it."""
    return (obj["metadata"].get("namespace") or "",)
