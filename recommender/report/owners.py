"""Where the owner of a workload keeps what a report recommends, by the owner's kind.

Only kinds whose pod template is known to be where it is are patched.  What a patch holds is
``patches``.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

_TEMPLATE = ("spec", "template", "metadata", "annotations")
_PATHS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "Deployment": _TEMPLATE,
        "StatefulSet": _TEMPLATE,
        "DaemonSet": _TEMPLATE,
        "ReplicaSet": _TEMPLATE,
        "Job": _TEMPLATE,
        "CronJob": ("spec", "jobTemplate", *_TEMPLATE),
        "Rollout": _TEMPLATE,
    }
)
"""Kind to where its pod template has annotations."""
_API_VERSIONS = {"Job": "batch/v1", "CronJob": "batch/v1", "Rollout": "argoproj.io/v1alpha1"}
_WITH_REPLICAS = frozenset({"Deployment", "StatefulSet", "ReplicaSet", "Rollout"})
ASSUMED_KIND = "Deployment"
_ASSUMED = (
    "the owner's kind is not known, and a Deployment of the workload's name is assumed; state "
    "owner in the workloads file (--workloads)"
)
_OF_A_POD = (
    "a bare pod has no template to patch: state the amounts where the pod is made, and start it "
    "anew"
)
_OF_A_JOB = (
    "the pod template of a Job can be changed only while the Job is suspended and has not started: "
    "else state the amounts in its manifest, and create it anew"
)


def kind_and_name(owner: str | None, workload: str) -> tuple[str, str]:
    """Return kind and name of ``Kind/name``; a Deployment of the workload's name where unknown."""
    kind, _, name = (owner or "").partition("/")
    return (kind, name) if kind and name else (ASSUMED_KIND, workload)


def annotations_path(owner: str | None) -> tuple[str, ...] | None:
    """Return where the pod template of an owner has annotations; None where there is none."""
    return _PATHS.get(kind_and_name(owner, "")[0])


def has_replicas(owner: str | None) -> bool:
    """Return whether the replicas of an owner can be set."""
    return kind_and_name(owner, "")[0] in _WITH_REPLICAS


def api_version(kind: str) -> str:
    """Return the version of the API that a kind belongs to."""
    return _API_VERSIONS.get(kind, "apps/v1")


def remark(owner: str | None) -> str:
    """Return what must be known before an owner is patched, or why it is not; may be empty."""
    kind, name = kind_and_name(owner, "")
    if not name:
        return _ASSUMED
    if kind in {"Pod", "Job"}:
        return _OF_A_POD if kind == "Pod" else _OF_A_JOB
    return "" if kind in _PATHS else f"where a {kind} keeps its pod template is not known"
