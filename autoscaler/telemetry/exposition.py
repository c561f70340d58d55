"""The metrics of each process in Prometheus' text format.

One registry per process part, never the client library's global one, which adds what nobody asked
for and is shared by tests.  Collectors read snapshots when they are scraped; nothing is counted
here.  Serving the text over HTTP is not here either.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

from autoscaler.telemetry import (
    agent_points,
    autoscaler_points,
    controller_points,
    kube_points,
    snapshots,
    webhook_points,
)
from autoscaler.telemetry import kube_families as kube
from autoscaler.telemetry.agent_families import AGENT_FAMILIES
from autoscaler.telemetry.autoscaler_families import AUTOSCALER_FAMILIES
from autoscaler.telemetry.controller_families import CONTROLLER_FAMILIES
from autoscaler.telemetry.families import LOOP_FAMILIES, SOURCE_FAMILIES
from autoscaler.telemetry.family import Distribution, Kind
from autoscaler.telemetry.webhook_families import ADMISSION_FAMILIES, CERTIFICATE_FAMILIES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from prometheus_client import Metric

    from autoscaler.agent.running.snapshot import AgentSnapshot
    from autoscaler.kube.certificate_keeper import KeeperSnapshot
    from autoscaler.kube.elector import ElectorSnapshot
    from autoscaler.kube.event_recorder import EventCounts
    from autoscaler.kube.reflector import CacheCounts
    from autoscaler.kube.work_queue import WorkQueueSnapshot
    from autoscaler.kube.write_budget import WriteBudgetSnapshot
    from autoscaler.scaling.loop_snapshot import LoopSnapshot
    from autoscaler.scaling.running.counts.autoscaler_snapshot import AutoscalerSnapshot
    from autoscaler.sources.prometheus.query_counts import QueryCountsSnapshot
    from autoscaler.telemetry.family import Family, Point
    from autoscaler.webhook.counts import AdmissionCountsSnapshot
    from autoscaler.webhook.serving_certificate import CertificateCounts
    from autoscaler.workloads.controller_snapshot import ControllerSnapshot

Snapshot = TypeVar("Snapshot")

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
"""Of what ``render`` returns."""


def registry_of(
    *,
    source: Callable[[], QueryCountsSnapshot] | None = None,
    loop: Callable[[], LoopSnapshot] | None = None,
    admissions: Callable[[], AdmissionCountsSnapshot] | None = None,
    certificate: Callable[[], CertificateCounts] | None = None,
    caches: Callable[[], Iterable[CacheCounts]] | None = None,
    queue: Callable[[], WorkQueueSnapshot] | None = None,
    budget: Callable[[], WriteBudgetSnapshot] | None = None,
    elector: Callable[[], ElectorSnapshot] | None = None,
    events: Callable[[], EventCounts] | None = None,
    keeper: Callable[[], KeeperSnapshot] | None = None,
    controller: Callable[[], ControllerSnapshot] | None = None,
    autoscaler: Callable[[], AutoscalerSnapshot] | None = None,
    agent: Callable[[], AgentSnapshot] | None = None,
) -> CollectorRegistry:
    """Return a registry of the parts that there are; each is asked once per scrape.

    The callables run on the thread that serves the scrape and must return what no other thread
    changes: the ``snapshot`` of each part, and the ``LoopSnapshot`` that was made last.
    """
    registry = CollectorRegistry()

    def add(
        families: Sequence[Family],
        snapshot: Callable[[], Snapshot] | None,
        points: Callable[[Snapshot], Iterable[Point | Distribution]],
    ) -> None:
        if snapshot is not None:
            registry.register(_SnapshotCollector(families, lambda: points(snapshot())))

    add(SOURCE_FAMILIES, source, snapshots.source_points)
    add(LOOP_FAMILIES, loop, snapshots.loop_points)
    add(ADMISSION_FAMILIES, admissions, webhook_points.admission_points)
    add(CERTIFICATE_FAMILIES, certificate, webhook_points.certificate_points)
    add(kube.CACHE_FAMILIES, caches, kube_points.cache_points)
    add(kube.QUEUE_FAMILIES, queue, kube_points.queue_points)
    add(kube.BUDGET_FAMILIES, budget, kube_points.budget_points)
    add(kube.ELECTOR_FAMILIES, elector, kube_points.elector_points)
    add(kube.EVENT_FAMILIES, events, kube_points.event_points)
    add(kube.KEEPER_FAMILIES, keeper, kube_points.keeper_points)
    add(CONTROLLER_FAMILIES, controller, controller_points.controller_points)
    add(AUTOSCALER_FAMILIES, autoscaler, autoscaler_points.autoscaler_points)
    add(AGENT_FAMILIES, agent, agent_points.agent_points)
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
                into.add_metric(point.labels, point.buckets, point.total)
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
