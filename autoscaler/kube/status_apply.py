"""One writer's part of the status of a kind, written whole by server-side apply.

Several processes write the status of the same object, each its own fields and conditions.  With
server-side apply every one states all that is its own, and what it stated before and does not state
now is removed; merge patches of conditions would lose those of the others.  What the cache shows
already is not written: a write that changes nothing costs the server as much as one that does.

Every write carries the version that the cache shows, although server-side apply does not ask for
it.  So nothing is decided on what has changed meanwhile, a leader that stood still cannot undo what
its successor wrote, and a new object of the same name does not inherit the status of the old one
(the server ignores a ``uid`` here).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from autoscaler.kube.condition import conditions_of

if TYPE_CHECKING:
    from autoscaler.kube.api_server import ApiServer, Object
    from autoscaler.kube.resource import Resource

CONDITIONS = "conditions"
IDENTITY = ("namespace", "name", "resourceVersion")
"""Metadata that a write carries."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusOwner:
    """A writer of the status of one kind, and what of it is its own."""

    field_manager: str
    """One per process."""
    fields: frozenset[str]
    """Keys of ``status``, without ``conditions``."""
    conditions: frozenset[str] = frozenset()
    """Types of conditions."""

    def part_of(self, status: Object) -> dict[str, Any]:
        """Return what is this writer's own in a status, conditions in order of their type."""
        own = {key: value for key, value in status.items() if key in self.fields}
        conditions = [
            each for each in status.get(CONDITIONS) or () if each.get("type") in self.conditions
        ]
        return {**own, CONDITIONS: sorted(conditions, key=_type)} if conditions else own


def apply_status(
    api: ApiServer,
    resource: Resource,
    shown: Object,
    status: Object,
    owner: StatusOwner,
) -> bool:
    """Make a writer's part of the status of an object what ``status`` says; return whether written.

    ``shown`` is the object as the cache shows it: it says which object is meant, in which version,
    and whether there is anything to write.  ``status`` is the whole part of this writer: what it
    leaves out is removed.  Raises ``ValueError`` where ``status`` holds what is not this writer's,
    and a ``KubeError``: ``NotFoundError`` where the object is gone, ``ConflictError`` where it
    changed, so that it is to be looked at again when the cache shows that.
    """
    if not is_new(shown, status, owner):
        return False
    wanted = owner.part_of(status)
    metadata = shown["metadata"]
    identity = {key: metadata[key] for key in IDENTITY if key in metadata}
    body = {
        "apiVersion": resource.api_version,
        "kind": resource.kind,
        "metadata": identity,
        # An empty one would become null, which no schema of ours allows.
        **({"status": wanted} if wanted else {}),
    }
    api.apply(resource, body, field_manager=owner.field_manager, subresource="status")
    return True


def is_new(shown: Object, status: Object, owner: StatusOwner) -> bool:
    """Return whether ``apply_status`` would write something; raises ``ValueError`` as it does."""
    _require_own(status, owner)
    return owner.part_of(status) != owner.part_of(shown.get("status") or {})


def _require_own(status: Object, owner: StatusOwner) -> None:
    types = [_type(each) for each in conditions_of({"status": status})]
    _require_known("fields", status.keys() - {CONDITIONS}, owner.fields, owner)
    _require_known("conditions", types, owner.conditions, owner)
    if len(types) != len(set(types)):
        raise ValueError(f"status of {owner.field_manager}: conditions {types} repeat a type")


def _require_known(
    what: str, given: Collection[str], own: Collection[str], owner: StatusOwner
) -> None:
    foreign = sorted(set(given) - set(own))
    if foreign:
        raise ValueError(
            f"status of {owner.field_manager}: {what} {foreign} are another writer's; "
            f"allowed: {sorted(own)}"
        )


def _type(condition: Object) -> str:
    return str(condition.get("type"))
