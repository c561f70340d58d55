"""What ``tfa check`` does, after its arguments were read."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from autoscaler.cli.check import CheckFormat
from autoscaler.cli.check_table import render_json, render_table, summary
from autoscaler.cli.exits import ExitCode
from autoscaler.cli.output import print_result
from autoscaler.cli.prometheus_flags import PrometheusFlags, with_flags
from autoscaler.cli.stated_input import StatedOptions, read_stated
from autoscaler.cli.terminal import Terminal
from autoscaler.clock import SystemClock
from autoscaler.findings import Section
from autoscaler.prometheus_settings import PrometheusSettings
from autoscaler.sources.prometheus.checks import check_source
from autoscaler.sources.prometheus.client import PrometheusClient


def run_check(
    flags: PrometheusFlags,
    *,
    since: str | None,
    config: Path | None,
    output: CheckFormat,
    is_plain: bool,
    terminal: Terminal,
) -> ExitCode:
    """Look, print the findings, and return whether something failed.  Raises ``UsageError``."""
    stated = read_stated(StatedOptions(since=since, config=config))
    settings = with_flags(stated.settings.prometheus or PrometheusSettings(), flags)
    sections = [_source(settings, stated.since_s, terminal)]
    if output is CheckFormat.JSON:
        print_result(render_json(sections))
        terminal.note(summary(sections))
    else:
        print_result(render_table(sections, is_plain=is_plain))
    has_failed = any(section.has_failed for section in sections)
    return ExitCode.CANNOT_WORK if has_failed else ExitCode.OK


def _source(settings: PrometheusSettings, since_s: int, terminal: Terminal) -> Section:
    """Look at the server that samples come from."""
    connection = settings.connection
    with closing(PrometheusClient(connection)) as client, terminal.progress("check") as advance:
        findings = check_source(
            client,
            settings.mapping,
            clock=SystemClock(),
            since_s=since_s,
            matchers=settings.matchers,
            progress=advance,
        )
    return Section(
        name="source",
        subject=f"{connection.url}, mapping {settings.mapping.name}",
        findings=findings,
    )
