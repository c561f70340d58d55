"""The root owner of a pod: the object that its user wrote and that makes pods like it.

A fixed table says which kinds stand above which; every other controller is itself the root.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from autoscaler.api.object_key import ObjectKey
from autoscaler.api.object_names import is_name

ABOVE: Mapping[str, Sequence[str]] = MappingProxyType(
    {
        "ReplicaSet.apps": ("Deployment.apps", "Rollout.argoproj.io"),
        "Job.batch": ("CronJob.batch", "JobSet.jobset.x-k8s.io"),
        "StatefulSet.apps": ("LeaderWorkerSet.leaderworkerset.x-k8s.io",),
    }
)
"""``Kind.group`` to the kinds that may own it; an installation may add to it."""
NEVER_DIRECT = frozenset({"Deployment.apps", "Rollout.argoproj.io", "CronJob.batch"})
"""Kinds that make no pods themselves.  A pod that one controls was written by somebody who need
not have the right to scale it, and no controller takes such a pod for its own."""
_NONE: Mapping[str, Sequence[str]] = MappingProxyType({})
_MOST_STEPS = 8
_POD = "Pod"

Find = Callable[[ObjectKey], Mapping[str, Any] | None]
"""Returns an object, of which the metadata is enough; None: it is not known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """An owner of an object, direct or further up."""

    api_version: str
    kind: str
    name: str
    uid: str = ""
    """As the reference says it; empty where it says none."""

    @property
    def kind_and_group(self) -> str:
        """Return ``Kind.group``, as in the table."""
        group = self.api_version.rpartition("/")[0]
        return f"{self.kind}.{group}" if group else self.kind


def root_owner(
    pod: Mapping[str, Any],
    namespace: str,
    find: Find,
    *,
    added: Mapping[str, Sequence[str]] = _NONE,
    missing: Callable[[ObjectKey], None] = lambda _: None,
) -> Owner | None:
    """Return the root owner of a pod; None for a pod that no controller made or can have made.

    ``added`` are an installation's additions to the table.  An owner that cannot be found is the
    root as far as it is known, and told to ``missing``.
    """
    owner = _controller_of(pod)
    if owner is not None and owner.kind_and_group in NEVER_DIRECT:
        return None
    for _ in range(_MOST_STEPS if owner else 0):
        assert owner is not None
        kinds = _kinds_above(owner, added)
        if not kinds:
            break
        key = ObjectKey(owner.api_version, owner.kind, namespace, owner.name)
        found = find(key)
        if found is None:
            missing(key)
            break
        upper = _controller_of(found)
        if upper is None or upper.kind_and_group not in kinds:
            break
        owner = upper
    return owner


def owners_of(obj: Mapping[str, Any]) -> tuple[Owner, ...]:
    """Return all owners of an object, in their order; references that name nothing are left out."""
    return tuple(filter(None, map(_owner_of, _references(obj))))


def has_controller(obj: Mapping[str, Any]) -> bool:
    """Return whether a controller made an object, and makes another one where this one fails."""
    return _controller_of(obj) is not None


def other_owner(workload: Mapping[str, Any], owner: Owner | None) -> str:
    """Return who owns a workload, where it is nobody like the root owner of a pod; else empty.

    Owners are alike by kind and name, as one that was made anew has another uid.  Without a root
    owner, any bare pod is alike.
    """
    owners = owners_of(workload)
    if owner is None:
        is_known = any(each.kind_and_group == _POD for each in owners)
    else:
        own = (owner.kind_and_group, owner.name)
        is_known = any((each.kind_and_group, each.name) == own for each in owners)
    return "" if is_known or not owners else f"{owners[0].kind} {owners[0].name}"


def _kinds_above(owner: Owner, added: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    key = owner.kind_and_group
    return (*ABOVE.get(key, ()), *added.get(key, ()))


def _controller_of(obj: Mapping[str, Any]) -> Owner | None:
    """Return the controlling owner; references that name nothing sensible do not count."""
    controlling = (each for each in _references(obj) if each.get("controller") is True)
    return next(filter(None, map(_owner_of, controlling)), None)


def _references(obj: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    found = (obj.get("metadata") or {}).get("ownerReferences") or ()
    return [each for each in found if isinstance(each, Mapping)]


def _owner_of(reference: Mapping[str, Any]) -> Owner | None:
    api_version, kind, name, uid = (
        str(reference.get(key) or "") for key in ("apiVersion", "kind", "name", "uid")
    )
    if api_version and kind.isalnum() and is_name(name):
        return Owner(api_version=api_version, kind=kind, name=name, uid=uid)
    return None
