"""What the other workers of a card leave of its time, for the prices of long kernels.

A kernel longer than a time slice is cut by every neighbour, so that its events read their slices
too; the limiter takes off what is told here.  What neighbours were charged stands in pages that
they can write: nobody counts for more than the share that it has in force, so that who claims a use
that is none gives away no more than it might use itself.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from autoscaler.agent.sharing.allocator import CardUser

MEMORY_S = 0.5
"""Time constant of what a worker is taken to use."""
LEAST_LOOKED_S = 0.45
"""For so long a worker must have been looked at before its neighbours are told of it."""
GONE_S = 0.15
"""Who was charged nothing for so long, for two looks, does not use the card."""
LONGEST_LAUNCH_S = 0.0024
"""A time slice.  Whose launches are longer on the average may have the card for itself for a while,
and then be off it; nobody knows how much of its use falls into the kernels of another."""
LEAST_USE_SHARE = 0.002
HYSTERESIS_SHARE = 0.01
"""What would change by less stays as it was told."""


@dataclass(slots=True)
class _Use:
    """One worker: means of the last looks."""

    share: float = 0.0
    launches_per_s: float = 0.0
    looked_s: float = 0.0
    idle_s: float = 0.0

    def observe(self, user: CardUser) -> None:
        seen = user.seen
        if seen is None:
            return
        kept = math.exp(-seen.span_s / MEMORY_S)
        self.share = self.share * kept + seen.charged_share * user.trim_k * (1 - kept)
        self.launches_per_s = self.launches_per_s * kept + seen.launches / seen.span_s * (1 - kept)
        self.looked_s += seen.span_s
        self.idle_s = 0.0 if seen.charged_s > 0 else self.idle_s + seen.span_s

    @property
    def is_gone(self) -> bool:
        """Return whether it does not use the card."""
        return self.looked_s == 0 or (self.looked_s >= LEAST_LOOKED_S and self.idle_s >= GONE_S)

    @property
    def is_even(self) -> bool:
        """Return whether it uses the card in pieces shorter than a time slice."""
        is_short = self.share <= LONGEST_LAUNCH_S * self.launches_per_s
        return self.looked_s >= LEAST_LOOKED_S and is_short


class Leftover:
    """The workers of one card.  Not thread-safe; keeps no time of its own."""

    def __init__(self) -> None:
        self._uses: dict[str, _Use] = {}
        self._told: dict[str, float | None] = {}

    def advance(
        self, users: Sequence[CardUser], shares: Mapping[str, float]
    ) -> dict[str, float | None]:
        """Return by UID what others leave of the card, above 0 to 1, after one look at all of it.

        ``shares`` are in force.  1: nobody else uses the card; None: it cannot be told.  Workers
        that are no longer named are forgotten.
        """
        self._uses = {user.uid: self._uses.get(user.uid) or _Use() for user in users}
        for user in users:
            self._uses[user.uid].observe(user)
        active = {uid: use for uid, use in self._uses.items() if not use.is_gone}
        bounded = {
            uid: min(max(use.share, LEAST_USE_SHARE), shares[uid]) for uid, use in active.items()
        }
        uneven = {uid for uid, use in active.items() if not use.is_even}
        self._told = {user.uid: self._left_to(user, bounded, uneven) for user in users}
        return dict(self._told)

    def _left_to(
        self, user: CardUser, bounded: Mapping[str, float], uneven: Collection[str]
    ) -> float | None:
        """Return what is told; ``bounded`` has the share of all who use the card."""
        others = [share for uid, share in bounded.items() if uid != user.uid]
        if not others:
            # Several processes of one worker cut one another's kernels.
            return 1.0 if user.processes <= 1 else None
        if len(uneven) > (user.uid in uneven):
            return None
        left = left_share(others)
        before = self._told.get(user.uid)
        if before is None or before == 1.0 or abs(left - before) >= HYSTERESIS_SHARE:
            return left
        return before


def left_share(used: Sequence[float]) -> float:
    """Return what time slices leave to a worker that always has work, above 0 to 1.

    ``used`` are the shares of the others: each gets that, or as much as the worker does if it wants
    more.
    """
    wanted = sorted(used)
    left = 1.0
    for taken, share in enumerate(wanted):
        fair = left / (len(wanted) - taken + 1)
        if share >= fair:
            return fair
        left -= share
    return left
