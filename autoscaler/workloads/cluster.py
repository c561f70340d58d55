"""Copies of everything that the controller looks at, kept up to date, with their indexes.

Everything is a cache over the API server; what is reserved beside it is ``books``.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from autoscaler.api.names import GPU_IDS, WORKLOAD_LABEL
from autoscaler.kube.cache_set import CachedKind, CacheSet, namespace_of
from autoscaler.kube.resource import (
    CONNECTIONS,
    DEPLOYMENTS,
    GPUS,
    JOBS,
    NODES,
    PERSISTENT_VOLUME_CLAIMS,
    PERSISTENT_VOLUMES,
    PODS,
    POOLS,
    QUOTAS,
    REPLICA_SETS,
    STATEFUL_SETS,
    WORKLOAD_PROFILES,
    WORKLOADS,
)
from autoscaler.kube.store import Object
from autoscaler.workloads.kept import kept_of_node, kept_of_owner, kept_of_pod, kept_of_volume

if TYPE_CHECKING:
    from autoscaler.kube.api_server import ApiServer

BY_WORKLOAD, BY_NAMESPACE, BY_GPU, BY_STATE = "workload", "namespace", "gpu", "state"
_LEAVING = "leaving"
KINDS = (
    CachedKind(resource=PODS, keep=kept_of_pod),
    CachedKind(resource=NODES, keep=kept_of_node),
    CachedKind(resource=GPUS),
    CachedKind(resource=POOLS),
    CachedKind(resource=WORKLOADS),
    CachedKind(resource=WORKLOAD_PROFILES),
    CachedKind(resource=QUOTAS),
    CachedKind(resource=CONNECTIONS),
    CachedKind(resource=DEPLOYMENTS, keep=kept_of_owner),
    CachedKind(resource=STATEFUL_SETS, keep=kept_of_owner),
    CachedKind(resource=REPLICA_SETS, keep=kept_of_owner),
    CachedKind(resource=JOBS, keep=kept_of_owner),
    CachedKind(resource=PERSISTENT_VOLUME_CLAIMS, keep=kept_of_volume),
    CachedKind(resource=PERSISTENT_VOLUMES, keep=kept_of_volume),
)


class Cluster(CacheSet):
    """The caches of one controller; thread-safe."""

    def __init__(self, api: ApiServer, *, namespace: str) -> None:
        """``namespace`` is that of the installation, which holds the switches."""
        super().__init__(api, KINDS, namespace=namespace)
        _add_indexes(self)

    def pods_of_workload(self, namespace: str, name: str) -> tuple[Object, ...]:
        """Return workers and clients that name a workload, by name."""
        return self.store(PODS).indexed(BY_WORKLOAD, f"{namespace}/{name}")

    def pods_on_gpu(self, gpu: str) -> tuple[Object, ...]:
        """Return the pods whose ``gpu-ids`` name a GPU, given by the name of its object."""
        return self.store(PODS).indexed(BY_GPU, gpu)

    def leaving_pods(self) -> tuple[Object, ...]:
        """Return the pods that are about to go, those that are not ours included."""
        return self.store(PODS).indexed(BY_STATE, _LEAVING)

    def quotas(self, namespace: str) -> tuple[Object, ...]:
        """Return the quotas of a namespace, by name."""
        return self.store(QUOTAS).indexed(BY_NAMESPACE, namespace)


def gpus_of(pod: Object) -> tuple[str, ...]:
    """Return the names of the GPU objects that a pod was placed on, in the order of ``gpu-ids``."""
    text = (pod["metadata"].get("annotations") or {}).get(GPU_IDS) or ""
    return tuple(part.strip().lower() for part in text.split(",") if part.strip())


def _add_indexes(cluster: Cluster) -> None:
    pods = cluster.store(PODS)
    pods.add_index(BY_WORKLOAD, _workload_of)
    pods.add_index(BY_GPU, gpus_of)
    pods.add_index(BY_NAMESPACE, namespace_of)
    pods.add_index(BY_STATE, _states_of)
    for resource in (QUOTAS, WORKLOADS, CONNECTIONS):
        cluster.store(resource).add_index(BY_NAMESPACE, namespace_of)


def _workload_of(pod: Object) -> Iterable[str]:
    name = (pod["metadata"].get("labels") or {}).get(WORKLOAD_LABEL)
    return [f"{pod['metadata']['namespace']}/{name}"] if name else []


def _states_of(pod: Object) -> Iterable[str]:
    return [_LEAVING] if pod["metadata"].get("deletionTimestamp") else []
