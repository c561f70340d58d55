"""What a page of use said at one moment.

The worker can write that page, so nothing here is more than its word; ``accounting`` compares it
with what the driver says.  All are tuples: they are made ten times a second for each worker.
"""

from __future__ import annotations

from typing import NamedTuple


class GPUUse(NamedTuple):
    """One GPU of the pod, all its processes together, in the order of the page; times are in ns."""

    tat_ns: int
    """Until when what was launched is paid for, CLOCK_MONOTONIC."""
    charged_ns: int
    """Device time before trim; never goes down."""
    launches: int
    blocked_ns: int
    """Wall time that launches were held by the share."""
    denied_allocations: int
    denied_bytes: int
    waited_ns: int
    """Wall time that processes waited for their work on the GPU to end."""


class ProcessUse(NamedTuple):
    """One process of the pod."""

    slot: int
    generation: int
    """Of the slot; goes up at each claim."""
    pid: int
    """In its own PID namespace."""
    start_time: int
    """Clock ticks from the start of the machine."""
    is_counted: bool
    """False: it claimed its slot just now, and all but ``pid`` and ``generation`` may still be of
    the slot's process before."""
    memory_bytes: tuple[int, ...]
    """On each GPU of the pod, contexts included; 0 while it is not counted."""


class UseReading(NamedTuple):
    """One look at a page of use."""

    monotonic_ns: int
    """When it was read."""
    gpus: tuple[GPUUse, ...]
    """In the order of the worker's GPUs."""
    processes: tuple[ProcessUse, ...]
    """By slot; free ones are left out.  Of the last look at the slots, where this was none."""
    unknown_symbols: int
    """Driver functions that were asked for in a version that the limiter does not know."""

    def memory_bytes(self, gpu: int) -> int:
        """Return what all processes hold on one GPU of the worker."""
        return sum(process.memory_bytes[gpu] for process in self.processes)
