"""Reads each pod that shapes a workload once, however often the workload is looked at.

A look at a workload follows every change of its pods, and reading all layers anew is most of what
it costs.  What is read depends on nothing but the texts that are compared here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from autoscaler.api.names import POOL_LABEL, WORKLOAD_LABEL
from autoscaler.kube.resource import POOLS, WORKLOAD_PROFILES
from autoscaler.workloads.generation.generated import Generated, generated_spec, profile_of

if TYPE_CHECKING:
    from autoscaler.kube.store import Object
    from autoscaler.workloads.cluster import Cluster

_Read = tuple[Mapping[str, Any] | None, ...]
"""Labels and annotations of a pod, ``spec`` of its profile and of its pool."""


class Generating:
    """Remembers the last reading of each workload; thread-safe, one thread for one workload."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._last: dict[tuple[str, str], tuple[_Read, Generated]] = {}

    def generated(self, pod: Object) -> Generated:
        """Return the spec that follows from a pod, its profile and its pool as they are now."""
        metadata = pod["metadata"]
        namespace, labels = metadata["namespace"], metadata["labels"]
        profile = self._cluster.store(WORKLOAD_PROFILES).get(namespace, profile_of(pod) or "")
        pool = self._cluster.store(POOLS).get(None, labels.get(POOL_LABEL) or "")
        read = labels, metadata.get("annotations"), _spec(profile), _spec(pool)
        key = namespace, labels[WORKLOAD_LABEL]
        last = self._last.get(key)
        if last is not None and last[0] == read:
            return last[1]
        generated = generated_spec(pod, profile, pool)
        self._last[key] = read, generated
        return generated

    def forget(self, namespace: str, name: str) -> None:
        """Forget a workload that is gone."""
        self._last.pop((namespace, name), None)


def _spec(obj: Object | None) -> Mapping[str, Any] | None:
    return None if obj is None else obj.get("spec") or {}
