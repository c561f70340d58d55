"""Shares in force on the cards of a node, from one look to the next."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from autoscaler.agent.pages.progress import Progress
from autoscaler.agent.sharing.demand import DemandMeter
from autoscaler.agent.sharing.shares import LEAST_SHARE, ShareDemand, allocate

PERIOD_S = 0.1
HYSTERESIS_SHARE = 0.01
"""A share that would move by less stays as it is."""


class CardUser(NamedTuple):
    """One worker on a card, as the allocator sees it; shares are parts of the card, 0 to 1."""

    uid: str
    request: float
    limit: float
    qos_rank: int
    """0 low, 1 medium, 2 high, 3 critical."""
    seen: Progress | None
    """Since the look before; None: there is nothing to see yet, or it cannot be believed."""
    trim_k: float = 1.0
    processes: int = 1
    """That hold a slot of its page."""
    busy_processes: int = 1
    """Of them, those that had work on the card when the driver was last asked."""


class CardAllocator:
    """Shares of the workers on one card.  Not thread-safe; keeps no time of its own."""

    def __init__(self) -> None:
        self._meters: dict[str, DemandMeter] = {}
        self._shares: dict[str, float] = {}

    def share_of(self, user: CardUser) -> float:
        """Return the share that is in force for a worker: its limit until there was a look."""
        return min(self._shares.get(user.uid, user.limit), user.limit)

    def advance(self, users: Sequence[CardUser]) -> dict[str, float]:
        """Return the share of each worker by UID, after one look at all of the card.

        Workers that are no longer named are forgotten.
        """
        meters = {user.uid: self._meters.get(user.uid) or DemandMeter() for user in users}
        wanted = allocate([self._demand(user, meters[user.uid]) for user in users])
        self._shares = {
            user.uid: self._settled(user, share) for user, share in zip(users, wanted, strict=True)
        }
        self._meters = meters
        return dict(self._shares)

    def _demand(self, user: CardUser, meter: DemandMeter) -> ShareDemand:
        if user.seen is not None:
            meter.observe(user.seen, self.share_of(user), user.trim_k)
        return ShareDemand(
            request=user.request, limit=user.limit, demand=meter.demand, qos_rank=user.qos_rank
        )

    def _settled(self, user: CardUser, share: float) -> float:
        """Return the share to put in force: the one before, where the new one is about the same.

        A limit is met exactly, however small the step to it is.
        """
        before = self._shares.get(user.uid)
        is_bound = share in {user.limit, min(LEAST_SHARE, user.limit)}
        if before is None or is_bound or before > user.limit:
            return share
        return before if abs(share - before) < HYSTERESIS_SHARE else share
