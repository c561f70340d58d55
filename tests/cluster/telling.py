"""What objects and events tell of a test's cluster, as their users see it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from tests.cluster.kubectl import Ended
from tests.components.processes import until

DEADLINE_S = 60.0


class HasKubectl(Protocol):
    """A cluster, or a namespace of it."""

    def kubectl(self, *words: str) -> Ended:
        """Run kubectl there."""
        ...


def shows(
    where: HasKubectl, kind: str, name: str, condition: Callable[[dict[str, Any]], object]
) -> dict[str, Any]:
    """Wait until a condition holds of an object and return it; what it reads may be missing."""

    def found() -> dict[str, Any] | None:
        got = where.kubectl("get", kind, name, "-o", "json")
        if got.code != 0:
            return None
        obj: dict[str, Any] = got.json
        try:
            return obj if condition(obj) else None
        except LookupError:
            return None

    return until(found, what=f"{kind} {name} is as expected", deadline_s=DEADLINE_S) or {}


def condition_of(obj: Mapping[str, Any], kind: str) -> Mapping[str, str]:
    """Return a condition of an object.  Raises ``LookupError``."""
    conditions: dict[str, Mapping[str, str]] = {
        each["type"]: each for each in obj["status"]["conditions"]
    }
    return conditions[kind]


def message_of(obj: Mapping[str, Any], kind: str) -> str:
    """Return what a condition says.  Raises ``LookupError``."""
    return condition_of(obj, kind)["message"]


def is_true(obj: Mapping[str, Any], kind: str) -> bool:
    """Return whether a condition holds.  Raises ``LookupError``."""
    return condition_of(obj, kind)["status"] == "True"


def is_said(where: HasKubectl, name: str, kind: str, reason: str, *words: str) -> dict[str, Any]:
    """Wait until a condition of a workload has a reason and these words; return the workload."""

    def says(obj: dict[str, Any]) -> bool:
        said = condition_of(obj, kind)
        return said["reason"] == reason and all(word in said["message"] for word in words)

    return shows(where, "tfw", name, says)


def is_told(where: HasKubectl, kind: str, reason: str, *words: str) -> None:
    """Wait until an event about an object of a kind has a reason and these words."""

    def told() -> list[dict[str, Any]]:
        listed = where.kubectl("get", "events.events.k8s.io", "-o", "json").json
        return [
            each
            for each in listed["items"]
            if (each["regarding"]["kind"], each["reason"]) == (kind, reason)
            and all(word in each["note"] for word in words)
        ]

    until(told, what=f"an event {reason} tells {words}", deadline_s=DEADLINE_S)
