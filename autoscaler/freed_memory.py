"""Has freed memory given back to the system, in processes that hold a large fleet.

Answers of a metrics server and grown arrays are large and live for a moment, on one thread or
another.  By default glibc keeps such memory after the first time, an arena for each thread, so that
a process for ever takes what its largest moment took.
"""

from __future__ import annotations

import ctypes

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8
"""Parameters of ``mallopt``, from ``malloc.h``."""
MAPPED_FROM_BYTES = 2**20
"""From this size on memory is mapped by itself, and goes back as soon as it is freed."""
KEPT_FREE_BYTES = 32 * 2**20
"""Of smaller ones: to take each of them from the system anew doubles the time of a forecast."""
ARENAS = 2


def give_back_freed_memory() -> bool:
    """Set the limits for this process; return whether its C library knows them (glibc does)."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    settings = {
        _MMAP_THRESHOLD: MAPPED_FROM_BYTES,
        _TRIM_THRESHOLD: KEPT_FREE_BYTES,
        _ARENA_MAX: ARENAS,
    }
    return all(mallopt(parameter, value) == 1 for parameter, value in settings.items())
