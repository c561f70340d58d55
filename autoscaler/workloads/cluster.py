"""Copies of everything that the controller looks at, kept up to date, with their indexes.

Everything is a cache over the API server; what is reserved beside it is ``books``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from autoscaler.api.control import Control, control_from
from autoscaler.api.names import CONTROL_CONFIG_MAP, GPU_IDS, WORKLOAD_LABEL
from autoscaler.api.object_key import ObjectKey
from autoscaler.kube.reflector import CacheCounts, Reflector, without_managed_fields
from autoscaler.kube.resource import (
    CONFIG_MAPS,
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
    Resource,
)
from autoscaler.kube.store import Object, Store
from autoscaler.workloads.kept import kept_of_node, kept_of_owner, kept_of_pod, kept_of_volume

if TYPE_CHECKING:
    from autoscaler.kube.api_server import ApiServer

BY_WORKLOAD, BY_NAMESPACE, BY_GPU, BY_STATE = "workload", "namespace", "gpu", "state"
_LEAVING = "leaving"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cached:
    """One kind that is kept."""

    resource: Resource
    keep: Callable[[dict[str, Any]], dict[str, Any]]


KINDS = (
    Cached(resource=PODS, keep=kept_of_pod),
    Cached(resource=NODES, keep=kept_of_node),
    Cached(resource=GPUS, keep=without_managed_fields),
    Cached(resource=POOLS, keep=without_managed_fields),
    Cached(resource=WORKLOADS, keep=without_managed_fields),
    Cached(resource=WORKLOAD_PROFILES, keep=without_managed_fields),
    Cached(resource=QUOTAS, keep=without_managed_fields),
    Cached(resource=CONNECTIONS, keep=without_managed_fields),
    Cached(resource=DEPLOYMENTS, keep=kept_of_owner),
    Cached(resource=STATEFUL_SETS, keep=kept_of_owner),
    Cached(resource=REPLICA_SETS, keep=kept_of_owner),
    Cached(resource=JOBS, keep=kept_of_owner),
    Cached(resource=PERSISTENT_VOLUME_CLAIMS, keep=kept_of_volume),
    Cached(resource=PERSISTENT_VOLUMES, keep=kept_of_volume),
)


class Cluster:
    """The caches of one controller; thread-safe."""

    def __init__(self, api: ApiServer, *, namespace: str) -> None:
        """``namespace`` is that of the installation, which holds the switches."""
        self._namespace = namespace
        self._stores = {each.resource: Store() for each in KINDS}
        self._of_kind = {(r.group, r.kind): store for r, store in self._stores.items()}
        self._controls = Store()
        _add_indexes(self)
        self._reflectors = [
            Reflector(api, each.resource, store=self._stores[each.resource], keep=each.keep)
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

    def find(self, key: ObjectKey) -> Object | None:
        """Return an object; None where it is not there, or of a kind that is not kept."""
        store = self._of_kind.get((key.api_version.rpartition("/")[0], key.kind))
        return None if store is None else store.get(key.namespace, key.name)

    def pods_of_workload(self, namespace: str, name: str) -> tuple[Object, ...]:
        """Return workers and clients that name a workload, by name."""
        return self._stores[PODS].indexed(BY_WORKLOAD, f"{namespace}/{name}")

    def pods_on_gpu(self, gpu: str) -> tuple[Object, ...]:
        """Return the pods whose ``gpu-ids`` name a GPU, given by the name of its object."""
        return self._stores[PODS].indexed(BY_GPU, gpu)

    def leaving_pods(self) -> tuple[Object, ...]:
        """Return the pods that are about to go, those that are not ours included."""
        return self._stores[PODS].indexed(BY_STATE, _LEAVING)

    def quotas(self, namespace: str) -> tuple[Object, ...]:
        """Return the quotas of a namespace, by name."""
        return self._stores[QUOTAS].indexed(BY_NAMESPACE, namespace)

    def start(self) -> None:
        """Begin to fill the caches."""
        for reflector in self._reflectors:
            reflector.start()

    def stop(self) -> None:
        """Let the caches be as they are, within about a second."""
        with ThreadPoolExecutor(len(self._reflectors)) as pool:
            list(pool.map(Reflector.stop, self._reflectors))

    @property
    def has_synced(self) -> bool:
        """Return whether every cache has held a complete list."""
        return all(reflector.has_synced for reflector in self._reflectors)

    def counts(self) -> tuple[CacheCounts, ...]:
        """Return the numbers of each cache."""
        return tuple(reflector.snapshot() for reflector in self._reflectors)


def gpus_of(pod: Object) -> tuple[str, ...]:
    """Return the names of the GPU objects that a pod was placed on, in the order of ``gpu-ids``."""
    text = (pod["metadata"].get("annotations") or {}).get(GPU_IDS) or ""
    return tuple(part.strip().lower() for part in text.split(",") if part.strip())


def _add_indexes(cluster: Cluster) -> None:
    pods = cluster.store(PODS)
    pods.add_index(BY_WORKLOAD, _workload_of)
    pods.add_index(BY_GPU, gpus_of)
    pods.add_index(BY_NAMESPACE, _namespace_of)
    pods.add_index(BY_STATE, _states_of)
    for resource in (QUOTAS, WORKLOADS, CONNECTIONS):
        cluster.store(resource).add_index(BY_NAMESPACE, _namespace_of)


def _workload_of(pod: Object) -> Iterable[str]:
    name = (pod["metadata"].get("labels") or {}).get(WORKLOAD_LABEL)
    return [f"{pod['metadata']['namespace']}/{name}"] if name else []


def _states_of(pod: Object) -> Iterable[str]:
    return [_LEAVING] if pod["metadata"].get("deletionTimestamp") else []


def _namespace_of(obj: Object) -> Iterable[str]:
    return [obj["metadata"].get("namespace") or ""]
