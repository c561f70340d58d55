"""The pool of a pod."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from autoscaler.api.names import GPU_POOL, IS_DEFAULT_POOL
from autoscaler.api.naming import LONGEST
from autoscaler.api.object_key import ObjectKey
from autoscaler.api.object_names import name_problem
from autoscaler.kube.resource import POOLS
from autoscaler.webhook.admission import Object
from autoscaler.webhook.layers import Layers
from autoscaler.webhook.snapshot import Snapshot
from autoscaler.webhook.verdict import Verdict
from recommender.errors import Problem

DEFAULT_SOURCE = "default pool"
_MOST_NAMED = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """A GPUPool as admission needs it."""

    name: str
    source: str
    """Where it was named."""
    spec: Mapping[str, Any]

    def component(self, name: str) -> Mapping[str, Any]:
        """Return one part of ``componentConfig``; empty where the pool says nothing of it."""
        return (self.spec.get("componentConfig") or {}).get(name) or {}


def choose_pool(layers: Layers, snapshot: Snapshot, verdict: Verdict) -> Pool | None:
    """Return the pool that annotation, workload or profile name, else the default pool.

    None where there is no such pool, which is refused.
    """
    written = layers.find(GPU_POOL, "poolName")
    if written is None:
        return _default_pool(snapshot, verdict)
    name = str(written.value).strip()
    problem = name_problem(name, written.path, longest=LONGEST)
    if problem:
        verdict.refuse(problem)
        return None
    key = ObjectKey(POOLS.api_version, POOLS.kind, "", name)
    found = snapshot.find(key)
    if found is None:
        verdict.miss(key)
        verdict.refuse(
            Problem(written.path, f"{name!r} is no GPUPool; allowed: {_names(snapshot)}")
        )
        return None
    return _pool(found, name, written.path.partition(" spec.")[0])


def _default_pool(snapshot: Snapshot, verdict: Verdict) -> Pool | None:
    for pool in snapshot.pools():
        metadata = pool.get("metadata") or {}
        if (metadata.get("annotations") or {}).get(IS_DEFAULT_POOL) == "true":
            return _pool(pool, str(metadata.get("name")), DEFAULT_SOURCE)
    verdict.refuse(
        Problem(
            f"annotation {GPU_POOL}",
            f"not set, and no GPUPool is the default one (annotation "
            f"{IS_DEFAULT_POOL}: 'true'); allowed: {_names(snapshot)}",
        )
    )
    return None


def _pool(obj: Object, name: str, source: str) -> Pool:
    return Pool(name=name, source=source, spec=obj.get("spec") or {})


def _names(snapshot: Snapshot) -> str:
    names = [str((pool.get("metadata") or {}).get("name")) for pool in snapshot.pools()]
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    return ", ".join(names[:_MOST_NAMED]) + more if names else "none, as there is no GPUPool yet"
