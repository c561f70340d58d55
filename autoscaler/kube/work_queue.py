"""What is to be looked at, each key once and by one worker at a time.

A key says which object is to be brought to its desired state, never what happened to it: whoever
gets the key reads the newest state, so that ten changes of an object are one piece of work.  The
order is that of ``lanes``.  Not here: how fast may be written, which is ``write_budget``.
"""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import count
from threading import Condition
from typing import Generic

from autoscaler.kube.lanes import Key, Lanes, Priority

FIRST_RETRY_S = 0.005
LONGEST_RETRY_S = 300.0
DOUBLINGS = 16
"""After so many failures in a row the wait has reached its longest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkQueueSnapshot:
    """A queue at one moment."""

    backlog: Mapping[Priority, int]
    """Keys that wait for a worker now, of every priority."""
    delayed: int
    """Keys that come later."""
    in_hand: int
    """Keys that a worker has."""
    longest_in_hand_s: float
    """For so long a worker has had the oldest of them; 0: there is none."""
    failing: int
    """Keys whose last attempts failed."""
    handed_out: int
    """Since the queue was made."""
    retries: int
    """Since the queue was made."""


@dataclass(frozen=True, slots=True)
class _Delayed:
    due_s: float
    priority: Priority


@dataclass(frozen=True, slots=True)
class _InHand:
    since_s: float
    priority: Priority


class WorkQueue(Generic[Key]):
    """Deduplicating queue of keys for several threads.

    Every key that ``get`` returned must be given back with ``done``; until then it is not handed
    out again, and comes once more where it was added meanwhile.
    """

    def __init__(self, *, monotonic_s: Callable[[], float] = time.monotonic) -> None:
        self._monotonic_s = monotonic_s
        self._changed = Condition()
        self._lanes = Lanes[Key]()
        self._delayed: dict[Key, _Delayed] = {}
        self._due: list[tuple[float, int, Key]] = []
        """Heap over ``_delayed``; an entry that disagrees with it is out of date."""
        self._entries = count()
        self._in_hand: dict[Key, _InHand] = {}
        """The oldest first."""
        self._again: dict[Key, Priority] = {}
        """Keys that were added while a worker had them."""
        self._failures: dict[Key, int] = {}
        self._handed_out = 0
        self._retries = 0
        self._is_closed = False

    @property
    def is_closed(self) -> bool:
        """Return whether workers should end."""
        return self._is_closed

    def add(self, key: Key, priority: Priority) -> None:
        """Let a key be looked at as soon as its turn comes; its delay, if any, goes on."""
        with self._changed:
            self._put(key, priority)

    def add_after(self, key: Key, delay_s: float, priority: Priority) -> None:
        """Let a key be looked at later; of several delays the shortest counts."""
        with self._changed:
            due_s = self._monotonic_s() + max(delay_s, 0.0)
            present = self._delayed.get(key)
            if present is not None:
                priority = min(present.priority, priority, key=lambda each: each.rank)
                due_s = min(present.due_s, due_s)
            self._delayed[key] = _Delayed(due_s, priority)
            if present is None or due_s < present.due_s:
                heapq.heappush(self._due, (due_s, next(self._entries), key))
                self._changed.notify()

    def get(self, timeout_s: float) -> Key | None:
        """Return the next key; None after the timeout, and at once when the queue is closed."""
        with self._changed:
            end_s = self._monotonic_s() + timeout_s
            while not self._is_closed:
                now_s = self._monotonic_s()
                self._release_due(now_s)
                taken = self._lanes.take()
                if taken is not None:
                    key, priority = taken
                    self._in_hand[key] = _InHand(now_s, priority)
                    self._handed_out += 1
                    return key
                if now_s >= end_s:
                    return None
                wake_s = min(end_s, self._due[0][0]) if self._due else end_s
                self._changed.wait(wake_s - now_s)
            return None

    def done(self, key: Key) -> None:
        """Give back a key that ``get`` returned."""
        with self._changed:
            self._require_in_hand(key)
            del self._in_hand[key]
            priority = self._again.pop(key, None)
            if priority is not None:
                self._put(key, priority)

    def retry(self, key: Key, *, at_least_s: float = 0.0) -> None:
        """Let a key in hand come again; ``done`` must follow.

        Each time the wait is twice the one before, and at least ``at_least_s``.
        """
        with self._changed:
            self._require_in_hand(key)
            failures = self._failures.get(key, 0)
            self._failures[key] = failures + 1
            self._retries += 1
            wait_s = min(FIRST_RETRY_S * 2 ** min(failures, DOUBLINGS), LONGEST_RETRY_S)
            self.add_after(key, max(wait_s, at_least_s), self._in_hand[key].priority)

    def forget(self, key: Key) -> None:
        """Let the next retry of a key be its first; to be called when it succeeded."""
        with self._changed:
            self._failures.pop(key, None)

    def longest_in_hand(self) -> tuple[Key, float] | None:
        """Return the key that a worker has had longest, and for how many seconds; None: no key."""
        with self._changed:
            for key, held in self._in_hand.items():
                return key, self._monotonic_s() - held.since_s
            return None

    def backlog(self) -> Mapping[Priority, int]:
        """Return how many keys wait for a worker now, of every priority."""
        with self._changed:
            self._release_due(self._monotonic_s())
            return self._lanes.counts()

    def snapshot(self) -> WorkQueueSnapshot:
        """Return the numbers of this moment."""
        with self._changed:
            longest = self.longest_in_hand()
            return WorkQueueSnapshot(
                backlog=self.backlog(),
                delayed=len(self._delayed),
                in_hand=len(self._in_hand),
                longest_in_hand_s=0.0 if longest is None else longest[1],
                failing=len(self._failures),
                handed_out=self._handed_out,
                retries=self._retries,
            )

    def close(self) -> None:
        """Hand out nothing more, and wake all who wait."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()

    def _put(self, key: Key, priority: Priority) -> None:
        if key in self._in_hand:
            present = self._again.get(key, priority)
            self._again[key] = min(present, priority, key=lambda each: each.rank)
            return
        self._lanes.put(key, priority)
        self._changed.notify()

    def _release_due(self, now_s: float) -> None:
        while self._due and self._due[0][0] <= now_s:
            due_s, _, key = heapq.heappop(self._due)
            delayed = self._delayed.get(key)
            if delayed is not None and delayed.due_s == due_s:
                del self._delayed[key]
                self._put(key, delayed.priority)

    def _require_in_hand(self, key: Key) -> None:
        if key not in self._in_hand:
            raise ValueError(f"{key!r} is not in hand: get did not return it, or done was called")
