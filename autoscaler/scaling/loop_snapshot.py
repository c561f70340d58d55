"""What a loop exports as metrics, as plain values that later ticks do not change.

Whoever drives a loop takes a snapshot after each tick, on the loop's own thread; a scrape reads the
last one.  Names and text format are the business of ``telemetry``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from autoscaler.scaling.loop import Loop
    from recommender.usage.quality import SampleCounts


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopSnapshot:
    """What the loop holds and has done since it started."""

    samples: Mapping[str, int]
    """The fields of ``SampleCounts``."""
    workloads: int
    """Rows of the usage model: one per workload and GPU model."""
    workers: int
    collect_errors: Mapping[tuple[str, str], int] = field(
        default_factory=lambda: MappingProxyType({})
    )
    """(metric, kind of error) to the number of failed reads; kinds are those of ``Outcome``."""
    collect_partial: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    """Metric to the number of reads that were answered in part."""
    checkpoint_bytes: int | None = None
    """Size of the last saved checkpoint; None: none was saved yet."""
    checkpoint_saved_s: float | None = None
    """UTC seconds of the last saved checkpoint."""


def counts_of(counts: SampleCounts) -> Mapping[str, int]:
    """Return a copy of the counts that later samples do not change."""
    return MappingProxyType(asdict(counts))


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
