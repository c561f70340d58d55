"""Opens recorded usage for a command: usage, what is in force, settings, and the time of now."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from autoscaler.cli.terminal import Terminal
from autoscaler.clock import SystemClock
from autoscaler.errors import InputError, UsageError
from autoscaler.recorded_simulation import enrolled
from autoscaler.reporting import Analysis, ReportText, analyse
from autoscaler.scaling.cluster import WorkloadView
from autoscaler.scaling.recorded_cluster import Fleet, RecordedCluster, recorded_fleet
from autoscaler.scaling.recorded_view import GpuModels
from autoscaler.settings import Settings, load_settings
from autoscaler.sources.profiles import read_profile_files
from autoscaler.sources.recorded import RecordedSource
from autoscaler.sources.recorded_usage import RecordedUsage
from autoscaler.sources.source import SIDE_METRICS
from autoscaler.sources.timestamps import iso, parse_time_s
from autoscaler.sources.usage_rows import read_usage
from autoscaler.sources.workloads_file import WorkloadRow, read_workloads_file
from autoscaler.version import tool_version
from recommender.durations import parse_duration_s
from recommender.report.blocks import ItemError
from recommender.resources import KNOWN_RESOURCES, TFLOPS, Resource, resource_named

LEAST_SINCE_S = 60
WITHOUT_USAGE = "in the workloads file, but not measured"


@dataclass(frozen=True, slots=True, kw_only=True)
class InputOptions:
    """What the user gave, unread."""

    usage: Path
    workloads: Path | None = None
    profiles: Path | None = None
    gpu_model: str | None = None
    until: str | None = None
    since: str | None = None
    config: Path | None = None
    enrolled: tuple[str, ...] = ()
    """Layers to switch on for every workload."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordedInput:
    """Everything that a command on recorded usage works with."""

    settings: Settings
    source: RecordedSource
    fleet: Fleet
    resources: tuple[Resource, ...]
    start_s: int
    now_s: int
    errors: tuple[ItemError, ...]
    """Series that were left out whole."""

    @property
    def step_s(self) -> int:
        """The shortest distance of samples of a sized resource."""
        return min(column.step_s for column in self.source.usage.columns.values())

    def analyse(self) -> Analysis:
        """Read the usage and decide at ``now_s``."""
        return analyse(
            source=self.source,
            cluster=RecordedCluster(self.fleet.views),
            resources=self.resources,
            start_s=self.start_s,
            now_s=self.now_s,
            step_s=self.step_s,
            errors=self.errors,
        )

    def text(self) -> ReportText:
        """Return the head of a report on this input."""
        return ReportText(
            generated_s=SystemClock().now_s(),
            tool_version=tool_version(),
            source=self.source.usage.path,
            step_s=self.step_s,
            currency=self.settings.currency,
            thresholds=self.settings.thresholds,
            notes=self.fleet.report_notes,
            price_sources=self.fleet.price_sources,
            skipped={WITHOUT_USAGE: missing} if (missing := self.fleet.without_usage) else {},
        )


def open_input(options: InputOptions, terminal: Terminal) -> RecordedInput:
    """Read and check all files; what the user should know goes to stderr.

    Raises ``UsageError`` and ``InputError``.
    """
    settings = load_settings(options.config)
    gpu_models = _gpu_models(options, settings)
    until_s = None if options.until is None else parse_time_s(options.until, "--until")
    since_s = settings.since_s if options.since is None else _since_s(options.since)
    rows: tuple[WorkloadRow, ...] = ()
    notes: tuple[str, ...] = ()
    if options.workloads is not None:
        file = read_workloads_file(options.workloads)
        rows, notes = file.rows, file.notes
    profiles = read_profile_files(options.profiles)
    usage = read_usage(options.usage)
    now_s = usage.end_s if until_s is None else until_s
    window = _window(usage, now_s - since_s, now_s)
    if options.enrolled:
        rows = enrolled(rows, window.keys(), options.enrolled)
    # Before what may end the command, so that a misspelt key stands beside the other problems.
    for note in (*usage.notes, *notes):
        terminal.note(note)
    fleet = recorded_fleet(window, rows=rows, profiles=profiles, gpu_models=gpu_models, now_s=now_s)
    errors = _errors(usage)
    for note in fleet.notes:
        terminal.note(note)
    for error in errors:
        terminal.note(f"left out: {error.namespace}/{error.workload}: {error.message}")
    _tell_columns(fleet, terminal)
    return RecordedInput(
        settings=settings,
        source=RecordedSource(fleet.usage),
        fleet=fleet,
        resources=sized_resources(fleet.usage.columns, fleet.views),
        start_s=max(now_s - since_s, window.start_s),
        now_s=now_s,
        errors=errors,
    )


def _gpu_models(options: InputOptions, settings: Settings) -> GpuModels:
    default = None
    if options.gpu_model is not None:
        default = settings.gpu_model(options.gpu_model, "--gpu-model")
    return GpuModels(default=default, own=settings.gpu_models, prices=settings.gpu_prices)


def _since_s(text: str) -> int:
    since_s = int(parse_duration_s(text, "--since"))
    if since_s < LEAST_SINCE_S:
        raise UsageError(f"--since: {text!r} is not valid; allowed: at least 1m")
    return since_s


def _window(usage: RecordedUsage, start_s: int, end_s: int) -> RecordedUsage:
    window = usage.between(start_s, end_s)
    if not window.columns:
        raise InputError(
            f"{usage.path}: no sample from {iso(start_s)} to {iso(end_s)}; "
            f"the file holds {iso(usage.start_s)} to {iso(usage.end_s)}"
        )
    return window


def _errors(usage: RecordedUsage) -> tuple[ItemError, ...]:
    return tuple(
        ItemError(
            message=problem.reason,
            namespace=problem.namespace,
            workload=problem.workload,
            resource=problem.resource,
            stage="read",
        )
        for problem in usage.rejected
    )


def _tell_columns(fleet: Fleet, terminal: Terminal) -> None:
    for name, column in fleet.usage.columns.items():
        terminal.detail(
            f"{name}: {len(column)} samples of {len(set(column.series.tolist()))} series, "
            f"{column.step_s} s apart, {iso(int(column.ts[0]))} to {iso(int(column.ts[-1]))}"
        )


def sized_resources(measured: Iterable[str], views: Sequence[WorkloadView]) -> tuple[Resource, ...]:
    """Return the resources that are measured or in force, the API's own first."""
    names = set(measured) - SIDE_METRICS
    for view in views:
        names |= view.request.keys() | view.limit.keys()
    known = [resource for name, resource in KNOWN_RESOURCES.items() if name in names]
    others = [resource_named(name) for name in sorted(names - KNOWN_RESOURCES.keys())]
    return tuple(known + others) or (TFLOPS,)
