"""What each worker gets of its GPU: the sharing rule of the node agent, in numpy.

Requests of workers that have work are guaranteed; what is left of a card is poured over those that
want more, by the weight of their QoS level, up to their limits.  If requests exceed a card, the
lowest level shrinks first.  All cards and several moments are computed at once.
"""

from __future__ import annotations

import numpy as np

from recommender.observation import Floats, Ints
from recommender.policy.qos import QOS_WEIGHTS

_WEIGHTS = np.array(QOS_WEIGHTS)
_NOTHING = 1e-9


def grant(
    demand: Floats, request: Floats, limit: Floats, qos: Ints, card: Ints, capacity: Floats
) -> tuple[Floats, Floats]:
    """Return what each device slot uses, and the share that bounds it, ``[S, D]`` each.

    ``demand`` is ``[S, D]`` (moments, slots); ``request``, ``limit``, ``qos`` and ``card`` are
    ``[D]``; ``capacity`` is ``[C]``.  The share is the limit where the slot got all it wanted.
    """
    on_card = np.zeros((len(card), len(capacity)))
    on_card[np.arange(len(card)), card] = 1.0
    wanted = np.minimum(demand, limit)
    used = np.minimum(wanted, request)
    used = _shrunk(used, qos, card, on_card, capacity)
    spare = np.maximum(capacity - used @ on_card, 0.0)
    used = _poured(used, wanted, spare, _WEIGHTS[qos], card, on_card)
    is_held_back = used < wanted - _NOTHING
    return used, np.where(is_held_back, used, limit)


def _shrunk(used: Floats, qos: Ints, card: Ints, on_card: Floats, capacity: Floats) -> Floats:
    """Take away what guaranteed amounts have above the card, the lowest QoS level first."""
    excess = used @ on_card - capacity
    if (excess <= _NOTHING).all():
        return used
    for level in range(len(QOS_WEIGHTS)):
        of_level = used * (qos == level)
        held = of_level @ on_card
        with np.errstate(invalid="ignore", divide="ignore"):
            ratio = np.where(held > 0, np.clip(excess, 0.0, held) / held, 0.0)
        used = used - of_level * ratio[:, card]
        excess = used @ on_card - capacity
    return used


def _poured(
    used: Floats, wanted: Floats, spare: Floats, weight: Floats, card: Ints, on_card: Floats
) -> Floats:
    """Pour spare capacity over those that want more.  Each round satisfies a slot or ends."""
    for _ in range(len(card)):
        lacking = wanted - used
        active = (lacking > _NOTHING) & (spare[:, card] > _NOTHING)
        if not active.any():
            break
        shares = active * weight
        total = (shares @ on_card)[:, card]
        with np.errstate(invalid="ignore", divide="ignore"):
            offer = np.where(active, spare[:, card] * shares / total, 0.0)
        taken = np.minimum(offer, lacking)
        used = used + taken
        spare = np.maximum(spare - taken @ on_card, 0.0)
    return used
