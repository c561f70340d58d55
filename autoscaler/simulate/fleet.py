"""What is simulated: cards, and workloads with their policies and loads."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

from autoscaler.errors import UsageError
from recommender.gpu_models import GpuModel, find_gpu_model, suggest_gpu_models
from recommender.observation import QOS_LEVELS
from recommender.resources import TFLOPS, VRAM

if TYPE_CHECKING:
    from collections.abc import Mapping

    from autoscaler.simulate.families import Load
    from recommender.policy.model import Policy

RESOURCES = (TFLOPS, VRAM)
"""What the simulated cluster sizes; columns of all its amounts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CardGroup:
    """Equal GPUs of one pool."""

    pool: str
    gpu_model: str
    count: int
    price_per_gpu_hour: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedWorkload:
    """One workload; amounts per worker and device in base units."""

    namespace: str
    workload: str
    pool: str
    gpu_model: str
    policy: Policy = field(repr=False)
    load: Load
    request: tuple[float, float]
    """Stated (TFLOPS, VRAM bytes)."""
    limit: tuple[float, float]
    replicas: int = 1
    gpu_count: int = 1
    qos: str = "medium"
    owner: str = ""
    is_shared_load: bool = True
    """Workers share the load; else each has all of it, as in training."""
    startup_s: int = 90
    opaque_share: float | None = None
    """The allocator takes this share of the VRAM limit at its start, whatever the load."""
    stated_sources: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def is_scalable(self) -> bool:
        """Whether the owner has replicas that can be set."""
        return self.owner.split("/")[0] in {"Deployment", "StatefulSet"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """Cards and workloads; checked when it is made.

    Raises ``UsageError`` for an unknown GPU model or QoS level, and for a pool without cards.
    """

    cards: tuple[CardGroup, ...]
    workloads: tuple[SimulatedWorkload, ...]

    def __post_init__(self) -> None:
        for group in self.cards:
            gpu_model(group.gpu_model)
        offered = {(group.pool, gpu_model(group.gpu_model).name) for group in self.cards}
        for item in self.workloads:
            where = f"workload {item.namespace}/{item.workload}"
            if item.qos not in QOS_LEVELS:
                raise UsageError(f"{where}: qos {item.qos!r}; allowed: {', '.join(QOS_LEVELS)}")
            if (item.pool, gpu_model(item.gpu_model).name) not in offered:
                raise UsageError(
                    f"{where}: pool {item.pool!r} has no GPU of model {item.gpu_model!r}"
                )


def gpu_model(name: str) -> GpuModel:
    """Return a known GPU model; raises ``UsageError`` with similar names."""
    known = find_gpu_model(name)
    if known is None:
        similar = ", ".join(suggest_gpu_models(name)) or "none"
        raise UsageError(f"GPU model {name!r} is not known; similar: {similar}")
    return known
