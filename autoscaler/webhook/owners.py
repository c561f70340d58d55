"""The root owner of a pod: the object that its user wrote and that makes pods like it.

A fixed table says which kinds stand above which; every other controller is itself the root.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from autoscaler.api.object_key import ObjectKey
from autoscaler.webhook.admission import Object
from autoscaler.webhook.object_names import is_name
from autoscaler.webhook.snapshot import Snapshot
from autoscaler.webhook.verdict import Verdict

ABOVE: Mapping[str, Sequence[str]] = MappingProxyType(
    {
        "ReplicaSet.apps": ("Deployment.apps", "Rollout.argoproj.io"),
        "Job.batch": ("CronJob.batch", "JobSet.jobset.x-k8s.io"),
        "StatefulSet.apps": ("LeaderWorkerSet.leaderworkerset.x-k8s.io",),
    }
)
"""``Kind.group`` to the kinds that may own it; an installation may add to it."""
_MOST_STEPS = 8
_POD = "Pod"


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """A controller of a pod, direct or further up."""

    api_version: str
    kind: str
    name: str

    @property
    def kind_and_group(self) -> str:
        """Return ``Kind.group``, as in the table."""
        group = self.api_version.rpartition("/")[0]
        return f"{self.kind}.{group}" if group else self.kind


def root_owner(pod: Object, namespace: str, snapshot: Snapshot, verdict: Verdict) -> Owner | None:
    """Return the root owner of a pod; None for a pod that no controller made.

    An owner that cannot be found is the root as far as it is known, and noted as missing.
    """
    owner = _controller_of(pod)
    for _ in range(_MOST_STEPS if owner else 0):
        assert owner is not None
        kinds = _kinds_above(owner, snapshot.installation.root_owners)
        if not kinds:
            break
        key = ObjectKey(owner.api_version, owner.kind, namespace, owner.name)
        found = snapshot.find(key)
        if found is None:
            verdict.miss(key)
            break
        upper = _controller_of(found)
        if upper is None or upper.kind_and_group not in kinds:
            break
        owner = upper
    return owner


def other_owner(workload: Object, owner: Owner | None) -> str:
    """Return who owns a workload, where it is nobody like the root owner of a pod; else empty.

    Without a root owner, any bare pod is alike.
    """
    owners = [found for found in map(_owner_of, _references(workload)) if found is not None]
    if owner is None:
        is_known = any(each.kind_and_group == _POD for each in owners)
    else:
        own = (owner.kind_and_group, owner.name)
        is_known = any((each.kind_and_group, each.name) == own for each in owners)
    return "" if is_known or not owners else f"{owners[0].kind} {owners[0].name}"


def _kinds_above(owner: Owner, added: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    key = owner.kind_and_group
    return (*ABOVE.get(key, ()), *added.get(key, ()))


def _controller_of(obj: Object) -> Owner | None:
    """Return the controlling owner; references that name nothing sensible do not count."""
    controlling = (each for each in _references(obj) if each.get("controller") is True)
    return next(filter(None, map(_owner_of, controlling)), None)


def _references(obj: Object) -> list[Mapping[str, Any]]:
    found = (obj.get("metadata") or {}).get("ownerReferences") or ()
    return [each for each in found if isinstance(each, Mapping)]


def _owner_of(reference: Mapping[str, Any]) -> Owner | None:
    api_version, kind, name = (
        str(reference.get(key) or "") for key in ("apiVersion", "kind", "name")
    )
    if api_version and kind.isalnum() and is_name(name):
        return Owner(api_version=api_version, kind=kind, name=name)
    return None
