"""Opens recorded usage for a command: usage, what is in force, settings, and the time of now."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path

from autoscaler.cli.stated_input import (
    WITHOUT_USAGE,
    StatedOptions,
    read_stated,
    sized_resources,
)
from autoscaler.cli.terminal import Terminal
from autoscaler.clock import SystemClock
from autoscaler.errors import InputError
from autoscaler.recorded_simulation import enrolled
from autoscaler.reporting import Advance, Analysis, ReportText, analyse
from autoscaler.scaling.fleet.recorded_cluster import Fleet, RecordedCluster, recorded_fleet
from autoscaler.settings import Settings
from autoscaler.sources.recorded import RecordedSource
from autoscaler.sources.recorded_usage import RecordedUsage
from autoscaler.sources.timestamps import iso
from autoscaler.sources.usage_rows import read_usage
from autoscaler.version import tool_version
from recommender.report.blocks import ItemError
from recommender.resources import Resource

ANALYSED_SHARE = 0.2
"""Share of the work of a report that is done before its back-test."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InputOptions(StatedOptions):
    """What the user gave, unread."""

    usage: Path
    enrolled: tuple[str, ...] = ()
    """Layers to switch on for every workload."""

    @property
    def flags(self) -> tuple[str, ...]:
        """What names the usage in another command, as words of a shell."""
        return "--from", shlex.quote(str(self.usage))


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

    @property
    def analysed_share(self) -> float:
        """Share of the work of a report that ``analyse`` is."""
        return ANALYSED_SHARE

    def analyse(self, advance: Advance) -> Analysis:
        """Read the usage and decide at ``now_s``."""
        analysis = analyse(
            source=self.source,
            cluster=RecordedCluster(self.fleet.views),
            resources=self.resources,
            start_s=self.start_s,
            now_s=self.now_s,
            step_s=self.step_s,
            errors=self.errors,
        )
        advance(1.0)
        return analysis

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
    stated = read_stated(options)
    usage = read_usage(options.usage)
    now_s = usage.end_s if stated.until_s is None else stated.until_s
    window = _window(usage, now_s - stated.since_s, now_s)
    rows = stated.rows
    if options.enrolled:
        rows = enrolled(rows, window.keys(), options.enrolled)
    # Before what may end the command, so that a misspelt key stands beside the other problems.
    for note in (*usage.notes, *stated.notes):
        terminal.note(note)
    fleet = recorded_fleet(
        window,
        rows=rows,
        profiles=stated.profiles,
        gpu_models=stated.gpu_models,
        now_s=now_s,
    )
    errors = _errors(usage)
    for note in fleet.notes:
        terminal.note(note)
    for error in errors:
        terminal.note(f"left out: {error.namespace}/{error.workload}: {error.message}")
    _tell_columns(fleet, terminal)
    return RecordedInput(
        settings=stated.settings,
        source=RecordedSource(fleet.usage),
        fleet=fleet,
        resources=sized_resources(fleet.usage.columns, fleet.views),
        start_s=max(now_s - stated.since_s, window.start_s),
        now_s=now_s,
        errors=errors,
    )


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
