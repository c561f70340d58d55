"""Which workloads are to be looked at when an object changes, found by indexes.

Indexes are added to the caches before those are started.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from autoscaler.api.names import WORKLOAD_LABEL
from autoscaler.kube.resource import PODS, WORKLOADS
from autoscaler.kube.store import Object
from autoscaler.workloads.cluster import BY_NAMESPACE, Cluster
from autoscaler.workloads.generation.generated import profile_of
from autoscaler.workloads.pod_state import component_of
from autoscaler.workloads.work import WorkKey, WorkKind

_BY_POOL, _BY_OWNER, _BY_PROFILE = "pool", "owner", "profile"


class WorkloadKeys:
    """Looks up workloads by what they depend on; thread-safe."""

    def __init__(self, cluster: Cluster) -> None:
        self._pods, self._workloads = cluster.store(PODS), cluster.store(WORKLOADS)
        self._workloads.add_index(_BY_POOL, _pool_of)
        self._workloads.add_index(_BY_OWNER, _owners_of)
        self._pods.add_index(_BY_OWNER, _controllers_of)
        self._pods.add_index(_BY_PROFILE, _profile_of)

    def all(self) -> Iterator[WorkKey]:
        """Return the keys of all workloads."""
        return _keys(self._workloads.items())

    def of_pool(self, pool: str) -> Iterator[WorkKey]:
        """Return the keys of the workloads of a pool."""
        return _keys(self._workloads.indexed(_BY_POOL, pool))

    def of_namespace(self, namespace: str) -> Iterator[WorkKey]:
        """Return the keys of the workloads of a namespace."""
        return _keys(self._workloads.indexed(BY_NAMESPACE, namespace))

    def of_owner(self, uid: str) -> Iterator[WorkKey]:
        """Return the keys of the workloads that an object owns, or makes pods for."""
        yield from _keys(self._workloads.indexed(_BY_OWNER, uid))
        yield from self.of_pods(self._pods.indexed(_BY_OWNER, uid))

    def of_profile(self, namespace: str, name: str) -> Iterator[WorkKey]:
        """Return the keys of the workloads whose pods name a profile."""
        return self.of_pods(self._pods.indexed(_BY_PROFILE, f"{namespace}/{name}"))

    @staticmethod
    def of_pods(pods: Iterable[Object]) -> Iterator[WorkKey]:
        """Return the keys of the workloads that pods name, each once."""
        keys = (workload_key_of(pod) for pod in pods)
        return iter(dict.fromkeys(key for key in keys if key is not None))


def workload_key_of(pod: Object) -> WorkKey | None:
    """Return the key of the workload of a worker or client; None for any other pod."""
    metadata = pod["metadata"]
    name = (metadata.get("labels") or {}).get(WORKLOAD_LABEL)
    if not name or component_of(pod) is None:
        return None
    return WorkKey(WorkKind.WORKLOAD, metadata["namespace"], name)


def _keys(workloads: Iterable[Object]) -> Iterator[WorkKey]:
    for workload in workloads:
        metadata = workload["metadata"]
        yield WorkKey(WorkKind.WORKLOAD, metadata["namespace"], metadata["name"])


def _pool_of(workload: Object) -> Iterable[str]:
    return filter(None, [(workload.get("spec") or {}).get("poolName")])


def _owners_of(workload: Object) -> Iterable[str]:
    """Return the UIDs of owners, also of those that a user's workload only lists in its status."""
    references = workload["metadata"].get("ownerReferences") or ()
    listed = (workload.get("status") or {}).get("owners") or ()
    return {each["uid"] for each in (*references, *listed) if each.get("uid")}


def _controllers_of(pod: Object) -> Iterable[str]:
    references = pod["metadata"].get("ownerReferences") or ()
    return {each["uid"] for each in references if each.get("controller")}


def _profile_of(pod: Object) -> Iterable[str]:
    name = profile_of(pod) if component_of(pod) is not None else None
    return [f"{pod['metadata']['namespace']}/{name}"] if name else []
