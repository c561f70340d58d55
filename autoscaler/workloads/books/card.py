"""One GPU as placement sees it: put together from its GPU object, its node and its pool.

How it is put together is ``inventory``; what is used of it is ``books``.
"""

from __future__ import annotations

from dataclasses import dataclass

from autoscaler.workloads.books.gpu_amounts import GpuAmounts


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """A GPU on a node."""

    name: str
    """Of its GPU object: the UUID in lower case."""
    uuid: str
    """As the driver spells it; stands in ``gpu-ids``."""
    index: int | None
    """On its node."""
    node: str
    """Name of its node; empty: not known."""
    pool: str
    """Empty: no pool selects its node."""
    gpu_model: str
    """Full name, as the driver tells it."""
    model: str
    """Short name; may be empty."""
    vendor: str
    capacity: GpuAmounts
    """What it has."""
    allocatable: GpuAmounts
    """What may be requested: TFLOPS times the pool's oversubscription, and all VRAM."""
    problem: str = ""
    """Why nothing is placed on it, as a part of a sentence; empty: workers may be."""
