"""How much of a card a worker used past its limiter, as far as that can be told.

Memory can always be told: the driver lists it by process.  Device time can while the worker has the
card for itself.  Beside neighbours the driver reads everybody as busy, so that only processes which
the limiter does not see are counted, with at most what nobody was charged for.
"""

from __future__ import annotations

from collections.abc import Mapping

from autoscaler.agent.accounting.card_look import CardLook
from autoscaler.agent.sharing.trim import TRUSTED_RATIO

DOUBT_SHARE = 0.05
"""Added to what the driver's figure may be wrong by: gaps between kernels, bursts."""


def unaccounted_share(look: CardLook, uid: str, charged: Mapping[str, float]) -> float:
    """Return the share of the card, 0 to 1, that a worker used past its limiter.

    ``charged`` is what each worker of the card was charged since the sample before, trimmed.  While
    it was not alone, this is an upper bound.
    """
    own, busy = charged.get(uid, 0.0), look.alone_share(uid, charged)
    if busy is not None:
        return max(busy - own, 0.0) if is_clearly_above(busy, own) else 0.0
    found = look.of(uid).unaccounted_share
    return min(found, max(1.0 - sum(charged.values()), 0.0)) if found else 0.0


def unaccounted_bytes(look: CardLook, uid: str, slot_bytes: int) -> int:
    """Return what a worker holds beyond the sum of its slots; 0 where the driver does not say."""
    return max((look.of(uid).memory_bytes or 0) - slot_bytes, 0)


def is_clearly_above(busy: float, share: float) -> bool:
    """Return whether the driver's figure is above a share even if it is as wrong as it can be."""
    return busy > share * (1.0 + TRUSTED_RATIO) + DOUBT_SHARE
