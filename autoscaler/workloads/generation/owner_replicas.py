"""How many replicas the owners of a workload ask for.  Pure.

Where the GPU is local, every pod of the owners is, or has, one worker, so that the number is theirs
and not the workload's own.
"""

from __future__ import annotations

from collections.abc import Sequence

from autoscaler.api.object_key import ObjectKey
from autoscaler.api.root_owner import Find, Owner
from autoscaler.kube.resource import DEPLOYMENTS, REPLICA_SETS, STATEFUL_SETS
from autoscaler.workloads.generation.pod_owners import OwnedPods, is_there
from autoscaler.workloads.pod_state import is_live

_SCALED = frozenset(
    (each.api_version, each.kind) for each in (DEPLOYMENTS, STATEFUL_SETS, REPLICA_SETS)
)
"""Kinds whose ``spec.replicas`` is kept; of all others the pods that live are counted."""


def owner_replicas(
    owners: Sequence[OwnedPods], without_pods: Sequence[Owner], namespace: str, find: Find
) -> int:
    """Return the replicas of all owners together.

    ``without_pods`` are further owners, which may ask for pods that are not there yet.
    """
    all_owners = (*(each.owner for each in owners), *without_pods)
    scaled = {owner.uid: owner for owner in all_owners if _is_scaled(owner)}
    pods = [pod for each in owners if not _is_scaled(each.owner) for pod in each.pods]
    asked = sum(_asked(owner, namespace, find) for owner in scaled.values())
    return asked + sum(1 for pod in pods if is_live(pod))


def _is_scaled(owner: Owner) -> bool:
    return (owner.api_version, owner.kind) in _SCALED


def _asked(owner: Owner, namespace: str, find: Find) -> int:
    """Return ``spec.replicas`` of an owner; 0 where it is gone."""
    found = find(ObjectKey(owner.api_version, owner.kind, namespace, owner.name))
    if found is None or not is_there(owner, namespace, find):
        return 0
    replicas = (found.get("spec") or {}).get("replicas")
    return 1 if replicas is None else int(replicas)
