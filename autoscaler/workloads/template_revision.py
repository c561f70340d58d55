"""Which of its owner's pod templates a pod was made from, as a number that grows.  Pure.

Creation times have whole seconds: of two pods of one second only this tells which template is the
newer one.  https://kubernetes.io/docs/reference/labels-annotations-taints/#deployment-kubernetes-io-revision
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from autoscaler.api.object_key import ObjectKey
from autoscaler.api.root_owner import Find, owners_of

if TYPE_CHECKING:
    from autoscaler.kube.store import Object

REVISIONS = ("deployment.kubernetes.io/revision", "rollout.argoproj.io/revision")
"""Annotations of a ReplicaSet; going back to an older template gives it the highest number."""
_MOST_DIGITS = 18


def template_revision(pod: Object, find: Find) -> int:
    """Return the revision of the ReplicaSet that made a pod; 0: nobody says it."""
    namespace = pod["metadata"]["namespace"]
    owners = (
        find(ObjectKey(owner.api_version, owner.kind, namespace, owner.name))
        for owner in owners_of(pod)
    )
    return max((_revision(owner) for owner in owners if owner), default=0)


def _revision(owner: Object) -> int:
    annotations = owner["metadata"].get("annotations") or {}
    return max(map(_number, (str(annotations.get(each) or "") for each in REVISIONS)))


def _number(text: str) -> int:
    """Return the number that a controller wrote; 0 for what somebody else wrote in its place."""
    is_number = text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS
    return int(text) if is_number else 0
