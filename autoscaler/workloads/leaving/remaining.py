"""What stays in a cluster that is left: objects that users wrote, and workers that run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from autoscaler.api.names import COMPONENT, GPU_IDS, Component
from autoscaler.errors import NotFoundError
from autoscaler.kube.api_server import ApiServer
from autoscaler.kube.resource import (
    CONNECTIONS,
    GPUS,
    PODS,
    POOLS,
    QUOTAS,
    WORKLOAD_PROFILES,
    WORKLOADS,
    Resource,
)
from autoscaler.workloads.pod_state import has_ended, is_gated

OURS = (WORKLOAD_PROFILES, WORKLOADS, POOLS, QUOTAS, CONNECTIONS, GPUS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Remaining:
    """Objects of one kind that stay."""

    what: str
    """The kind, or which pods."""
    names: tuple[str, ...]
    """``namespace/name`` of each, or the name alone, in order."""


def remaining(api: ApiServer) -> tuple[Remaining, ...]:
    """Return what stays; a kind that is not installed is left out.  Raises ``KubeError``."""
    pods = [pod for page, _ in api.pages(PODS, label_selector=COMPONENT) for pod in page]
    running = [pod for pod in pods if not is_gated(pod) and not has_ended(pod)]
    of_pods = [
        Remaining(what="running workers", names=_names(running, Component.WORKER)),
        Remaining(what="running clients", names=_names(running, Component.CLIENT)),
    ]
    of_kinds = []
    for resource in OURS:
        try:
            of_kinds.append(objects_of(api, resource))
        except NotFoundError:
            continue
    return (*of_pods, *of_kinds)


def objects_of(api: ApiServer, resource: Resource) -> Remaining:
    """Return the objects of a kind.  Raises ``KubeError``, also where it is not installed."""
    pages = api.pages(resource, is_metadata_only=True)
    names = sorted(_name(obj) for objects, _ in pages for obj in objects)
    return Remaining(what=resource.kind, names=tuple(names))


def _names(pods: Sequence[Mapping[str, Any]], component: Component) -> tuple[str, ...]:
    return tuple(sorted(_name(pod) for pod in pods if _is(pod["metadata"], component)))


def _is(metadata: Mapping[str, Any], component: Component) -> bool:
    if metadata["labels"].get(COMPONENT) != component:
        return False
    # A worker that was let go without a GPU is a pod like any other.
    return component is Component.CLIENT or GPU_IDS in (metadata.get("annotations") or {})


def _name(obj: Mapping[str, Any]) -> str:
    metadata = obj["metadata"]
    namespace = metadata.get("namespace")
    return f"{namespace}/{metadata['name']}" if namespace else str(metadata["name"])
