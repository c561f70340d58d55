"""The replica guards of all workloads: in memory of this process, else as their status has them.

The status is written before the replicas are set, so that a process that ends in between leaves a
number that was never in force, and never one that nobody knows to be ours.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from threading import Lock
from typing import TYPE_CHECKING, NamedTuple

from autoscaler.api.condition_reasons import ReplicasReason
from autoscaler.kube.store import Key, Object, key_of
from autoscaler.scaling.live.replicas.replica_guard import (
    EMPTY,
    OwnNumber,
    ReplicaGuard,
    is_somebody_elses,
    replica_guard_from,
    reset,
    scaled,
)
from autoscaler.scaling.live.replicas.replica_state import Held

if TYPE_CHECKING:
    from autoscaler.clock import Clock
    from autoscaler.scaling.cluster import WorkloadView

FORBIDDEN_S = 300
"""After a refusal for lack of rights it is tried again, as rights change without a word."""


class Reset(NamedTuple):
    """Somebody else set the replicas of a workload."""

    key: Key
    ours: int
    theirs: int


class Remembered(NamedTuple):
    """What is remembered of the replicas of a workload."""

    guard: ReplicaGuard
    own: OwnNumber | None
    """None: this process set none that is still in force."""

    def was_set(self, replicas: int) -> bool:
        """Return whether this process has set so many, and nothing else since."""
        return self.own is not None and self.own.is_set and self.guard.scaled == replicas

    def is_put_back(self, current: int) -> bool:
        """Return whether ``current``, which is in force, was set after ours by somebody else."""
        return self.own is not None and self.own.is_set and self.guard.scaled != current


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    uid: str
    guard: ReplicaGuard = EMPTY
    own: OwnNumber | None = None
    is_paused: bool = False
    """As it was when it was looked at last."""
    forbidden: str = ""
    forbidden_until_s: int = 0


class ReplicaGuards:
    """What is remembered of replicas; thread-safe.  Times are those of ``clock``."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = Lock()
        self._known: dict[Key, _Known] = {}
        self._put_back: list[Reset] = []
        """Found since the last ``observe``."""
        self._listeners: list[Callable[[Key], None]] = []

    def on_change(self, listener: Callable[[Key], None]) -> None:
        """Call a function with the key of each workload whose guard changes, in any thread."""
        self._listeners.append(listener)

    def of(self, workload: Object) -> ReplicaGuard:
        """Return the guard of a workload."""
        known = self._of(workload)
        return replica_guard_from(workload.get("status") or {}) if known is None else known.guard

    def stated_of(self, workload: Object) -> int | None:
        """Return the replicas that somebody else set last; None: we never set any."""
        return self.of(workload).stated

    def held_of(self, workload: Object) -> Held | None:
        """Return why the replicas are left alone now, as far as it is known here; None: not."""
        now_s, known = self._clock.now_s(), self._of(workload)
        if self.of(workload).is_paused(now_s):
            text = "somebody else set other replicas three times within an hour, so they are left"
            return Held(reason=ReplicasReason.RESET_BY_OTHERS, text=f"{text} alone for an hour")
        if known is not None and now_s < known.forbidden_until_s:
            return Held(reason=ReplicasReason.FORBIDDEN, text=known.forbidden)
        return None

    def learn(self, workloads: Iterable[Object]) -> None:
        """Take over what the status of workloads says; to be called when this process leads."""
        for workload in workloads:
            guard = replica_guard_from(workload.get("status") or {})
            if guard != EMPTY:
                with self._lock:
                    self._known.setdefault(
                        key_of(workload), _Known(uid=_uid(workload), guard=guard)
                    )

    def keys(self) -> Collection[Key]:
        """Return the workloads whose replicas were ever set or refused."""
        with self._lock:
            return tuple(self._known)

    def observe(self, views: Mapping[Key, WorkloadView]) -> list[Reset]:
        """Look at the replicas of the workloads of ``keys``; return those that others set.

        ``views`` are theirs; what is not among them, is another object by now, or is no longer
        enrolled, is forgotten.
        """
        with self._lock:
            resets, self._put_back = self._put_back, []
        for key in self.keys():
            found = self._observe_one(key, views.get(key))
            if found is not None:
                resets.append(found)
        return resets

    def begin(self, workload: Object, *, before: int, after: int) -> Remembered:
        """Note that replicas are about to be set; return what was remembered before."""
        known = self._of(workload) or _Known(uid=_uid(workload), guard=self.of(workload))
        guard = scaled(known.guard, before=before, after=after)
        self._put(key_of(workload), replace(known, guard=guard, own=OwnNumber(before=before)))
        return Remembered(known.guard, known.own)

    def confirm(self, workload: Object) -> None:
        """Note that the replicas of the last ``begin`` are set."""
        known = self._of(workload)
        if known is not None and known.own is not None:
            self._put(key_of(workload), replace(known, own=replace(known.own, is_set=True)))

    def undo(self, workload: Object, remembered: Remembered) -> None:
        """Note that replicas were not set after all; ``remembered`` is what ``begin`` returned."""
        known = self._of(workload) or _Known(uid=_uid(workload))
        guard, own = remembered
        self._put(key_of(workload), replace(known, guard=guard, own=own))

    def put_back(self, workload: Object, remembered: Remembered, current: int) -> None:
        """Note, in the place of ``undo``, that somebody else set ``current`` replicas after us."""
        key, guard = key_of(workload), reset(remembered.guard, current, self._clock.now_s())
        self.undo(workload, Remembered(guard, None))
        with self._lock:
            self._put_back.append(Reset(key=key, ours=remembered.guard.scaled or 0, theirs=current))

    def forbid(self, workload: Object, text: str) -> None:
        """Note that this process lacks the right to set the replicas."""
        known = self._of(workload) or _Known(uid=_uid(workload), guard=self.of(workload))
        until_s = self._clock.now_s() + FORBIDDEN_S
        self._put(key_of(workload), replace(known, forbidden=text, forbidden_until_s=until_s))

    def _observe_one(self, key: Key, view: WorkloadView | None) -> Reset | None:
        with self._lock:
            known = self._known.get(key)
        if known is None:
            return None
        if view is None or view.uid != known.uid or not view.policy.replicas.is_enrolled:
            with self._lock:
                self._known.pop(key, None)
            self._tell(key)
            return None
        now_s, current, found = self._clock.now_s(), view.replicas, None
        new = known
        if current is not None and current == known.guard.scaled:
            own = known.own or OwnNumber(before=current)
            new = replace(known, own=replace(own, is_seen=True))
        elif current is not None and is_somebody_elses(known.guard, known.own, current):
            found = Reset(key=key, ours=known.guard.scaled or 0, theirs=current)
            new = replace(known, guard=reset(known.guard, current, now_s), own=None)
        is_forbidden = now_s < new.forbidden_until_s
        new = replace(new, is_paused=new.guard.is_paused(now_s) or is_forbidden)
        is_told = new.guard != known.guard or new.is_paused != known.is_paused
        if new != known:
            self._put(key, new, is_told=is_told)
        return found

    def _of(self, workload: Object) -> _Known | None:
        with self._lock:
            known = self._known.get(key_of(workload))
        return known if known is not None and known.uid == _uid(workload) else None

    def _put(self, key: Key, known: _Known, *, is_told: bool = True) -> None:
        with self._lock:
            self._known[key] = known
        if is_told:
            self._tell(key)

    def _tell(self, key: Key) -> None:
        for listener in self._listeners:
            listener(key)


def _uid(workload: Object) -> str:
    return str(workload["metadata"]["uid"])
