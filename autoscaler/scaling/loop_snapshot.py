"""What a loop exports as metrics, as plain values that later ticks do not change.

Whoever drives a loop takes a snapshot after each tick, on the loop's own thread; a scrape reads the
last one.  Names and text format are the business of ``telemetry``.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from autoscaler.telemetry.snapshots import LoopSnapshot, counts_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from autoscaler.scaling.loop import Loop


def loop_snapshot(
    loop: Loop, *, checkpoint_bytes: int | None = None, checkpoint_saved_s: float | None = None
) -> LoopSnapshot:
    """Return what the loop holds and has done.

    Size and time (UTC seconds) are of the last saved checkpoint; None: none was saved yet.
    """
    model, records = loop.model, loop.records
    return LoopSnapshot(
        samples=counts_of(model.counts),
        workloads=_held(model.workloads.keys),
        workers=_held(model.workers.keys),
        collect_errors=MappingProxyType(
            {(metric, str(kind)): count for (metric, kind), count in records.failed_reads.items()}
        ),
        collect_partial=MappingProxyType(dict(records.partial_reads)),
        checkpoint_bytes=checkpoint_bytes,
        checkpoint_saved_s=checkpoint_saved_s,
    )


def _held(keys: Sequence[object]) -> int:
    """Return how many rows belong to somebody."""
    return sum(key is not None for key in keys)
