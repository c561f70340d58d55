"""Copies of everything that the live autoscaler looks at, kept up to date.

Workers are chosen by their label, so that of all other pods nothing is read.  An autoscaler that is
for a part of the namespaces reads all workloads too and leaves those of the others alone, because a
watch cannot be limited to several namespaces.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from autoscaler.api.names import COMPONENT, Component
from autoscaler.kube.cache_set import CachedKind, CacheSet, namespace_of
from autoscaler.kube.resource import (
    GPUS,
    HPAS,
    NAMESPACES,
    PODS,
    POOLS,
    QUOTAS,
    WORKLOADS,
)
from autoscaler.scaling.live.kept import (
    kept_of_gpu,
    kept_of_hpa,
    kept_of_pool,
    kept_of_worker,
    kept_of_workload,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from autoscaler.kube.api_server import ApiServer
    from autoscaler.kube.store import Object

BY_NAMESPACE = "namespace"
WORKERS = f"{COMPONENT}={Component.WORKER}"
KINDS = (
    CachedKind(resource=WORKLOADS, keep=kept_of_workload),
    CachedKind(resource=PODS, keep=kept_of_worker, label_selector=WORKERS),
    CachedKind(resource=GPUS, keep=kept_of_gpu),
    CachedKind(resource=POOLS, keep=kept_of_pool),
    CachedKind(resource=QUOTAS),
    CachedKind(resource=HPAS, keep=kept_of_hpa),
)


class ChosenCaches(CacheSet):
    """Caches of an autoscaler that may be for a part of the namespaces; thread-safe."""

    def __init__(
        self,
        api: ApiServer,
        kinds: Iterable[CachedKind],
        *,
        namespace: str,
        namespace_selector: str,
    ) -> None:
        """``namespace`` is that of the installation, which holds the switches.

        ``namespace_selector``, written as for kubectl, chooses the namespaces whose workloads this
        autoscaler looks after; empty: all.
        """
        chosen = CachedKind(resource=NAMESPACES, label_selector=namespace_selector)
        self.is_partial = bool(namespace_selector)
        """Whether it is for a part of the namespaces, which are a store then."""
        super().__init__(
            api, (*kinds, *((chosen,) if self.is_partial else ())), namespace=namespace
        )

    def has_chosen(self, namespace: str) -> bool:
        """Return whether this autoscaler looks after the workloads of a namespace."""
        return not self.is_partial or self.store(NAMESPACES).get(None, namespace) is not None


class LiveCaches(ChosenCaches):
    """The caches of one autoscaler; thread-safe."""

    def __init__(self, api: ApiServer, *, namespace: str, namespace_selector: str = "") -> None:
        """Arguments are those of ``ChosenCaches``."""
        super().__init__(api, KINDS, namespace=namespace, namespace_selector=namespace_selector)
        for resource in (WORKLOADS, QUOTAS):
            self.store(resource).add_index(BY_NAMESPACE, namespace_of)

    def workload(self, namespace: str, name: str) -> Object | None:
        """Return a workload that this autoscaler looks after; None where there is none."""
        if not self.has_chosen(namespace):
            return None
        return self.store(WORKLOADS).get(namespace, name)

    def workloads_of(self, namespace: str) -> tuple[Object, ...]:
        """Return the workloads of a namespace, by name, also of one that is not chosen."""
        return self.store(WORKLOADS).indexed(BY_NAMESPACE, namespace)

    def quotas(self, namespace: str) -> tuple[Object, ...]:
        """Return the GPUResourceQuotas of a namespace, by name."""
        return self.store(QUOTAS).indexed(BY_NAMESPACE, namespace)

    def pool(self, name: str) -> Object | None:
        """Return a GPUPool; None where there is none."""
        return self.store(POOLS).get(None, name)
