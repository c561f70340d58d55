"""The resources that are measured and sized, one descriptor each.

An amount is always per worker and GPU device.  A *compressible* resource slows work down when it
is short; an incompressible one (VRAM) makes it fail, so it has its own rules in every layer.
Kubernetes spelling of amounts is in ``quantities``.
"""

from __future__ import annotations

from dataclasses import dataclass

GIB = float(2**30)
MIB = float(2**20)


@dataclass(frozen=True, slots=True, kw_only=True)
class Resource:
    """How one resource is named, counted and bucketed."""

    name: str
    """As in reports and recorded files."""
    unit: str
    """For people, after a number."""
    is_compressible: bool
    floor: float
    """Smallest amount that is ever recommended, in base units."""
    first_bucket: float | None
    """End of the first histogram bucket; None: learned from the data."""
    largest_value: float | None
    api_name: str | None
    """Key below ``requests`` and ``limits`` of the API; None: no place in the API."""

    @property
    def is_known(self) -> bool:
        """Whether the API can carry it; any other resource is sized in its own unit."""
        return self.api_name is not None


TFLOPS = Resource(
    name="tflops",
    unit="TFLOPS",
    is_compressible=True,
    floor=1.0,
    first_bucket=0.1,
    largest_value=1e4,
    api_name="tflops",
)
COMPUTE_PERCENT = Resource(
    name="tflops_pct",
    unit="%",
    is_compressible=True,
    floor=1.0,
    first_bucket=0.01,
    largest_value=100.0,
    api_name="compute",
)
VRAM = Resource(
    name="vram_bytes",
    unit="bytes",
    is_compressible=False,
    floor=GIB,
    first_bucket=1e7,
    largest_value=1e12,
    api_name="vram",
)
KNOWN_RESOURCES = {resource.name: resource for resource in (TFLOPS, COMPUTE_PERCENT, VRAM)}


def resource_named(name: str) -> Resource:
    """Return the descriptor of a resource; an unknown name is sized in its own unit."""
    known = KNOWN_RESOURCES.get(name)
    if known is not None:
        return known
    return Resource(
        name=name,
        unit=name,
        is_compressible=True,
        floor=0.0,
        first_bucket=None,
        largest_value=None,
        api_name=None,
    )
