"""What an Event says, and its form in ``events.k8s.io/v1``.  Pure.

Whether and when one is written is ``event_recorder``.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from autoscaler.kube.resource import EVENTS, Resource
from autoscaler.kube.timestamps import micro_time_text

if TYPE_CHECKING:
    from autoscaler.kube.api_server import Object

LONGEST_NOTE_BYTES = 1024
LONGEST_WORD = 128
"""Of a reason, an action and a reporting instance, in characters."""
LONGEST_NAME_PREFIX = 220
"""Characters of the object's name in the name of its event, which may have 253."""
ELLIPSIS = "…"
NAMESPACE_OF_CLUSTER_OBJECTS = "default"


class EventType(StrEnum):
    """Whether somebody should look."""

    NORMAL = "Normal"
    WARNING = "Warning"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """An object that an event is about."""

    api_version: str
    kind: str
    namespace: str
    """Empty for kinds without."""
    name: str
    uid: str

    def as_object(self) -> dict[str, str]:
        """Return an ``ObjectReference``."""
        fields = {
            "apiVersion": self.api_version,
            "kind": self.kind,
            "namespace": self.namespace,
            "name": self.name,
            "uid": self.uid,
        }
        return {name: value for name, value in fields.items() if value}


@dataclass(frozen=True, slots=True, kw_only=True)
class Occurrence:
    """Something that happened to an object; equal ones make a series."""

    regarding: Reference
    related: Reference | None
    type: EventType
    reason: str
    """Why, in one CamelCase word: ``ResourceScaledUp``."""
    action: str
    """What was done or tried, in one CamelCase word: ``PatchWorkers``."""
    note: str


def reference_of(resource: Resource, obj: Object) -> Reference:
    """Return the reference to an object of a kind."""
    metadata = obj["metadata"]
    return Reference(
        api_version=resource.api_version,
        kind=resource.kind,
        namespace=metadata.get("namespace", ""),
        name=metadata["name"],
        uid=metadata.get("uid", ""),
    )


def namespace_of(occurrence: Occurrence) -> str:
    """Return the namespace that the event must stand in."""
    return occurrence.regarding.namespace or NAMESPACE_OF_CLUSTER_OBJECTS


def event_name(occurrence: Occurrence, *, now_s: float, number: int) -> str:
    """Return a name for a new event; ``number`` tells those of one moment apart."""
    prefix = occurrence.regarding.name[:LONGEST_NAME_PREFIX].rstrip("-.")
    return f"{prefix}.{int(now_s * 1_000_000):x}.{number:x}"


def event_object(
    occurrence: Occurrence,
    *,
    name: str,
    controller: str,
    instance: str,
    first_s: float,
    last_s: float,
    count: int,
) -> dict[str, Any]:
    """Return the event; times are UTC seconds of its first and its last occurrence."""
    event: dict[str, Any] = {
        "apiVersion": EVENTS.api_version,
        "kind": EVENTS.kind,
        "metadata": {"name": name, "namespace": namespace_of(occurrence)},
        "eventTime": micro_time_text(first_s),
        "reportingController": controller,
        "reportingInstance": instance[:LONGEST_WORD],
        "type": str(occurrence.type),
        "reason": occurrence.reason[:LONGEST_WORD],
        "action": occurrence.action[:LONGEST_WORD],
        "note": shortened(occurrence.note),
        "regarding": occurrence.regarding.as_object(),
    }
    if occurrence.related is not None:
        event["related"] = occurrence.related.as_object()
    if count > 1:
        event |= series_of(count=count, last_s=last_s)
    return event


def series_of(*, count: int, last_s: float) -> dict[str, Any]:
    """Return the part of an event that says how often it occurred; ``count`` is 2 or more."""
    return {"series": {"count": count, "lastObservedTime": micro_time_text(last_s)}}


def shortened(note: str) -> str:
    """Cut a note to what an event may hold, between two characters."""
    if len(note.encode()) <= LONGEST_NOTE_BYTES:
        return note
    room = LONGEST_NOTE_BYTES - len(ELLIPSIS.encode())
    return note.encode()[:room].decode(errors="ignore") + ELLIPSIS
