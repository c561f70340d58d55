"""What an autoscaler beside an upstream operator watches: its workers, workloads and GPUs.

Workers are enough to work with.  Workloads and GPUs are read where they are there and may be read,
whatever of their shape has changed; without them less is known, and what that is the docs say.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from autoscaler.api.names import PREFIX, WORKLOAD_LABEL
from autoscaler.kube.cache_problems import cache_problems
from autoscaler.kube.cache_set import CachedKind
from autoscaler.kube.resource import GPUS, PODS, WORKLOADS
from autoscaler.scaling.live.caches import WORKERS, ChosenCaches
from autoscaler.scaling.live.kept import kept_of_gpu, kept_of_worker

if TYPE_CHECKING:
    from collections.abc import Iterable

    from autoscaler.kube.api_server import ApiServer
    from autoscaler.kube.reflector import CacheCounts
    from autoscaler.kube.store import Object

BY_WORKLOAD = "workload"
OPTIONAL = frozenset(f"{each.plural}.{each.group}" for each in (WORKLOADS, GPUS))
_OF_WORKLOAD = ("name", "namespace", "uid", "resourceVersion", "annotations", "deletionTimestamp")
_OF_SPEC = ("resources", "replicas", "qos", "gpuCount", "gpuModel", "poolName")


def kept_of_upstream_worker(obj: dict[str, Any]) -> dict[str, Any]:
    """Return a worker with all annotations of the group: settings stand there too."""
    annotations = obj["metadata"].get("annotations") or {}
    kept = kept_of_worker(obj)
    own = {key: text for key, text in annotations.items() if key.startswith(PREFIX)}
    kept["metadata"]["annotations"] = own
    return kept


def kept_of_upstream_workload(obj: dict[str, Any]) -> dict[str, Any]:
    """Return what a workload of the operator states, and nothing of its status."""
    metadata, spec = obj["metadata"], obj.get("spec")
    spec = spec if isinstance(spec, dict) else {}
    return {
        "apiVersion": obj.get("apiVersion"),
        "kind": obj.get("kind"),
        "metadata": {key: metadata[key] for key in _OF_WORKLOAD if key in metadata},
        "spec": {key: spec[key] for key in _OF_SPEC if key in spec},
    }


KINDS = (
    CachedKind(resource=PODS, keep=kept_of_upstream_worker, label_selector=WORKERS),
    CachedKind(resource=WORKLOADS, keep=kept_of_upstream_workload),
    CachedKind(resource=GPUS, keep=kept_of_gpu),
)


class UpstreamCaches(ChosenCaches):
    """The caches of one autoscaler beside an upstream operator; thread-safe."""

    def __init__(self, api: ApiServer, *, namespace: str, namespace_selector: str = "") -> None:
        """Arguments are those of ``ChosenCaches``."""
        super().__init__(api, KINDS, namespace=namespace, namespace_selector=namespace_selector)
        self.store(PODS).add_index(BY_WORKLOAD, _workload_names)

    @property
    def has_synced(self) -> bool:
        """Return whether every cache was filled; one that may be absent, or was found so."""
        return all(each.is_synced or _is_absent(each) for each in self.counts())

    def problems(self) -> tuple[str, ...]:
        """Return which caches cannot be relied on; those that may be absent are left out."""
        return cache_problems(each for each in self.counts() if not _is_absent(each))

    def workers_of(self, namespace: str, workload: str) -> tuple[Object, ...]:
        """Return the worker pods of a workload, by name."""
        return self.store(PODS).indexed(BY_WORKLOAD, f"{namespace}/{workload}")


def _is_absent(counts: CacheCounts) -> bool:
    """Return whether a kind that may be absent was asked for in vain so far."""
    return counts.resource in OPTIONAL and not counts.is_synced and counts.failures > 0


def _workload_names(pod: Object) -> Iterable[str]:
    metadata = pod["metadata"]
    name = (metadata.get("labels") or {}).get(WORKLOAD_LABEL)
    return (f"{metadata['namespace']}/{name}",) if name else ()
