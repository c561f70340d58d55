"""What the other workers of a card leave of its time, for the prices of long kernels.

A kernel longer than a time slice is cut by every neighbour, so that its events read their slices
too; the limiter takes off what is told here.  What neighbours were charged and launched stands in
pages that they can write: nobody counts for more than the share that it has in force, so that who
claims a use that is none gives away no more than it might use itself.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from autoscaler.agent.sharing.allocator import CardUser
from autoscaler.agent.sharing.slices import (
    CROWDED_SHARE,
    Neighbour,
    mean_missed_s,
    part_of_wall_time,
    share_beside,
)

MEMORY_S = 0.5
"""Time constant of what a worker is taken to use."""
LEAST_LOOKED_S = 0.45
"""For so long a worker must have been looked at before its neighbours are told of it."""
GONE_S = 0.15
"""Who was charged nothing for so long, for two looks, does not use the card."""
LONGEST_LAUNCH_S = 10.0
LEAST_USE_SHARE = 0.002
MOST_LEFT_SHARE = 15 / 16
"""More shows nothing: the lengths of long kernels vary by as much."""
PAUSED_RATIO = 1.8
"""How much of what is left over neighbours pause in; fitted to the simulated card."""
SWITCHED_SHARE = 1 / 7
"""Of the card, what the limiter itself takes off what is told (``native/costs.c``), for two changes
in each slice."""
CHANGED_SHARE, CHANGED_RATIO = 0.005, 0.05
"""While nobody's use changes by more, what was told stays."""


@dataclass(slots=True)
class _Use:
    """One worker: means of the last looks."""

    weight: float = 0.0
    share: float = 0.0
    launches_per_s: float = 0.0
    processes: float = 1.0
    looked_s: float = 0.0
    idle_s: float = 0.0

    def observe(self, user: CardUser) -> None:
        seen = user.seen
        if seen is None:
            return
        kept = math.exp(-seen.span_s / MEMORY_S)
        # Below one until enough was seen, so that the first look counts for all before it.
        self.weight = self.weight * kept + 1 - kept
        new = (1 - kept) / self.weight
        self.share += (seen.charged_share * user.trim_k - self.share) * new
        self.launches_per_s += (seen.launches / seen.span_s - self.launches_per_s) * new
        self.processes += (max(user.busy_processes, 1) - self.processes) * new
        self.looked_s += seen.span_s
        self.idle_s = 0.0 if seen.charged_s > 0 else self.idle_s + seen.span_s

    @property
    def is_known(self) -> bool:
        """Return whether it was looked at for long enough."""
        return self.looked_s >= LEAST_LOOKED_S

    @property
    def is_gone(self) -> bool:
        """Return whether it does not use the card."""
        return self.looked_s == 0 or (self.is_known and self.idle_s >= GONE_S)

    def as_neighbour(self, share: float) -> Neighbour:
        """Return it as its neighbours see it; ``share`` is in force."""
        launch_s = self.share / self.launches_per_s if self.launches_per_s > 0 else LONGEST_LAUNCH_S
        return Neighbour(
            share=max(min(self.share, share), LEAST_USE_SHARE),
            launch_s=min(launch_s, LONGEST_LAUNCH_S),
            processes=self.processes,
        )


class _Seen(NamedTuple):
    """What is known of one worker now."""

    neighbour: Neighbour
    is_gone: bool
    is_known: bool
    has_several_processes: bool

    def is_like(self, other: _Seen) -> bool:
        """Return whether the same is to be told of both."""
        return (
            self[1:] == other[1:]
            and abs(self.neighbour.share - other.neighbour.share) < CHANGED_SHARE
            and _are_close(self.neighbour.launch_s, other.neighbour.launch_s)
            and _are_close(self.neighbour.processes, other.neighbour.processes)
        )


class Leftover:
    """The workers of one card.  Not thread-safe; keeps no time of its own."""

    def __init__(self) -> None:
        self._uses: dict[str, _Use] = {}
        self._judged: dict[str, _Seen] = {}
        self._told: dict[str, float | None] = {}

    def advance(
        self, users: Sequence[CardUser], shares: Mapping[str, float]
    ) -> dict[str, float | None]:
        """Return by UID what others leave of the card, above 0 to 1, after one look at all of it.

        ``shares`` are in force.  1: nobody else uses the card; None: it cannot be told.  Workers
        that are no longer named are forgotten.
        """
        self._uses = {user.uid: self._uses.get(user.uid) or _Use() for user in users}
        seen = {user.uid: self._look(user, shares[user.uid]) for user in users}
        judged = self._judged
        if seen.keys() != judged.keys() or not all(
            each.is_like(judged[uid]) for uid, each in seen.items()
        ):
            self._judged = seen
            self._told = {uid: self._left_to(uid, seen) for uid in seen}
        return dict(self._told)

    def _look(self, user: CardUser, share: float) -> _Seen:
        use = self._uses[user.uid]
        use.observe(user)
        return _Seen(use.as_neighbour(share), use.is_gone, use.is_known, user.processes > 1)

    def _left_to(self, uid: str, seen: Mapping[str, _Seen]) -> float | None:
        """Return what is told to one worker."""
        own = seen[uid]
        others = [each for other, each in seen.items() if other != uid and not each.is_gone]
        if not others:
            # Several processes of one worker cut one another's kernels.
            return None if own.has_several_processes else 1.0
        if not all(each.is_known for each in others):
            return None
        return _left(own, [each.neighbour for each in others])


def _left(seen: _Seen, others: Sequence[Neighbour]) -> float | None:
    """Return what others leave to a worker; None: nothing tells it."""
    beside_share = share_beside(others)
    missed = mean_missed_s(others, beside_share)
    if missed == 0:
        return _before_switches(beside_share)
    if not seen.is_known:
        return None
    own = seen.neighbour
    # Neighbours pause in what is left over of the card: where nothing is, all are there.
    used_share = own.share + sum(each.share for each in others)
    idle_s = max(1.0 - used_share / CROWDED_SHARE, 0.0) * own.launch_s / own.share
    most = PAUSED_RATIO * idle_s * (1 - beside_share)
    part = part_of_wall_time(own.launch_s, beside_share, missed * most / (missed + most))
    return None if part is None else _before_switches(part)


def _before_switches(part: float) -> float | None:
    """Return what to tell where a kernel runs for a part of its wall time; None: nothing.

    The limiter takes off half of what is not left, and ``SWITCHED_SHARE`` at most.
    """
    left = part / (1 - SWITCHED_SHARE)
    if 1 - left < 2 * SWITCHED_SHARE:
        left = (math.sqrt(1 + 8 * part) - 1) / 2
    return left if left <= MOST_LEFT_SHARE else None


def _are_close(one: float, other: float) -> bool:
    return abs(one - other) <= CHANGED_RATIO * one
