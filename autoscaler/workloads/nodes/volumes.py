"""Where the volumes of a pod may be used: the nodes that its bound claims allow.

A claim that waits for its first consumer allows every node; the scheduler decides with the storage
class, which is not looked at here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

from autoscaler.kube.resource import PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES, Resource
from autoscaler.kube.store import Object, Store
from autoscaler.workloads.nodes.node_terms import Terms


class Caches(Protocol):
    """Where claims and volumes are found; ``Cluster`` is one."""

    def store(self, resource: Resource) -> Store:
        """Return the objects of a kind."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumeTerm:
    """What one claim of a pod asks of its node."""

    claim: str
    terms: Terms | None = None
    """Terms of which a node must match one; None: every node will do."""
    problem: str = ""
    """Why the pod cannot run anywhere yet."""


VolumeTerms = tuple[VolumeTerm, ...]


def volume_terms(pod: Object, caches: Caches) -> VolumeTerms:
    """Return what the claims of a pod ask of its node; those that ask nothing are left out."""
    namespace = pod["metadata"].get("namespace") or ""
    read = [_term(namespace, claim, caches) for claim in _claims(pod)]
    return tuple(term for term in read if term.problem or term.terms is not None)


def _claims(pod: Object) -> Iterator[str]:
    for volume in (pod.get("spec") or {}).get("volumes") or ():
        claim: dict[str, Any] | None = volume.get("persistentVolumeClaim")
        if claim is not None:
            yield claim["claimName"]
        elif volume.get("ephemeral") is not None:
            yield f"{pod['metadata']['name']}-{volume['name']}"


def _term(namespace: str, claim: str, caches: Caches) -> VolumeTerm:
    found = caches.store(PERSISTENT_VOLUME_CLAIMS).get(namespace, claim)
    if found is None:
        return VolumeTerm(claim=claim, problem=f"PersistentVolumeClaim {claim} does not exist")
    name = (found.get("spec") or {}).get("volumeName")
    if not name:
        return VolumeTerm(claim=claim)
    volume = caches.store(PERSISTENT_VOLUMES).get("", name)
    if volume is None:
        problem = f"PersistentVolume {name} of claim {claim} does not exist"
        return VolumeTerm(claim=claim, problem=problem)
    affinity = (volume.get("spec") or {}).get("nodeAffinity") or {}
    required = affinity.get("required")
    return VolumeTerm(
        claim=claim,
        terms=None if required is None else tuple(required.get("nodeSelectorTerms") or ()),
    )
