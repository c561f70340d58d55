"""How many replicas a workload has, what somebody stated, and why nobody may set them now.  Pure.

Where replicas are set is ``scale_targets``, who else sets them ``rivals``; what is remembered of
the numbers that were set is ``replica_guards``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from autoscaler.api.condition_reasons import ReplicasReason
from autoscaler.api.names import GENERATED_FROM
from autoscaler.kube.store import Key, Object

NEVER_SCALED = frozenset({"Job", "CronJob", "JobSet", "DaemonSet", "Pod"})
"""Kinds of owners without a number of replicas that could be decided."""
_REPLICAS = "replicas"


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """Why nobody sets the replicas of a workload."""

    reason: ReplicasReason
    text: str
    """One sentence without its full stop, which holds no times."""


class ReplicaMemory(Protocol):
    """What is remembered of the replicas of workloads that this process scales."""

    def on_change(self, listener: Callable[[Key], None]) -> None:
        """Call a function with (namespace, name) of each workload of which other is remembered."""
        ...

    def stated_of(self, workload: Object) -> int | None:
        """Return what somebody else than the autoscaler set last; None: nothing is remembered."""
        ...

    def held_of(self, workload: Object) -> Held | None:
        """Return why the replicas of a workload rest; None where they do not."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaState:
    """The replicas of one workload."""

    replicas: int | None
    """None where there is no such number, or none is known."""
    stated: int | None
    held: Held | None


def replica_state(workload: Object, *, remembered: int | None, held: Held | None) -> ReplicaState:
    """Return the replicas of a workload.

    ``remembered`` is what somebody else set last, and counts where nobody wrote a number down.
    """
    if owner_text(workload).partition("/")[0] in NEVER_SCALED:
        return ReplicaState(replicas=None, stated=None, held=held)
    replicas = _count((workload.get("spec") or {}).get(_REPLICAS))
    written = written_replicas(workload)
    stated = next((n for n in (written, remembered, replicas) if n is not None), None)
    return ReplicaState(replicas=replicas, stated=stated, held=held)


def written_replicas(workload: Object) -> int | None:
    """Return the replicas that an annotation or a profile states; None: neither does.

    Of a workload that its user wrote, nothing: the number there is the one that is scaled.
    """
    if not follows_pods(workload):
        return None
    effective: Mapping[str, Any] = (workload.get("status") or {}).get("effective") or {}
    text = str((effective.get(_REPLICAS) or {}).get("value") or "")
    return int(text) if text.isascii() and text.isdigit() else None


def follows_pods(workload: Object) -> bool:
    """Return whether the controller made a workload from pods; else its user wrote it."""
    return GENERATED_FROM in (workload["metadata"].get("annotations") or {})


def owner_text(workload: Object) -> str:
    """Return the owner whose settings count, as ``Deployment/chat``; empty where none is known.

    A workload that was just made names it before its status does.
    """
    owners = owners_of(workload)
    if owners:
        return f"{owners[0].get('kind')}/{owners[0].get('name')}"
    annotations = workload["metadata"].get("annotations") or {}
    kind_and_group, _, name = str(annotations.get(GENERATED_FROM) or "").partition("/")
    return f"{kind_and_group.partition('.')[0]}/{name}" if name else ""


def owners_of(workload: Object) -> tuple[Mapping[str, Any], ...]:
    """Return the owners that the controller found, the one whose settings count first."""
    return tuple((workload.get("status") or {}).get("owners") or ())


def _count(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
