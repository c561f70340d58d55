"""The kinds whose pod templates are written, and what follows from a changed template."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from autoscaler.kube.resource import (
    CRON_JOBS,
    DAEMON_SETS,
    DEPLOYMENTS,
    REPLICA_SETS,
    ROLLOUTS,
    STATEFUL_SETS,
    Resource,
)
from recommender.report.owners import annotations_path
from recommender.sentences import counted

OWNER_KINDS: Mapping[str, Resource] = MappingProxyType(
    {
        kind.kind: kind
        for kind in (
            DEPLOYMENTS,
            STATEFUL_SETS,
            DAEMON_SETS,
            REPLICA_SETS,
            CRON_JOBS,
            ROLLOUTS,
        )
    }
)
"""Kind to where its objects are; a Job's template cannot be changed once it runs."""
_KEEPERS = (
    ("labels", "kustomize.toolkit.fluxcd.io/name", "Flux"),
    ("labels", "helm.toolkit.fluxcd.io/name", "Flux"),
    ("annotations", "argocd.argoproj.io/tracking-id", "Argo CD"),
    ("annotations", "meta.helm.sh/release-name", "Helm"),
)


def template_annotations_path(kind: str) -> tuple[str, ...]:
    """Return where the pod template of a kind of the table has annotations."""
    path = annotations_path(f"{kind}/any")
    assert path is not None, f"{kind} is of the table"
    return path


def template_metadata(kind: str, obj: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the metadata of an owner's pod template."""
    value: Any = obj
    for key in template_annotations_path(kind)[:-1]:
        value = (value or {}).get(key)
    return value or {}


def pods_made_anew(kind: str, obj: Mapping[str, Any]) -> int:
    """Return how many pods a changed template replaces at once."""
    spec = obj.get("spec") or {}
    if kind in {"CronJob", "ReplicaSet"} or spec.get("paused") or _waits_for_deletion(spec):
        return 0
    if kind == "DaemonSet":
        return int((obj.get("status") or {}).get("desiredNumberScheduled") or 0)
    replicas = spec.get("replicas")
    return 1 if replicas is None else int(replicas)


def consequence_of(kind: str, obj: Mapping[str, Any]) -> str:
    """Return what follows from a changed template, in words."""
    spec = obj.get("spec") or {}
    if kind == "CronJob":
        return "counts from its next run on"
    if kind == "ReplicaSet" or _waits_for_deletion(spec):
        return "counts for pods that are made anew; running ones stay as they are"
    if spec.get("paused"):
        return "a rollout, once it is no longer paused"
    pods = pods_made_anew(kind, obj)
    return f"a rollout of {counted(pods, 'pod')}" if pods else "no pod runs now"


def keeper_note(obj: Mapping[str, Any]) -> str:
    """Return a warning where another tool puts the object back; empty where none is known."""
    metadata = obj["metadata"]
    for group, key, tool in _KEEPERS:
        if key in (metadata.get(group) or {}):
            return (
                f"kept by {tool}, which may put it back: better change its source, for example "
                "with tfa report -o kustomize"
            )
    return ""


def _waits_for_deletion(spec: Mapping[str, Any]) -> bool:
    return (spec.get("updateStrategy") or {}).get("type") == "OnDelete"
