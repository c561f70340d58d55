"""The autoscaler's own metrics in Prometheus' text format.

One registry per process part, never the client library's global one, which adds what nobody asked
for and is shared by tests.  Collectors read snapshots when they are scraped; nothing is counted
here.  Serving the text over HTTP is not here either.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

from autoscaler.telemetry.families import Kind
from autoscaler.telemetry.snapshots import (
    LOOP_FAMILIES,
    SOURCE_FAMILIES,
    Distribution,
    loop_points,
    source_points,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from prometheus_client import Metric

    from autoscaler.sources.prometheus.query_counts import QueryCountsSnapshot
    from autoscaler.telemetry.families import Family
    from autoscaler.telemetry.snapshots import LoopSnapshot, Point

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
"""Of what ``render`` returns."""


def registry_of(
    *,
    source: Callable[[], QueryCountsSnapshot] | None = None,
    loop: Callable[[], LoopSnapshot] | None = None,
) -> CollectorRegistry:
    """Return a registry of the parts that there are; each is asked once per scrape.

    The callables run on the thread that serves the scrape and must return what no other thread
    changes: ``QueryCounts.snapshot``, and the ``LoopSnapshot`` that was made last.
    """
    registry = CollectorRegistry()
    if source is not None:
        registry.register(_SnapshotCollector(SOURCE_FAMILIES, lambda: source_points(source())))
    if loop is not None:
        registry.register(_SnapshotCollector(LOOP_FAMILIES, lambda: loop_points(loop())))
    return registry


def render(registry: CollectorRegistry) -> bytes:
    """Return all metrics in the text format, version 0.0.4."""
    return generate_latest(registry)


class _SnapshotCollector(Collector):
    """Turns the points of a snapshot into families of the client library."""

    def __init__(
        self, families: Sequence[Family], read: Callable[[], Iterable[Point | Distribution]]
    ) -> None:
        self._families = families
        self._read = read

    def describe(self) -> Iterator[Metric]:
        """Yield the families without numbers, so that the registry refuses a name given twice."""
        yield from (_empty(family) for family in self._families)

    def collect(self) -> Iterator[Metric]:
        """Yield all families with the numbers of one snapshot, those without any included."""
        filled = {family.name: _empty(family) for family in self._families}
        for point in self._read():
            into = filled[point.family.name]
            if isinstance(point, Distribution):
                assert isinstance(into, HistogramMetricFamily)
                into.add_metric((), point.buckets, point.total)
            else:
                assert isinstance(into, CounterMetricFamily | GaugeMetricFamily)
                into.add_metric(point.labels, point.value)
        yield from filled.values()


def _empty(
    family: Family,
) -> CounterMetricFamily | GaugeMetricFamily | HistogramMetricFamily:
    if family.kind is Kind.COUNTER:
        return CounterMetricFamily(family.name, family.meaning, labels=family.labels)
    if family.kind is Kind.HISTOGRAM:
        return HistogramMetricFamily(family.name, family.meaning, labels=family.labels)
    return GaugeMetricFamily(family.name, family.meaning, labels=family.labels)
