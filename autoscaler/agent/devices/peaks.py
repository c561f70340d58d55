"""Peak FP16 TFLOPS of a device: by the tables, else derived from its cores and its clock.

Convention as in ``recommender.gpu_models``: tensor cores, FP32 accumulation, no sparsity.  A
derived peak takes the highest clock that the driver allows, which may be some percent above the
boost clock of the data sheet, so it is marked and ``gpuModels`` in the settings wins over it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from recommender.gpu_models import GpuModel, find_gpu_model

FLOP_PER_CLOCK_AND_CORE = (
    ((12, 0), 8),
    ((10, 0), 64),
    ((9, 0), 32),
    ((8, 6), 8),
    ((8, 0), 32),
    ((7, 0), 16),
    ((6, 0), 2),
)
"""From a compute capability on; the newest first.  Of the vendor's architecture papers: FLOP of a
multiprocessor in one clock, divided by its CUDA cores.  Cores without tensor cores count FP32."""
MULTIPROCESSORS_OF_64_CORES = ((7, 0), (7, 5), (8, 0))
"""Compute capabilities; others of today have 128 cores in each."""
CONSUMER = "geforce"
"""In the names of cards that accumulate in FP32 at half the rate."""
FIRST_HALVED = (7, 5)
_BRANDS = ("NVIDIA ", "Tesla ", "GeForce ", "Quadro ")


@dataclass(frozen=True, slots=True, kw_only=True)
class Chip:
    """What a peak is derived from, as the driver tells it."""

    cores: int
    max_sm_clock_mhz: int
    compute_capability: tuple[int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Peak:
    """What a model of a device can do, and what it is called for short."""

    tflops: float
    """0: neither in a table nor to be derived."""
    model: str
    is_derived: bool


def peak_of(gpu_model: str, chip: Chip | None, overrides: Iterable[GpuModel] = ()) -> Peak:
    """Return the peak of a whole GPU; ``chip`` is None where the driver does not tell it all."""
    known = find_gpu_model(gpu_model, overrides)
    if known is not None:
        return Peak(tflops=known.fp16_tflops, model=short_name(known), is_derived=False)
    tflops = 0.0 if chip is None else derived_tflops(gpu_model, chip)
    return Peak(tflops=tflops, model=_without_brand(gpu_model), is_derived=tflops > 0)


def derived_tflops(gpu_model: str, chip: Chip) -> float:
    """Return cores x FLOP per clock x clock; 0 for a chip older than Pascal."""
    flop = next(
        (
            each
            for capability, each in FLOP_PER_CLOCK_AND_CORE
            if chip.compute_capability >= capability
        ),
        0,
    )
    is_halved = CONSUMER in gpu_model.casefold() and chip.compute_capability >= FIRST_HALVED
    per_second = chip.cores * flop * chip.max_sm_clock_mhz * 1e6
    return per_second / (2 if is_halved else 1) / 1e12


def multiprocessors_of(chip: Chip) -> int:
    """Return how many multiprocessors a whole GPU has."""
    return chip.cores // (64 if chip.compute_capability in MULTIPROCESSORS_OF_64_CORES else 128)


def short_name(known: GpuModel) -> str:
    """Return the shorter of a model's name without its brand, and the alias that stands first."""
    return min((_without_brand(known.name), *known.aliases[:1]), key=len)


def _without_brand(name: str) -> str:
    for brand in _BRANDS:
        name = name.removeprefix(brand)
    return name
