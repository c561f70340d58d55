"""What each worker may use of one GPU: the sharing rule, without a clock and without memory.

The same rule is ``autoscaler.simulate.granting`` for whole fleets in numpy; here are the few
workers of one card, ten times a second.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from recommender.policy.qos import QOS_WEIGHTS

LEAST_SHARE = 0.01
"""So much stays to a worker that higher levels leave nothing: it crawls, but ends its kernels."""
_NOTHING = 1e-9


class ShareDemand(NamedTuple):
    """One worker on the card; shares are parts of the whole card, 0 to 1."""

    request: float
    limit: float
    demand: float
    """What it would use if nothing held it back."""
    qos_rank: int
    """0 low, 1 medium, 2 high, 3 critical."""


def allocate(demands: Sequence[ShareDemand]) -> list[float]:
    """Return the share in force of each worker on one card.

    Requests of workers with demand are guaranteed, the lowest level shrinking first where they
    exceed the card; the rest is poured over those that want more by the weight of their level, up
    to their limits.  Who gets all it wants keeps its limit, so that it can begin at once; the
    others are bound by what they got.  No share is below ``LEAST_SHARE``, none above the limit.
    """
    wanted = [min(each.demand, each.limit) for each in demands]
    used = [min(want, each.request) for want, each in zip(wanted, demands, strict=True)]
    _shrink(used, demands)
    _pour(used, wanted, demands)
    return [
        each.limit
        if used[i] >= wanted[i] - _NOTHING
        else min(max(used[i], LEAST_SHARE), each.limit)
        for i, each in enumerate(demands)
    ]


def _shrink(used: list[float], demands: Sequence[ShareDemand]) -> None:
    """Take away what guaranteed shares have above the card, the lowest level first."""
    for rank in range(len(QOS_WEIGHTS)):
        excess = sum(used) - 1.0
        if excess <= _NOTHING:
            return
        level = [i for i, each in enumerate(demands) if each.qos_rank == rank]
        held = sum(used[i] for i in level)
        if held > 0:
            kept = 1.0 - min(excess, held) / held
            for i in level:
                used[i] *= kept


def _pour(used: list[float], wanted: Sequence[float], demands: Sequence[ShareDemand]) -> None:
    """Pour what is left over those that want more.  Each round satisfies one of them or ends."""
    for _ in demands:
        spare = 1.0 - sum(used)
        active = [i for i in range(len(demands)) if wanted[i] - used[i] > _NOTHING]
        if not active or spare <= _NOTHING:
            return
        total = sum(QOS_WEIGHTS[demands[i].qos_rank] for i in active)
        for i in active:
            offer = spare * QOS_WEIGHTS[demands[i].qos_rank] / total
            used[i] += min(offer, wanted[i] - used[i])
