"""What ``tfa check`` does, after its arguments were read."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from autoscaler.checking.cluster import ClusterFlags, check_cluster, open_cluster
from autoscaler.cli.check import CheckFormat
from autoscaler.cli.check_table import render_json, render_table, summary
from autoscaler.cli.exits import ExitCode
from autoscaler.cli.measured_server import server_of
from autoscaler.cli.output import print_result
from autoscaler.cli.prometheus_flags import PrometheusFlags
from autoscaler.cli.stated_input import StatedInput, StatedOptions, read_stated
from autoscaler.cli.terminal import Progress, Terminal
from autoscaler.clock import SystemClock
from autoscaler.errors import KubeError, UsageError
from autoscaler.findings import Finding, Section, Status
from autoscaler.kube.api_server import ApiServer
from autoscaler.prometheus_settings import PrometheusSettings
from autoscaler.sources.prometheus.checks import check_source
from autoscaler.sources.prometheus.client import PrometheusClient

SERVER = "server-found"
SOURCE_SHARE = 0.7
"""Of the work, where a cluster is looked at too."""


def run_check(
    flags: PrometheusFlags,
    cluster: ClusterFlags,
    *,
    since: str | None,
    config: Path | None,
    output: CheckFormat,
    is_plain: bool,
    terminal: Terminal,
) -> ExitCode:
    """Look, print the findings, and return whether something failed.  Raises ``UsageError``."""
    stated = read_stated(StatedOptions(since=since, config=config))
    api = open_cluster(cluster)
    with terminal.progress("check") as advance:
        sections = [_source(stated, flags, api, lambda share: advance(SOURCE_SHARE * share))]
        if isinstance(api, Section):
            sections += [] if cluster.is_left_out else [api]
        else:
            rest = 1.0 - SOURCE_SHARE
            sections += check_cluster(
                api, cluster, lambda share: advance(SOURCE_SHARE + rest * share)
            )
    _show(sections, output, terminal, is_plain=is_plain)
    has_failed = any(section.has_failed for section in sections)
    return ExitCode.CANNOT_WORK if has_failed else ExitCode.OK


def _show(
    sections: Sequence[Section], output: CheckFormat, terminal: Terminal, *, is_plain: bool
) -> None:
    if output is CheckFormat.JSON:
        print_result(render_json(sections))
        terminal.note(summary(sections))
    else:
        print_result(render_table(sections, is_plain=is_plain))


def _source(
    stated: StatedInput, flags: PrometheusFlags, api: ApiServer | Section, progress: Progress
) -> Section:
    """Look at the server that samples come from, found in the cluster where none is named.

    Raises ``UsageError`` where there is neither a server nor a cluster to look at.
    """
    found: list[str] = []
    try:
        server = _server(stated, flags, api, found)
    except (UsageError, KubeError) as error:
        if isinstance(api, Section):
            raise
        finding = Finding(check=SERVER, status=Status.FAILED, text=f"{error}.")
        return Section(name="source", subject="no server", findings=(finding,))
    told = [Finding(check=SERVER, status=Status.OK, text=f"{text}.") for text in found]
    section = _looked_at(server, stated.since_s, progress)
    return Section(name=section.name, subject=section.subject, findings=(*told, *section.findings))


def _server(
    stated: StatedInput, flags: PrometheusFlags, api: ApiServer | Section, found: list[str]
) -> PrometheusSettings:
    """Return the server; where it was found is added to ``found``."""
    settings = stated.settings.prometheus
    if isinstance(api, Section):
        [reason] = api.findings
        return server_of(settings, flags, note=found.append, no_cluster=reason.text)
    return server_of(settings, flags, note=found.append, api=api)


def _looked_at(server: PrometheusSettings, since_s: int, progress: Progress) -> Section:
    connection = server.connection
    with closing(PrometheusClient(connection)) as client:
        findings = check_source(
            client,
            server.mapping,
            clock=SystemClock(),
            since_s=since_s,
            matchers=server.matchers,
            progress=progress,
        )
    return Section(
        name="source",
        subject=f"{connection.url}, mapping {server.mapping.name}",
        findings=findings,
    )
