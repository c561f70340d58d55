"""Which of the waiting keys is next: by urgency, then by age, and nobody waits for ever.

Not here: threads, delays and repeats, which are ``work_queue``.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Mapping
from enum import StrEnum
from itertools import count
from types import MappingProxyType
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)
OLDEST_EVERY = 8
"""Of so many keys taken, one is the oldest of all, however little it is urgent."""


class Priority(StrEnum):
    """Why a key waits; the most urgent first."""

    DENIAL = "denial"
    """A raise after the limiter denied memory."""
    SATURATION = "saturation"
    """A raise after a worker ran at its limit."""
    RAISE = "raise"
    DECREASE = "decrease"
    STATUS = "status"

    @property
    def rank(self) -> int:
        """Return 0 for the most urgent."""
        return _RANKS[self]


_RANKS: Mapping[Priority, int] = MappingProxyType({each: i for i, each in enumerate(Priority)})


class Lanes(Generic[Key]):
    """Waiting keys, each once and in the lane of the most urgent priority that it was put with.

    A key leaves after at most ``OLDEST_EVERY`` times as many others as were waiting when it came
    into its lane; of ``OLDEST_EVERY`` keys taken, at most one overtakes a more urgent one.
    """

    def __init__(self) -> None:
        self._lanes: Mapping[Priority, OrderedDict[Key, int]] = MappingProxyType(
            {each: OrderedDict() for each in Priority}
        )
        self._priorities: dict[Key, Priority] = {}
        self._arrivals = count()
        self._taken = 0

    def __len__(self) -> int:
        return len(self._priorities)

    def put(self, key: Key, priority: Priority) -> None:
        """Let a key wait; one that waits already only ever becomes more urgent."""
        present = self._priorities.get(key)
        if present is not None:
            if present.rank <= priority.rank:
                return
            del self._lanes[present][key]
        self._priorities[key] = priority
        self._lanes[priority][key] = next(self._arrivals)

    def take(self) -> tuple[Key, Priority] | None:
        """Remove and return the next key with its priority; None where none waits."""
        filled = [each for each, lane in self._lanes.items() if lane]
        if not filled:
            return None
        self._taken += 1
        is_turn_of_the_oldest = self._taken % OLDEST_EVERY == 0
        priority = min(filled, key=self._first_arrival) if is_turn_of_the_oldest else filled[0]
        key, _ = self._lanes[priority].popitem(last=False)
        del self._priorities[key]
        return key, priority

    def counts(self) -> Mapping[Priority, int]:
        """Return the number of waiting keys of every priority."""
        return MappingProxyType({each: len(lane) for each, lane in self._lanes.items()})

    def _first_arrival(self, priority: Priority) -> int:
        return next(iter(self._lanes[priority].values()))
