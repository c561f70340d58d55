"""Opens a Prometheus for a command: who was measured, what is in force, and the time of now."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

from autoscaler.cli.measured_options import SHORTEST_STEP_S, MeasuredOptions, Span, span_of
from autoscaler.cli.measured_server import server_of
from autoscaler.cli.stated_input import (
    WITHOUT_USAGE,
    StatedInput,
    read_stated,
    sized_resources,
)
from autoscaler.cli.terminal import Terminal
from autoscaler.clock import SystemClock
from autoscaler.errors import InputError, SourceError
from autoscaler.prometheus_settings import PrometheusSettings
from autoscaler.reporting import Advance, Analysis, ReportText, analyse, partial_answers
from autoscaler.scaling.fleet.measured_fleet import MeasuredFleet, measured_fleet
from autoscaler.scaling.fleet.measured_inventory import measured_inventory, peaks_of
from autoscaler.scaling.fleet.recorded_cluster import RecordedCluster
from autoscaler.scaling.fleet.stated import StatedWorkload, statements_of
from autoscaler.sources.prometheus.chunks import DAY_S
from autoscaler.sources.prometheus.inventory import MEASURED, Inventory
from autoscaler.sources.source import Metric
from autoscaler.sources.timestamps import iso
from autoscaler.sources.watched import WatchedSource
from autoscaler.version import tool_version
from recommender.report.blocks import ItemError
from recommender.resources import Resource

if TYPE_CHECKING:
    from autoscaler.settings import Settings
    from autoscaler.sources.prometheus.client import PrometheusClient
    from autoscaler.sources.prometheus.prometheus_source import PrometheusSource
    from autoscaler.sources.prometheus.units import PeakTflops
    from autoscaler.sources.recorded_usage import Key

ANALYSED_SHARE = 0.8
"""Share of the work of a report that is done before its back-test: reading takes longest."""
HOLDS_BACK = (Metric.THROTTLED_RATIO, Metric.EFFECTIVE_SHARE_PERCENT)
"""With them use becomes demand."""
RAW_STEP_S = 15
"""Unless a step is given, the newest samples are read as they were scraped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredInput:
    """Everything that a command on a Prometheus works with."""

    settings: Settings
    server: PrometheusSettings
    client: PrometheusClient
    source: PrometheusSource
    fleet: MeasuredFleet
    resources: tuple[Resource, ...]
    span: Span
    errors: tuple[ItemError, ...]
    notes: tuple[str, ...]
    """What a reader of the report must know beside the notes of the fleet."""
    terminal: Terminal

    @property
    def analysed_share(self) -> float:
        """Share of the work of a report that ``analyse`` is."""
        return ANALYSED_SHARE

    def analyse(self, advance: Advance) -> Analysis:
        """Read the history and decide at ``now_s``."""
        span = self.span
        analysis = analyse(
            source=WatchedSource(self.source, span.start_s, span.now_s, advance),
            cluster=RecordedCluster(self.fleet.views),
            resources=self.resources,
            start_s=span.start_s,
            now_s=span.now_s,
            step_s=span.step_s or RAW_STEP_S,
            errors=self.errors,
        )
        _tell_queries(self.client, self.terminal)
        return analysis

    def text(self) -> ReportText:
        """Return the head of a report on this input; after ``analyse``, which finds the queries."""
        return ReportText(
            generated_s=SystemClock().now_s(),
            tool_version=tool_version(),
            source=f"{self.client.connection.url} ({', '.join(self._source_parts())})",
            step_s=self.span.step_s or SHORTEST_STEP_S,
            currency=self.settings.currency,
            thresholds=self.settings.thresholds,
            notes=(*self.notes, *self.fleet.report_notes, *self.server.mapping.limits),
            price_sources=self.fleet.price_sources,
            queries=self._queries(),
            skipped={WITHOUT_USAGE: missing} if (missing := self.fleet.without_usage) else {},
        )

    def _source_parts(self) -> tuple[str, ...]:
        return self.server.mapping.name, *map(str, self.server.matchers)

    def _queries(self) -> Mapping[tuple[str, str], Mapping[str, Sequence[str]]]:
        return MappingProxyType(
            {
                view.key: MappingProxyType(
                    {
                        resource.name: queries
                        for resource in self.resources
                        if (queries := self._queries_of(resource, view.key))
                    }
                )
                for view in self.fleet.views
            }
        )

    def _queries_of(self, resource: Resource, key: Key) -> tuple[str, ...]:
        """Return the queries of a resource, and of what tells how far its use was held back."""
        own = self.source.promql(resource.name, *key)
        if not own:
            return ()
        beside = HOLDS_BACK if resource.is_compressible else (Metric.VRAM_DENIED,)
        return (*own, *(query for name in beside for query in self.source.promql(name, *key)))


