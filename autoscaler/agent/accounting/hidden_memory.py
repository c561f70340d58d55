"""Memory that the driver says a worker holds and no slot of its page accounts for.

Mostly the code of its kernels, which the driver loads when they are first launched: on an H100
84 MiB in PyTorch with ``cudaMalloc``, 124 MiB with ``cudaMallocAsync``.  The limiter cannot see it;
where it did not count, the worker would hold more than its limit by so much.
"""

from __future__ import annotations

from collections import deque

LOOKS = 16
"""Of five a second.  The driver's figure is up to a second old: what was there at so many looks is
neither memory that has just been freed nor some that is about to be."""
MOST_OF_PROCESS_BYTES = 512 * 2**20
"""More is no code: a process past the limiter, which is found and told."""


class HiddenMemory:
    """One worker on one GPU."""

    def __init__(self) -> None:
        self._seen: deque[int] = deque(maxlen=LOOKS)

    def observe(self, unaccounted_bytes: int, processes: int) -> None:
        """Take in what one look found beyond the slots of so many processes."""
        self._seen.append(min(unaccounted_bytes, processes * MOST_OF_PROCESS_BYTES))

    @property
    def bytes(self) -> int:
        """Return what was there at all of the last looks; 0 until there were enough."""
        return min(self._seen) if len(self._seen) == LOOKS else 0
