"""Compute and VRAM of one GPU as exact whole numbers, for books that must add up.

TFLOPS are counted in millionths and rounded up where a request is read, so that the sum of what is
requested is never above the truth's.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Self

from recommender.amounts import ResourceAmounts, tflops_of_percent
from recommender.quantities import format_quantity

MICRO = Decimal(1_000_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class GpuAmounts:
    """An amount of compute and of VRAM; a difference may be negative."""

    microtflops: int = 0
    """FP16 TFLOPS in millionths."""
    vram_bytes: int = 0

    def __add__(self, other: GpuAmounts) -> GpuAmounts:
        return GpuAmounts(
            microtflops=self.microtflops + other.microtflops,
            vram_bytes=self.vram_bytes + other.vram_bytes,
        )

    def __sub__(self, other: GpuAmounts) -> GpuAmounts:
        return self + other * -1

    def __mul__(self, count: int) -> GpuAmounts:
        return GpuAmounts(microtflops=self.microtflops * count, vram_bytes=self.vram_bytes * count)

    def fits_in(self, room: GpuAmounts) -> bool:
        """Return whether neither amount is above that of ``room``."""
        return self.microtflops <= room.microtflops and self.vram_bytes <= room.vram_bytes

    def at_most(self, other: GpuAmounts) -> GpuAmounts:
        """Return the smaller of both, each amount on its own."""
        return GpuAmounts(
            microtflops=min(self.microtflops, other.microtflops),
            vram_bytes=min(self.vram_bytes, other.vram_bytes),
        )

    def at_least(self, other: GpuAmounts) -> GpuAmounts:
        """Return the larger of both, each amount on its own."""
        return GpuAmounts(
            microtflops=max(self.microtflops, other.microtflops),
            vram_bytes=max(self.vram_bytes, other.vram_bytes),
        )

    @property
    def tflops(self) -> Decimal:
        """Return the compute in TFLOPS."""
        return Decimal(self.microtflops) / MICRO

    @classmethod
    def of(cls, amounts: ResourceAmounts, *, rounding: str = ROUND_CEILING) -> Self:
        """Return amounts in TFLOPS and bytes; what is not stated is 0, and percent is left out."""
        micro = (amounts.tflops or Decimal(0)) * MICRO
        vram_bytes = amounts.vram_bytes or Decimal(0)
        return cls(
            microtflops=int(micro.to_integral_value(rounding)),
            vram_bytes=int(vram_bytes.to_integral_value(rounding)),
        )

    @classmethod
    def total(cls, amounts: Iterable[GpuAmounts]) -> Self:
        """Return the sum, without making an object of each step: pools have thousands of GPUs."""
        each = list(amounts)
        return cls(
            microtflops=sum(one.microtflops for one in each),
            vram_bytes=sum(one.vram_bytes for one in each),
        )

    @classmethod
    def capacity_of(cls, amounts: ResourceAmounts) -> Self:
        """Return what there is, rounded down."""
        return cls.of(amounts, rounding=ROUND_FLOOR)

    def as_mapping(self) -> dict[str, str]:
        """Return the amounts as the API carries them: ``{"tflops": …, "vram": …}``."""
        return {
            "tflops": format_quantity(self.tflops, "decimal"),
            "vram": format_quantity(Decimal(self.vram_bytes), "binary"),
        }


def on_card(asked: ResourceAmounts, capacity: GpuAmounts) -> GpuAmounts:
    """Return what is asked of a card with that capacity: percent becomes TFLOPS of its peak.

    A card whose peak is not known (0) serves no percent: they count as 0 there.
    """
    if asked.compute_percent is None or capacity.microtflops <= 0:
        return GpuAmounts.of(asked)
    tflops = tflops_of_percent(asked.compute_percent, capacity.tflops)
    return GpuAmounts.of(ResourceAmounts(tflops=tflops, vram_bytes=asked.vram_bytes))
