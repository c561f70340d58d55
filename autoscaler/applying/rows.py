"""What becomes of each number of a report that somebody wants to have stated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from autoscaler.kube.resource import Resource


class Side(StrEnum):
    """Which of the two amounts of a resource."""

    REQUEST = "request"
    LIMIT = "limit"


class Outcome(StrEnum):
    """What became of a row or an object."""

    PLANNED = "planned"
    """It would be written."""
    WRITTEN = "written"
    SKIPPED = "skipped"
    """There is nothing to write, and nothing is wrong."""
    REFUSED = "refused"
    """It was asked for and must not be written."""
    FAILED = "failed"
    """The API server did not do it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Number:
    """One number of a workload: what a row is about."""

    namespace: str
    workload: str
    resource: str
    """As in the report: ``tflops``, ``tflops_pct``, ``vram_bytes``, ``replicas``."""
    side: Side | None = None
    """None: the resource as a whole."""

    @property
    def name(self) -> str:
        """Return ``namespace/workload``."""
        return f"{self.namespace}/{self.workload}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One number, and what became of it."""

    number: Number
    outcome: Outcome
    before: str = ""
    """Quantity that is stated now; empty: none."""
    after: str = ""
    """Quantity that is, or would be, written."""
    reason: str = ""
    """Why it is not written; empty where it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldChange:
    """One field of an object."""

    path: tuple[str, ...]
    """From the object down."""
    before: str | None
    """None: it is not there."""
    after: str

    @property
    def name(self) -> str:
        """Return the annotation, or the path below ``spec``."""
        last = self.path[-1]
        return last if "/" in last else ".".join(self.path[1:])


@dataclass(frozen=True, slots=True, kw_only=True)
class ObjectChange:
    """Everything that is written to one object, in one request."""

    resource: Resource
    obj: Mapping[str, Any] = field(repr=False)
    """As it was read."""
    fields: tuple[FieldChange, ...]
    rows: tuple[Row, ...]
    consequence: str
    """What follows from the write, in words."""
    notes: tuple[str, ...] = ()
    """What else must be known before it is agreed to."""
    pods: int = 0
    """That are made anew at once."""

    @property
    def namespace(self) -> str:
        """Return the namespace of the object."""
        return str(self.obj["metadata"]["namespace"])

    @property
    def name(self) -> str:
        """Return the name of the object."""
        return str(self.obj["metadata"]["name"])

    @property
    def title(self) -> str:
        """Return kind, namespace and name."""
        return f"{self.resource.kind} {self.namespace}/{self.name}"

    def patch(self, resource_version: str) -> dict[str, Any]:
        """Return the merge patch, which counts for this version of the object alone."""
        patch: dict[str, Any] = {"metadata": {"resourceVersion": resource_version}}
        for change in self.fields:
            place = patch
            for key in change.path[:-1]:
                place = place.setdefault(key, {})
            place[change.path[-1]] = change.after
        return patch


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What would be written, and what is not and why."""

    changes: tuple[ObjectChange, ...]
    others: tuple[Row, ...]
    unchanged: int = 0
    """Numbers that need no change."""
