"""A card in the roughest terms, for the closed loop of the allocator: who wants what gets what."""

from __future__ import annotations

from autoscaler.agent.pages.progress import Progress
from autoscaler.agent.sharing.allocator import PERIOD_S, CardAllocator, CardUser

FULL = 0.92
"""What is left of a card that switches between processes."""


class SharedCard:
    """Workers on one card, each with its share in force; a crowded card is divided evenly."""

    def __init__(self, *users):
        """``users`` are (request, limit, qos rank)."""
        self.allocator = CardAllocator()
        self._users = [
            CardUser(uid=str(i), request=request, limit=limit, qos_rank=rank, seen=None)
            for i, (request, limit, rank) in enumerate(users)
        ]
        self.shares = [user.limit for user in self._users]

    def run(self, wanted, time_s):
        """Let workers want parts of the card for some time; return what each used of it at last."""
        used = [0.0] * len(wanted)
        for _ in range(round(time_s / PERIOD_S)):
            used = _divided([min(*each) for each in zip(wanted, self.shares, strict=True)])
            users = [self._after(i, wanted[i], used[i]) for i in range(len(wanted))]
            found = self.allocator.advance(users)
            self.shares = [found[user.uid] for user in users]
        return used

    def _after(self, i, wanted, used):
        user, share = self._users[i], self.shares[i]
        held = max(1.0 - share / wanted, 0.0) if wanted > share and used >= share - 1e-9 else 0.0
        seen = Progress(
            span_s=PERIOD_S, charged_s=used * PERIOD_S, blocked_s=held * PERIOD_S, launches=1
        )
        return CardUser(
            uid=user.uid, request=user.request, limit=user.limit, qos_rank=user.qos_rank, seen=seen
        )


def _divided(wanted):
    """Divide a card evenly among who has work, as time slices do."""
    capacity = FULL if sum(1 for each in wanted if each > 0) > 1 else 1.0
    used = [0.0] * len(wanted)
    for _ in wanted:
        lacking = [i for i, each in enumerate(wanted) if each - used[i] > 1e-9]
        spare = capacity - sum(used)
        if not lacking or spare <= 1e-9:
            break
        for i in lacking:
            used[i] += min(spare / len(lacking), wanted[i] - used[i])
    return used
