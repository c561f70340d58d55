"""What simulated workers do: kernels, how they are launched, and the cards that run them.

A script says what a program wants; how much of it a limit lets through is the simulation's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

MICROSECOND_NS = 1_000
MILLISECOND_NS = 1_000_000
SECOND_NS = 1_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Kernel:
    """A kernel of one length.  Its geometry is what laws that do not measure time charge for."""

    length_ns: int
    blocks: int
    threads_per_block: int

    @property
    def threads(self) -> int:
        return self.blocks * self.threads_per_block


KERNEL_5_US = Kernel(length_ns=5 * MICROSECOND_NS, blocks=256, threads_per_block=256)
KERNEL_20_US = Kernel(length_ns=20 * MICROSECOND_NS, blocks=2048, threads_per_block=256)
KERNEL_1400_US = Kernel(length_ns=1_400 * MICROSECOND_NS, blocks=1024, threads_per_block=256)
KERNEL_11_MS = Kernel(length_ns=11 * MILLISECOND_NS, blocks=132, threads_per_block=384)
"""Two element-wise kernels, and matrix products of a side of 4096 and of 8192."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """One process: its kernels in turn over its streams, as fast as it may or at a rate.

    ``duty_ratio`` is the device time that it asks for, of the whole card: 1 asks without end,
    less spaces the launches evenly, 0 asks for nothing.  ``launches_per_sync`` is after how many
    launches it waits for all of its work; 0: never, up to the driver's queue.  With
    ``has_one_shape`` its kernels differ in their length alone, and are one to the limiter.
    """

    kernels: Sequence[Kernel]
    duty_ratio: float = 1.0
    streams: int = 1
    launches_per_sync: int = 0
    has_one_shape: bool = False

    def __post_init__(self) -> None:
        if not self.kernels:
            message = "a script has no kernels; it needs at least one"
            raise ValueError(message)
        if not 0 <= self.duty_ratio <= 1:
            message = f"duty_ratio is {self.duty_ratio}; allowed: 0 to 1"
            raise ValueError(message)

    @property
    def longest_kernel_ns(self) -> int:
        return max(kernel.length_ns for kernel in self.kernels)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenant:
    """A pod of one or several processes with the same script, and its part of the card."""

    script: Script
    limit: float
    request: float | None = None
    """None: the limit."""
    qos_rank: int = 1
    processes: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """How a simulated card divides its time among processes, and what its work costs beside it.

    ``slice_ns`` is how long a process keeps the card while others wait, ``switch_ns`` what a change
    costs; ``gap_ns`` stands before each kernel, ``drain_ns`` before an event behind a kernel, and
    ``record_ns`` is an event's own time.  ``nvml_bias`` is a factor on what NVML reads.
    """

    slice_ns: int
    switch_ns: int
    gap_ns: int
    drain_ns: int
    record_ns: int
    nvml_bias: float = 1.0


MEASURED_CARD = Card(
    slice_ns=2_100_000, switch_ns=165_000, gap_ns=1_730, drain_ns=2_000, record_ns=1_270
)
"""As docs/gpu-facts.md has it: two neighbours that ask without end get 46 % each."""
IDEAL_CARD = Card(slice_ns=2_100_000, switch_ns=1, gap_ns=1, drain_ns=1, record_ns=1)
"""A card that loses nothing between kernels or processes, so that 30 and 70 % fit it."""
