"""What a replay does: which layers decide how often, and what becomes of a decision."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

from recommender.decision import Layer
from recommender.errors import InvalidValueError

DEFAULT_STEPS_S = MappingProxyType({Layer.REQUESTS: 3600, Layer.LIMITS: 300})


class Amounts(StrEnum):
    """Which amounts of a decision take force."""

    TARGET = "target"
    """What is right: raised at once, lowered when more than the update threshold below."""
    NEXT = "next"
    """What may be written, with pace, confidence and budgets; only enrolled layers move."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayPlan:
    """How recorded usage is replayed."""

    steps_s: Mapping[Layer, int] = field(default_factory=lambda: DEFAULT_STEPS_S)
    """Seconds between the decisions of each layer that takes part."""
    delay_s: int = 0
    """From a decision until it is in force."""
    is_closed_loop: bool = False
    """Whether a replay sees min(demand, allocation in force) instead of the demand."""
    amounts: Amounts = Amounts.TARGET

    def tick_s(self) -> int:
        """Return the time between two ticks, of which each makes some layers due."""
        return math.gcd(*self.steps_s.values())

    def ticks_s(self, begin_s: int, end_s: int) -> range:
        """Return the times from ``begin_s`` on, before ``end_s``, at which some layer decides."""
        tick_s = self.tick_s()
        return range(-(-begin_s // tick_s) * tick_s, end_s, tick_s)

    def due(self, now_s: int) -> frozenset[Layer]:
        """Return the layers that decide at ``now_s``."""
        return frozenset(layer for layer, step_s in self.steps_s.items() if now_s % step_s == 0)

    def checked(self, step_s: int) -> ReplayPlan:
        """Return the plan for usage with this step.  Raises ``InvalidValueError``."""
        if not self.steps_s:
            raise InvalidValueError("layers", "none", "requests, limits or replicas")
        for layer, own_s in self.steps_s.items():
            if own_s < step_s or own_s % step_s:
                allowed = f"a multiple of {step_s} s, the step of the recorded usage"
                raise InvalidValueError(
                    f"decision step of {layer.name.lower()} (s)", own_s, allowed
                )
        if self.delay_s < 0:
            raise InvalidValueError("delay (s)", self.delay_s, "0 or more")
        return self
