"""What one device of a workload can hold: as the cluster says, else as its GPU model has it.

Which models there are beside the built-in table, and what they cost, whoever runs this states.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING

from autoscaler.scaling.cluster import Amounts, amounts
from recommender.gpu_models import GpuModel, find_gpu_model
from recommender.resources import COMPUTE_PERCENT, TFLOPS, VRAM

if TYPE_CHECKING:
    from autoscaler.scaling.cluster import WorkloadView


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuModels:
    """How GPU models are found, and what they cost."""

    default: GpuModel | None = None
    """Of workloads that state none."""
    own: tuple[GpuModel, ...] = ()
    """Beside the built-in table; they win."""
    prices: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    """Price of one GPU hour by model name."""


def card_of(view: WorkloadView, gpu_model: str) -> Amounts:
    """Return one device's capacity per resource name; an unknown one is absent."""
    return view.card or card_of_model(gpu_model)


@lru_cache(maxsize=256)
def card_of_model(gpu_model: str) -> Amounts:
    """Return the capacity of a GPU model; of an unknown one only its 100 percent are known."""
    known = find_gpu_model(gpu_model) if gpu_model else None
    if known is None:
        return amounts({COMPUTE_PERCENT.name: 100.0})
    return amounts(
        {
            TFLOPS.name: float(known.fp16_tflops),
            COMPUTE_PERCENT.name: 100.0,
            VRAM.name: float(known.vram_bytes),
        }
    )
