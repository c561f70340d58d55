"""Who made the pods of a workload: pods by their root owner.  Pure.

What follows from that for the workload itself is ``workload_owners``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from autoscaler.api.names import GENERATE_WORKLOAD
from autoscaler.api.object_key import ObjectKey
from autoscaler.api.root_owner import Find, Owner, root_owner
from autoscaler.kube.resource import PODS
from autoscaler.kube.store import Object
from autoscaler.workloads.cluster import KINDS
from autoscaler.workloads.pod_state import (
    age,
    is_deleted,
    is_live,
    is_made_by_controller,
)
from autoscaler.workloads.template_revision import template_revision

_KEPT = frozenset(
    (each.resource.group, each.resource.kind) for each in KINDS if each.resource.is_namespaced
)
"""Kinds of owners that the caches show, where they are there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnedPods:
    """A root owner and those of its pods that belong to one workload."""

    owner: Owner
    pods: tuple[Object, ...]
    """The newest first, of one second the one of the newest template; never empty."""
    is_going: bool
    """The owner is about to be deleted."""
    shapes: bool
    """Its pods own and shape the workload; else they join one that is there."""

    @property
    def newest(self) -> Object | None:
        """Return the newest pod that has neither ended nor is about to go; None: there is none."""
        return next((pod for pod in self.pods if is_live(pod)), None)


def pods_by_owner(
    pods: Sequence[Object], find: Find, added: Mapping[str, Sequence[str]]
) -> tuple[tuple[OwnedPods, ...], bool]:
    """Return pods by root owner in order of names, and whether the owner of every pod is known.

    Worker pods of the controller are left out.  ``added`` are an installation's additions to the
    table of owners.
    """
    found: dict[tuple[Owner, bool], list[Object]] = {}
    is_complete = True
    for pod in pods:
        if is_made_by_controller(pod):
            continue
        owner = _root(pod, find, added)
        if owner is None:
            is_complete = False
        else:
            found.setdefault((owner, _shapes(pod)), []).append(pod)
    groups = [
        OwnedPods(
            owner=owner,
            pods=tuple(sorted(owned, key=partial(_newness, find=find), reverse=True)),
            is_going=_is_going(owner, owned[0]["metadata"]["namespace"], find),
            shapes=shapes,
        )
        for (owner, shapes), owned in found.items()
    ]
    return tuple(sorted(groups, key=lambda each: (order(each.owner), each.shapes))), is_complete


def is_there(owner: Owner, namespace: str, find: Find) -> bool:
    """Return whether an owner exists; one of a kind that is not cached does."""
    key = ObjectKey(owner.api_version, owner.kind, namespace, owner.name)
    found = find(key)
    return bool(found["metadata"].get("uid") == owner.uid) if found else not _is_kept(key)


def order(owner: Owner) -> tuple[str, str, str]:
    """Return what sorts owners."""
    return owner.kind_and_group, owner.name, owner.uid


def _newness(pod: Object, find: Find) -> tuple[str, int, str]:
    created, name = age(pod)
    return created, template_revision(pod, find), name


def _shapes(pod: Object) -> bool:
    text = (pod["metadata"].get("annotations") or {}).get(GENERATE_WORKLOAD) or ""
    return bool(text.strip().lower() != "false")


def _root(pod: Object, find: Find, added: Mapping[str, Sequence[str]]) -> Owner | None:
    """Return the root owner of a pod, itself where nothing made it; None: it cannot be told yet.

    An owner that the caches do not show comes soon, or is gone and its pods will be.
    """
    metadata = pod["metadata"]
    unknown: list[ObjectKey] = []
    owner = root_owner(pod, metadata["namespace"], find, added=added, missing=unknown.append)
    if owner is None:
        return Owner(
            api_version=PODS.api_version,
            kind=PODS.kind,
            name=metadata["name"],
            uid=metadata.get("uid") or "",
        )
    is_known = not any(map(_is_kept, unknown)) and is_there(owner, metadata["namespace"], find)
    return owner if is_known else None


def _is_going(owner: Owner, namespace: str, find: Find) -> bool:
    found = find(ObjectKey(owner.api_version, owner.kind, namespace, owner.name))
    return found is not None and is_deleted(found)


def _is_kept(key: ObjectKey) -> bool:
    return (key.api_version.rpartition("/")[0], key.kind) in _KEPT
