"""Whether what is asked of a GPU fits what is free of it, and in which amount it does not."""

from __future__ import annotations

from autoscaler.workloads.books.gpu_amounts import GpuAmounts


def lacking(added: GpuAmounts, free: GpuAmounts | None) -> str:
    """Return what a GPU lacks, as a part of a sentence; empty: it has the room.

    What adds nothing needs no room, even where more is in use than may be.  ``free`` is None for a
    GPU that is not there.
    """
    asked = GpuAmounts().at_least(added)
    if free is None:
        return "is not there" if asked != GpuAmounts() else ""
    has, wants = GpuAmounts().at_least(free).as_mapping(), asked.as_mapping()
    lacks = [
        f"{wants[key]} of {key} where {has[key]} is free"
        for key, short in (
            ("tflops", asked.microtflops > max(0, free.microtflops)),
            ("vram", asked.vram_bytes > max(0, free.vram_bytes)),
        )
        if short
    ]
    return f"cannot give {' and '.join(lacks)}" if lacks else ""