@contextmanager
def open_measured(options: MeasuredOptions, terminal: Terminal) -> Iterator[MeasuredInput]:
    """Ask who was measured; what the user should know goes to stderr.

    Where no server is named, the one of the cluster is looked for.  It is left at the end.  Raises
    ``UsageError``, and ``InputError`` with what to do next where the server cannot be asked or
    measured nobody.
    """
    from autoscaler.sources.prometheus.client import PrometheusClient

    stated = read_stated(options.stated)
    server = server_of(
        stated.settings.prometheus, options.server, note=terminal.note, is_file_possible=True
    )
    span = span_of(stated, options.step)
    statements, notes = statements_of(stated.rows, stated.profiles, stated.gpu_models)
    for note in (*stated.notes, *notes):
        terminal.note(note)
    with closing(PrometheusClient(server.connection)) as client:
        try:
            yield _opened(client, server, stated, statements, span, terminal)
        except SourceError as error:
            raise InputError(f"{error}; next: {_doctor(str(server.url))}") from error


def _opened(
    client: PrometheusClient,
    server: PrometheusSettings,
    stated: StatedInput,
    statements: Mapping[Key, StatedWorkload],
    span: Span,
    terminal: Terminal,
) -> MeasuredInput:
    from autoscaler.sources.prometheus.prometheus_source import PrometheusSource

    peak_tflops = peaks_of(statements, stated.gpu_models)
    source = PrometheusSource(
        client, server.mapping, peak_tflops=peak_tflops, matchers=server.matchers
    )
    inventory = _inventory(source, server, span, peak_tflops)
    fleet = measured_fleet(
        inventory,
        server.mapping,
        stated=statements,
        gpu_models=stated.gpu_models,
    )
    notes = _standstill(inventory)
    for note in (*notes, *fleet.notes):
        terminal.note(note)
    for error in fleet.errors:
        terminal.note(f"left out: {error.message}")
    return MeasuredInput(
        settings=stated.settings,
        server=server,
        client=client,
        source=source,
        fleet=fleet,
        resources=sized_resources(inventory.metrics, fleet.views),
        span=span,
        errors=(*fleet.errors, *partial_answers(inventory.warnings)),
        notes=notes,
        terminal=terminal,
    )


def _inventory(
    source: PrometheusSource, server: PrometheusSettings, span: Span, peak_tflops: PeakTflops
) -> Inventory:
    """Ask who was measured.  Raises ``InputError`` where nobody was, and ``SourceError``."""
    reach_s = min(DAY_S, span.now_s - span.start_s)
    inventory = measured_inventory(
        source, peak_tflops=peak_tflops, now_s=span.now_s, reach_s=reach_s
    )
    if inventory.workers:
        return inventory
    if inventory.refused:
        raise next(iter(inventory.refused.values()))
    tried = dict.fromkeys(
        name.selector(server.matchers)
        for metric in MEASURED
        for name in server.mapping.metrics.get(metric, ())
    )
    lack = " whose labels name a worker" if inventory.unlabelled else ""
    raise InputError(
        f"{server.url}: no series{lack} from {iso(span.now_s - reach_s)} to {iso(span.now_s)} "
        f"(mapping {server.mapping.name}: {', '.join(tried)}); next: {_doctor(str(server.url))}"
    )


def _standstill(inventory: Inventory) -> tuple[str, ...]:
    """Say where nobody is measured any more: the amounts alone would look like those of now."""
    if any(worker.is_alive for worker in inventory.workers):
        return ()
    told = (
        f"no worker was measured shortly before {iso(inventory.now_s)}: amounts are those of "
        "earlier use, and replicas are left out; unless all workers have ended, the exporter is "
        "no longer scraped, and tfa check says more"
    )
    return (told,)


def _doctor(url: str) -> str:
    return f"tfa check --prometheus-url {shlex.quote(url)}, with the same options"


def _tell_queries(client: PrometheusClient, terminal: Terminal) -> None:
    counts = client.counts.snapshot()
    terminal.detail(
        f"{client.connection.url}: {sum(counts.queries.values())} queries, "
        f"{counts.retries} repeated, {counts.samples} samples, "
        f"{counts.answer_bytes / 1e6:.1f} MB in {counts.duration_sum_s:.1f} s"
    )
