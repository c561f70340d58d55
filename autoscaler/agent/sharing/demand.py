"""What a worker would use of a card, from what it used and how long it was held.

Three things show that a worker wants more than it uses: its share holds it, it uses its share, or
it waits for its work for longer than that takes, as programs do that wait for each answer while
others have the card.

The page that says so is the worker's own to write.  A demand that is too high takes nothing from
the requests of others, only from what they get above them; one that is claimed and never used is
not believed for long.
"""

from __future__ import annotations

import math

from autoscaler.agent.pages.progress import Progress

FULL_RATIO = 0.9
"""Who uses so much of its share may want any more."""
HEADROOM_RATIO, HEADROOM_SHARE = 0.2, 0.1
"""Over the use of who is not held: on a full card it may get less than it wants.  Changes between
processes alone take 7 % of a card (``slices``); with less than that it would be held down for good.
"""
CALM_S = 0.5
"""Time constant in which a demand that is gone is forgotten: between bursts it stays."""
MEMORY_S = 10.0
"""Time constant of what is remembered of claims; longer than the longest kernel's debt."""
LONGEST_LAUNCH_S = 60.0
"""No more device time than that is charged at once, whatever a page says."""
BELIEVED_RATIO = 0.25
"""A worker that is held uses its share; who uses less than so much of it, is not held."""
_HELD_RATIO = 0.02
_IDLE_SHARE = 0.001


class DemandMeter:
    """The demand of one worker on one card."""

    def __init__(self) -> None:
        self.demand = 0.0
        """0 to 1; 1: all that it may have."""
        self._used_s = 0.0
        self._claimed_s = 0.0

    def observe(self, seen: Progress, share: float, trim_k: float = 1.0) -> float:
        """Return the demand after one look; ``share`` was in force since the look before."""
        used = min(seen.charged_share * trim_k, LONGEST_LAUNCH_S / seen.span_s)
        held = seen.blocked_ratio if seen.blocked_ratio > _HELD_RATIO else 0.0
        wanted = _wanted_alone(used, seen.waited_ratio)
        kept = math.exp(-seen.span_s / MEMORY_S)
        self._used_s = self._used_s * kept + used * seen.span_s
        claimed = max(held * share, min(wanted, share) if wanted > used else 0.0)
        self._claimed_s = self._claimed_s * kept + claimed * seen.span_s
        found = self._found(used, held, wanted, share)
        fallen = self.demand * math.exp(-seen.span_s / CALM_S)
        self.demand = max(found, fallen if fallen > _IDLE_SHARE else 0.0)
        return self.demand

    def _found(self, used: float, held: float, wanted: float, share: float) -> float:
        is_believed = self._is_believed(share)
        if used >= FULL_RATIO * share or (held and is_believed):
            return 1.0
        if used > _IDLE_SHARE:
            wanted = wanted if is_believed else used
            return min(wanted * (1.0 + HEADROOM_RATIO) + HEADROOM_SHARE, 1.0)
        return 0.0

    def _is_believed(self, share: float) -> bool:
        """Return whether what is claimed fits what is used, or is too little to tell."""
        is_new = self._claimed_s < share * 1.0
        return is_new or self._used_s >= BELIEVED_RATIO * self._claimed_s


def _wanted_alone(used: float, waited_ratio: float) -> float:
    """Return what a worker would use if it had the card for itself.

    Who waits for its work for longer than that takes, waits for others to end theirs; alone, it
    would do the same work in its own time and in what it does between its waits.
    """
    if waited_ratio <= used:
        return used
    return used / (used + 1.0 - waited_ratio)
