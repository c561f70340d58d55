"""What laws have in common that give each launch a price in tokens.

A controller of the node, or a thread of the process, puts tokens into a bucket each period; a
launch takes its price out of it and otherwise asks again every 10 ms.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol

from tests.autoscaler.agent.simulator.scripts import Kernel


class Admission(IntEnum):
    """When a launch may take its price."""

    COVERED = 0
    """When there are at least as many tokens."""
    NOT_IN_DEBT = 1
    """When tokens are not negative, whatever the price."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What NVML says of the last sample, 0 to 1."""

    device_ratio: float
    worker_ratio: float


class TokenLaw(Protocol):
    """The law of one worker on one GPU; it is asked once per period."""

    @property
    def period_ns(self) -> int: ...

    @property
    def admission(self) -> Admission: ...

    @property
    def is_open_without_agent(self) -> bool:
        """Whether launches pass once the agent has not been heard of for 2 s."""
        ...

    @property
    def is_in_process(self) -> bool:
        """Whether the law goes on without an agent."""
        ...

    def price(self, kernel: Kernel) -> float: ...

    def refilled(self, tokens: float, reading: Reading, elapsed_s: float) -> float:
        """Return the tokens of the bucket after this period."""
        ...


def clamp(value: float, low: float, high: float) -> float:
    return min(max(value, low), high)
