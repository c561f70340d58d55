"""What one device of a workload can hold: as the cluster says, else as its GPU model has it."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from autoscaler.scaling.cluster import Amounts, amounts
from recommender.gpu_models import find_gpu_model
from recommender.resources import COMPUTE_PERCENT, TFLOPS, VRAM

if TYPE_CHECKING:
    from autoscaler.scaling.cluster import WorkloadView


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
