"""The numbers of a metrics source and of a loop, from their snapshots."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate
from types import MappingProxyType
from typing import TYPE_CHECKING

from autoscaler.sources.prometheus.query_counts import DURATION_BUCKETS_S
from autoscaler.telemetry import families
from autoscaler.telemetry.family import Distribution, Point

if TYPE_CHECKING:
    from autoscaler.scaling.loop_snapshot import LoopSnapshot
    from autoscaler.sources.prometheus.query_counts import QueryCountsSnapshot

OF_ACCEPTED = MappingProxyType(
    {"saturated": families.USAGE_SATURATED, "duplicate": families.USAGE_DUPLICATE}
)
"""Counts of ``SampleCounts`` that are a part of ``accepted``; each has a family of its own."""


def source_points(counts: QueryCountsSnapshot) -> Iterator[Point | Distribution]:
    """Return the numbers of a metrics source."""
    for outcome, number in counts.queries.items():
        yield Point(family=families.SOURCE_QUERIES, value=number, labels=(str(outcome),))
    yield Point(family=families.SOURCE_RETRIES, value=counts.retries)
    ends = [*map(str, DURATION_BUCKETS_S), "+Inf"]
    yield Distribution(
        family=families.SOURCE_DURATION,
        buckets=tuple(zip(ends, accumulate(counts.durations), strict=True)),
        total=counts.duration_sum_s,
    )
    yield Point(family=families.SOURCE_SAMPLES, value=counts.samples)
    yield Point(family=families.SOURCE_ANSWER_BYTES, value=counts.answer_bytes)
    yield Point(family=families.SOURCE_PARTIAL, value=counts.partial)
    if counts.last_success_s is not None:
        yield Point(family=families.SOURCE_LAST_SUCCESS, value=counts.last_success_s)


def loop_points(loop: LoopSnapshot) -> Iterator[Point]:
    """Return the numbers of a loop."""
    for result, number in loop.samples.items():
        if result in OF_ACCEPTED:
            yield Point(family=OF_ACCEPTED[result], value=number)
        else:
            yield Point(family=families.USAGE_SAMPLES, value=number, labels=(result,))
    yield Point(family=families.USAGE_WORKLOADS, value=loop.workloads)
    yield Point(family=families.USAGE_WORKERS, value=loop.workers)
    for labels, number in loop.collect_errors.items():
        yield Point(family=families.COLLECT_ERRORS, value=number, labels=labels)
    for metric, number in loop.collect_partial.items():
        yield Point(family=families.COLLECT_PARTIAL, value=number, labels=(metric,))
    if loop.checkpoint_bytes is not None:
        yield Point(family=families.CHECKPOINT_BYTES, value=loop.checkpoint_bytes)
    if loop.checkpoint_saved_s is not None:
        yield Point(family=families.CHECKPOINT_LAST_SUCCESS, value=loop.checkpoint_saved_s)
