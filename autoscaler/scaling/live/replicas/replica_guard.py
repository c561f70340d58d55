"""What must not be forgotten of one workload's replicas, and what a look at them changes.  Pure.

Somebody else's number is a *reset*: it becomes the stated one, and three of them in an hour end
scaling for an hour, because whoever sets it (a manifest that is applied again, another program)
will do so again.  Whether a number is somebody else's is only known once our own was seen in force.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from autoscaler.kube.timestamps import seconds_of, time_text

RESETS_S = 3600
"""Resets within so long count."""
MOST_RESETS = 3
PAUSE_S = 3600


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaGuard:
    """What stands in ``status.guard.replicas``; times are UTC seconds."""

    stated: int | None = None
    """What somebody else than the autoscaler set last."""
    scaled: int | None = None
    """What the autoscaler set last."""
    resets_s: tuple[int, ...] = ()
    """When somebody else set other replicas, within the last hour."""
    paused_until_s: int | None = None

    def is_paused(self, now_s: int) -> bool:
        """Return whether the replicas are left alone because others keep setting them."""
        return self.paused_until_s is not None and now_s < self.paused_until_s

    def mapping(self) -> dict[str, Any]:
        """Return the guard as the API carries it."""
        paused_s = self.paused_until_s
        fields = {
            "stated": self.stated,
            "scaled": self.scaled,
            "resets": [time_text(at_s) for at_s in self.resets_s] or None,
            "pausedUntil": None if paused_s is None else time_text(paused_s),
        }
        return {name: value for name, value in fields.items() if value is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnNumber:
    """What this process knows of the number that it set."""

    before: int
    """What it replaced."""
    is_set: bool = False
    """Whether the API server said that it is set; else it may be on its way, or lost."""
    is_seen: bool = False
    """Whether the caches have shown it since."""


EMPTY = ReplicaGuard()


def replica_guard_from(status: Mapping[str, Any]) -> ReplicaGuard:
    """Return what stands in a workload's status; what cannot be read counts as absent."""
    guard = status.get("guard") or {}
    part = guard.get("replicas") or {}
    resets = (seconds_of(each) for each in part.get("resets") or ())
    return ReplicaGuard(
        stated=_number(part.get("stated")),
        scaled=_number(part.get("scaled")),
        resets_s=tuple(each for each in resets if each is not None),
        paused_until_s=seconds_of(part.get("pausedUntil")),
    )


def scaled(guard: ReplicaGuard, *, before: int, after: int) -> ReplicaGuard:
    """Return the guard of a workload whose replicas are about to be set."""
    stated = before if guard.stated is None else guard.stated
    return replace(guard, stated=stated, scaled=after)


def is_somebody_elses(guard: ReplicaGuard, own: OwnNumber | None, current: int) -> bool:
    """Return whether replicas were set by somebody else after us, as far as the caches tell.

    ``own`` is None where an earlier process set ours, which may have ended before it did.
    Replicas 0 are an owner's way to stop the workload, and leave everything else as it was.
    """
    if guard.scaled is None or current in {0, guard.scaled} or own is None:
        return False
    return own.is_seen or current != own.before


def reset(guard: ReplicaGuard, current: int, now_s: int) -> ReplicaGuard:
    """Return the guard after somebody else set ``current`` replicas."""
    recent_s = [at_s for at_s in guard.resets_s if now_s - at_s < RESETS_S]
    resets_s = (*recent_s, now_s)
    if len(resets_s) < MOST_RESETS:
        return replace(guard, stated=current, scaled=None, resets_s=resets_s, paused_until_s=None)
    return ReplicaGuard(stated=current, resets_s=resets_s, paused_until_s=now_s + PAUSE_S)


def _number(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
