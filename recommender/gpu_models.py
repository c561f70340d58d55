"""What one GPU of a model can do: dense FP16 TFLOPS and VRAM.

The unit "TFLOPS" of every request and limit rests on this table: a worker's share of device time
is its limit divided by the card's peak, so that a wrong peak is a wrong limit.  Convention: FP16
on tensor cores with FP32 accumulation, without sparsity, at boost clock.

Loads with the standard library alone, because the node agent uses it too.  What a driver reports
about a present card (VRAM, cores, clock) is the agent's to find; it and the user's own table win
over this one as ``overrides``.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache

_GIB = 2**30
_MIB = 2**20


@dataclass(frozen=True, slots=True)
class GpuModel:
    """One model; amounts are of one device."""

    name: str
    """As the driver (NVML) or the vendor spells it."""
    fp16_tflops: float
    vram_bytes: int
    """Nominal, unless measured; the driver keeps some of it for itself."""
    aliases: tuple[str, ...] = ()
    source: str = "datasheet"
    """``datasheet``, ``derived`` (units x FLOP per clock x boost clock), or ``disputed`` (sources
    differ by up to 15 %)."""


def find_gpu_model(name: str, overrides: Iterable[GpuModel] = ()) -> GpuModel | None:
    """Return the model with that full name or alias; None where there is none.

    Case, and what stands between words (blank, ``-``, ``_``), do not count, nor does a leading
    vendor or brand name ("NVIDIA", "Tesla", "GeForce", …).  A short name that several cards share
    ("A100", "V100") means the one with the most VRAM, so that the cap at one card's capacity never
    takes away what a card may have.  ``overrides`` are searched first.
    """
    key = _key(name)
    if not key:
        return None
    for model in overrides:
        if key in _keys(model):
            return model
    return _built_in_models().get(key)


def suggest_gpu_models(name: str, overrides: Iterable[GpuModel] = ()) -> list[str]:
    """Return up to three known names that resemble ``name``, the most similar first."""
    spellings = {
        _key(spelling): spelling
        for model in (*overrides, *GPU_MODELS)
        for spelling in (model.name, *model.aliases)
    }
    matches = difflib.get_close_matches(_key(name), spellings, n=3, cutoff=0.5)
    return [spellings[match] for match in matches]


_BRANDS = {"nvidia", "tesla", "geforce", "quadro", "amd", "instinct", "huawei", "ascend"}


def _key(name: str) -> str:
    words = [word for word in re.split(r"[^a-z0-9]+", name.casefold()) if word]
    while words and words[0] in _BRANDS:
        words.pop(0)
    return "".join(words)


def _keys(model: GpuModel) -> Iterator[str]:
    yield from map(_key, (model.name, *model.aliases))


@cache
def _built_in_models() -> dict[str, GpuModel]:
    return {key: model for model in GPU_MODELS for key in _keys(model)}


GPU_MODELS = (
    GpuModel("Tesla T4", 65.1, 16 * _GIB, ("T4",)),
    GpuModel("Tesla V100-SXM2-16GB", 125.0, 16 * _GIB, ("V100-SXM-16GB", "V100-16GB")),
    GpuModel("Tesla V100-SXM2-32GB", 125.0, 32 * _GIB, ("V100", "V100-SXM2", "V100-32GB")),
    GpuModel("Tesla V100-PCIE-16GB", 112.0, 16 * _GIB),
    GpuModel("Tesla V100-PCIE-32GB", 112.0, 32 * _GIB, ("V100-PCIE",)),
    GpuModel("NVIDIA A10", 125.0, 24 * _GIB),
    GpuModel("NVIDIA A30", 165.0, 24 * _GIB),
    GpuModel("NVIDIA A40", 149.7, 48 * _GIB, ("NVIDIA A40-PCIE-48GB",)),
    GpuModel("NVIDIA RTX A6000", 154.8, 48 * _GIB, ("A6000",)),
    GpuModel("NVIDIA A100-PCIE-40GB", 312.0, 40 * _GIB, ("A100_PCIe_40G", "A100 40GB PCIe")),
    GpuModel("NVIDIA A100-SXM4-40GB", 312.0, 40 * _GIB, ("A100_SXM_40G", "A100-40GB", "A100-40G")),
    GpuModel(
        "NVIDIA A100 80GB PCIe", 312.0, 80 * _GIB, ("A100_PCIe_80G", "A100-PCIE-80GB", "A100-PCIE")
    ),
    GpuModel(
        "NVIDIA A100-SXM4-80GB",
        312.0,
        80 * _GIB,
        ("A100", "A100_SXM_80G", "A100-SXM4", "A100-80GB", "A100-80G"),
    ),
    GpuModel("NVIDIA L4", 121.0, 24 * _GIB),
    GpuModel("NVIDIA L40", 181.05, 48 * _GIB),
    GpuModel("NVIDIA L40S", 362.05, 48 * _GIB),
    GpuModel(
        "NVIDIA RTX 6000 Ada Generation", 364.0, 48 * _GIB, ("RTX 6000 Ada", "A6000Ada"), "derived"
    ),
    GpuModel("NVIDIA H100 PCIe", 756.5, 80 * _GIB),
    GpuModel(
        "NVIDIA H100 80GB HBM3",
        989.4,
        80 * _GIB,
        ("H100", "H100_SXM", "H100 SXM5", "H100-SXM5-80GB", "H100-80GB"),
    ),
    GpuModel("NVIDIA H100 NVL", 835.0, 94 * _GIB),
    GpuModel("NVIDIA H200", 989.4, 143_771 * _MIB, ("H200 SXM", "H200-141GB")),
    GpuModel("NVIDIA H200 NVL", 835.0, 143_771 * _MIB),
    GpuModel("NVIDIA H20", 148.0, 96 * _GIB),
    GpuModel("NVIDIA B200", 2250.0, 180 * _GIB, ("B200_SXM",)),
    GpuModel("NVIDIA GB200", 2500.0, 180 * _GIB),
    GpuModel("NVIDIA GeForce RTX 3090", 71.2, 24 * _GIB, ("RTX3090",), "derived"),
    GpuModel("NVIDIA GeForce RTX 4090", 165.2, 24 * _GIB, ("RTX4090",), "derived"),
    GpuModel("NVIDIA GeForce RTX 5090", 209.5, 32 * _GIB, ("RTX_5090",), "derived"),
    GpuModel(
        "NVIDIA RTX PRO 6000 Blackwell Server Edition",
        504.0,
        96 * _GIB,
        ("RTX PRO 6000 Blackwell", "RTX PRO 6000"),
        "derived",
    ),
    GpuModel("AMD Instinct MI300X", 1307.4, 192 * _GIB, ("MI300X OAM",)),
    GpuModel("Ascend 910B1", 376.0, 64 * _GIB, (), "disputed"),
    GpuModel("Ascend 910B2", 376.0, 64 * _GIB, (), "disputed"),
    GpuModel("Ascend 910B3", 313.0, 64 * _GIB, (), "disputed"),
    GpuModel("Ascend 910B4", 280.0, 32 * _GIB, (), "disputed"),
)
"""In order of generation; the short name of an ambiguous card stands at the largest."""
