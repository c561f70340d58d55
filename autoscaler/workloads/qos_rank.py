"""Which of two workers is more important, by their quality of service."""

from __future__ import annotations

from recommender.policy.first_generation import QOS

NO_RANK = -1


def rank_of(qos: str) -> int:
    """Return 0 for low, up to 3 for critical; ``NO_RANK`` for a level that is none."""
    return QOS.index(qos) if qos in QOS else NO_RANK
