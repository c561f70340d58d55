"""A worker as the agent serves it: who it is, which GPUs it has, and what is in force on each.

Where it was read, pods or a file, is not said here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from recommender.policy.first_generation import QOS

DEFAULT_QOS = QOS[1]


class Card(Protocol):
    """What a GPU has to give; ``devices.Device`` is one."""

    @property
    def tflops(self) -> float:
        """Return the peak of dense FP16."""
        ...

    @property
    def vram_bytes(self) -> int:
        """Return all its memory."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """One worker of this node; amounts are per GPU.

    What nobody stated counts as it does for those who look: no request is 0, no limit is the whole
    card.
    """

    uid: str
    """Of the pod."""
    namespace: str
    workload: str
    name: str
    """Of the pod."""
    pool: str
    qos: str
    """One of ``recommender.policy.first_generation.QOS``."""
    uuids: tuple[str, ...]
    """Of its GPUs, in the order of both pages."""
    tflops_request: float
    tflops_limit: float
    vram_request_bytes: int
    vram_limit_bytes: int
    is_ready: bool

    @property
    def key(self) -> tuple[str, str]:
        """Return namespace and workload."""
        return self.namespace, self.workload

    @property
    def qos_rank(self) -> int:
        """Return 0 for low, up to 3 for critical."""
        return QOS.index(self.qos)

    def request_share(self, card: Card) -> float:
        """Return the part of a card that it is guaranteed, 0 to 1."""
        return _share(self.tflops_request, card)

    def limit_share(self, card: Card) -> float:
        """Return the part of a card that it may use at most, 0 to 1."""
        return _share(self.tflops_limit, card)


def _share(tflops: float, card: Card) -> float:
    return min(tflops / card.tflops, 1.0) if card.tflops > 0 else 1.0
