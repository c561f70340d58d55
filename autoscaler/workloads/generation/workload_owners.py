"""Whom a workload belongs to, and whose settings its ``spec`` follows.  Pure.

It belongs to all root owners that make its pods, by references that do not control it, so that it
goes with the last of them.  Its spec follows the first one.  Pods that only join an existing
workload (``generate-workload: 'false'``) own nothing, and a workload that a user wrote belongs to
whom its user says.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from autoscaler.api.names import GENERATED_FROM, WORKLOAD
from autoscaler.api.naming import derived_workload_name
from autoscaler.api.root_owner import Find, Owner, owners_of
from autoscaler.kube.resource import PODS
from autoscaler.kube.store import Object
from autoscaler.workloads.generation.pod_owners import OwnedPods, is_there, order, pods_by_owner
from autoscaler.workloads.pod_state import age

MOST_OWNERS = 100
"""That are written down of one workload; bare pods may be many."""
_MOST_NAMED = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkloadOwners:
    """What follows from the pods of a workload for its owners."""

    of_pods: tuple[OwnedPods, ...]
    """All root owners that have pods now, in order of their names."""
    first: OwnedPods | None
    """Whom the spec follows; None where it has no pods now, or a user wrote the workload."""
    generated_from: str
    """Value of ``GENERATED_FROM``; empty where nobody shapes the workload."""
    references: tuple[Mapping[str, Any], ...]
    """``ownerReferences`` that it is to have."""
    conflict: str
    """Who is here because a derived name happens to be the same; empty: nobody."""
    is_complete: bool
    """Whether the root owner of every pod is known; else it is to be looked at again soon."""

    @property
    def may_create(self) -> bool:
        """Return whether there is somebody to make the workload for."""
        first = self.first
        return first is not None and first.newest is not None and not first.is_going


def workload_owners(
    workload: Object | None,
    key: tuple[str, str],
    pods: Sequence[Object],
    find: Find,
    added: Mapping[str, Sequence[str]],
) -> WorkloadOwners:
    """Return the owners of the workload of this namespace and name, None where there is none yet.

    ``pods`` are all that name it; ``added`` are an installation's additions to the table of owners.
    """
    namespace, name = key
    groups, is_complete = pods_by_owner(pods, find, added)
    present = _references(workload)
    if workload is not None and not is_generated(workload):
        return WorkloadOwners(
            of_pods=groups,
            first=None,
            generated_from="",
            references=present,
            conflict="",
            is_complete=is_complete,
        )
    shaping = [group for group in groups if group.shapes]
    known = [each for each in owners_of(workload or {}) if is_there(each, namespace, find)]
    first = _first(_generated_from(workload), shaping, known)
    strangers = [each for each in shaping if each.owner != first and _is_called(each.owner, name)]
    owners = [each.owner for each in shaping if each not in strangers]
    return WorkloadOwners(
        of_pods=groups,
        first=next((each for each in shaping if each.owner == first), None),
        generated_from=text_of(first) if first else "",
        references=_wanted([first, *owners, *known] if first else [], present, is_complete),
        conflict=_conflict(strangers, first, name),
        is_complete=is_complete,
    )


def is_generated(workload: Object) -> bool:
    """Return whether the spec of a workload follows its pods; else a user wrote it."""
    return bool(_generated_from(workload))


def text_of(owner: Owner) -> str:
    """Return an owner as ``GENERATED_FROM`` names it: ``Deployment.apps/web``."""
    return f"{owner.kind_and_group}/{owner.name}"


def _generated_from(workload: Object | None) -> str:
    metadata = (workload or {}).get("metadata") or {}
    return str((metadata.get("annotations") or {}).get(GENERATED_FROM) or "")


def _references(workload: Object | None) -> tuple[Mapping[str, Any], ...]:
    return tuple(((workload or {}).get("metadata") or {}).get("ownerReferences") or ())


def _first(so_far: str, shaping: Sequence[OwnedPods], known: Sequence[Owner]) -> Owner | None:
    """Return whom the spec follows: the same as so far, else whose pods are the oldest."""
    newest_first = sorted(shaping, key=lambda each: age(each.pods[0]), reverse=True)
    for owner in (*(each.owner for each in newest_first), *known):
        if text_of(owner) == so_far:
            return owner
    if shaping:
        return min(shaping, key=lambda each: age(each.pods[-1])).owner
    return known[0] if known else None


def _is_called(owner: Owner, name: str) -> bool:
    """Return whether the workload of an owner's pods has this name where they name none."""
    kind = "" if owner.kind_and_group == PODS.kind else owner.kind
    return derived_workload_name(kind, owner.name) == name


def _wanted(
    owners: Iterable[Owner], present: tuple[Mapping[str, Any], ...], is_complete: bool, /
) -> tuple[Mapping[str, Any], ...]:
    """Return the references to owners, of which the first stays the first.

    Where there is none any more, nothing changes: the workload then goes with those that it has,
    and would stay for ever without.
    """
    distinct = list({owner.uid: owner for owner in owners if owner.uid}.values())
    if not distinct:
        return present
    as_is = {str(each.get("uid")): each for each in present}
    in_order = [distinct[0], *sorted(distinct[1:], key=order)]
    wanted = {each.uid: as_is.get(each.uid) or _reference(each) for each in in_order}
    if not is_complete:
        wanted |= as_is
    return tuple(wanted.values())[:MOST_OWNERS]


def _reference(owner: Owner) -> dict[str, Any]:
    return {
        "apiVersion": owner.api_version,
        "kind": owner.kind,
        "name": owner.name,
        "uid": owner.uid,
        "blockOwnerDeletion": False,
    }


def _conflict(strangers: Sequence[OwnedPods], first: Owner | None, name: str) -> str:
    if not strangers or first is None:
        return ""
    names = ", ".join(f"{each.owner.kind} {each.owner.name}" for each in strangers[:_MOST_NAMED])
    others = len(strangers) - _MOST_NAMED
    more = f" and {others} more" if others > 0 else ""
    return (
        f"the settings of {first.kind} {first.name} count; pods of {names}{more}, whose workload "
        f"happens to be called {name} too, are counted here and change nothing: name another "
        f"workload in annotation {WORKLOAD} of their template"
    )
