"""What workers do over and over: operations of PyTorch, and kernels that stand for them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

Workers = Literal["torch", "programs"]
"""Who works: PyTorch, or the driver-API programs of ``tests/fakes/gpu/programs``."""
MOST_DEPTH, LEAST_DEPTH, AHEAD_NS = 256, 4, 4_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """One kind of work."""

    torch: str
    """As the PyTorch worker takes it; empty: too short for PyTorch, which launches too slowly."""
    kernels_ns: tuple[int, ...]
    """One after another: what the programs launch in its place, about as long on an H100."""
    streams: int = 1
    pieces_per_wait: int = 0
    """After how many it waits for all; 0: some milliseconds of work are always under way."""

    def for_workers(self, workers: Workers) -> Workers:
        """Return who does this work, where others are done by ``workers``."""
        return workers if self.torch else "programs"

    def name(self, workers: Workers) -> str:
        """Return what it is called in tables."""
        waits = f", a wait after {self.pieces_per_wait}" if self.pieces_per_wait else ""
        if self.for_workers(workers) == "torch":
            return self.torch + waits
        lengths = " + ".join(f"{ns / 1000:g} µs" for ns in self.kernels_ns)
        return lengths + (f" on {self.streams} streams" if self.streams > 1 else "") + waits

    @property
    def depth(self) -> int:
        """Return how many launches of a program may be under way: some milliseconds of work."""
        if self.pieces_per_wait:
            return max(self.pieces_per_wait // 2 * 2, 2)
        mean_ns = sum(self.kernels_ns) / len(self.kernels_ns)
        return min(max(int(AHEAD_NS / mean_ns), LEAST_DEPTH), MOST_DEPTH) // 2 * 2


def gemm(rows: int) -> Work:
    """Return the product of two square matrices in bfloat16."""
    at_4096_ns = 230_000
    return Work(torch=f"gemm:{rows}", kernels_ns=(int(at_4096_ns * (rows / 4096) ** 3),))


ELEMENTWISE_5_US = Work(torch="", kernels_ns=(5_000,))
ELEMENTWISE_20_US = Work(torch="elementwise:8388608", kernels_ns=(20_000,))
MIXED = Work(torch="mixed", kernels_ns=(5_000, 230_000, 20_000, 5_000, 1_400_000, 20_000))
GRAPH = Work(torch="graph", kernels_ns=(20_000,) * 10)
LAUNCH_BOUND = Work(torch="", kernels_ns=(1_000,))
SHORT, LONG = gemm(4096), gemm(8192)
WAITING = replace(SHORT, pieces_per_wait=2)
