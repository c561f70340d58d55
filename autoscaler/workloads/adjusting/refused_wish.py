"""Amounts that the API server refused to write, so that it is not asked for them all the time.

What is refused held room for a moment, and giving it back brings all who wait for room there: two
workloads whose changes are refused would bring one another for ever.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from autoscaler.errors import KubeError
from autoscaler.workloads.adjusting.worker_adjusting import Wish

AGAIN_S = 60.0
"""A refusal may end without any change of the pod, as when a policy is corrected."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedWish:
    """The last change of one worker that was refused."""

    version: str
    """Of its pod."""
    changes: Mapping[str, str]
    """What it was to have, by key of a statement."""
    error: KubeError
    again_s: float
    """When to ask again, in UTC seconds."""

    @classmethod
    def of(cls, wish: Wish, error: KubeError, *, now_s: float) -> Self:
        """Return that a wish was refused."""
        return cls(
            version=wish.version,
            changes=wish.plan.changes,
            error=error,
            again_s=now_s + AGAIN_S,
        )

    def answers(self, wish: Wish, *, now_s: float) -> bool:
        """Return whether asking for a wish now would only repeat what was refused."""
        is_same = (wish.version, wish.plan.changes) == (self.version, self.changes)
        return is_same and now_s < self.again_s
