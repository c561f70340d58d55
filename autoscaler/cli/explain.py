"""``tfa explain``: one workload in full."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from autoscaler.cli.live_options import AutoscalerOption, AutoscalerTokenFileOption, LiveFlags
from autoscaler.cli.options import (
    INPUT,
    ConfigOption,
    FormatOption,
    GpuModelOption,
    NoWhatIfOption,
    OutOption,
    ProfilesOption,
    ProgressOption,
    QuietOption,
    SinceOption,
    UntilOption,
    UsageOrServerOption,
    VerboseOption,
    WorkloadsOption,
)
from autoscaler.cli.output import destinations
from autoscaler.cli.prometheus_options import (
    CaFileOption,
    PrometheusHeaderFileOption,
    PrometheusHeaderOption,
    PrometheusMappingOption,
    PrometheusTokenFileOption,
    PrometheusUrlOption,
    SelectorOption,
    StepOption,
    TimeoutOption,
)
from autoscaler.cli.terminal import ProgressMode, Terminal
from autoscaler.errors import UsageError

WorkloadArgument = Annotated[
    str, typer.Argument(metavar="NAMESPACE/WORKLOAD", help="The workload to explain.")
]
ReportOption = Annotated[
    Path | None,
    typer.Option(
        "--report",
        metavar="REPORT.json",
        rich_help_panel=INPUT,
        help="A saved report in place of usage: nothing is computed again.",
    ),
]


def command(
    workload: WorkloadArgument,
    usage: UsageOrServerOption = None,
    report: ReportOption = None,
    prometheus_url: PrometheusUrlOption = None,
    prometheus_mapping: PrometheusMappingOption = None,
    prometheus_header: PrometheusHeaderOption = None,
    prometheus_header_file: PrometheusHeaderFileOption = None,
    prometheus_token_file: PrometheusTokenFileOption = None,
    ca_file: CaFileOption = None,
    timeout: TimeoutOption = None,
    selector: SelectorOption = None,
    step: StepOption = None,
    autoscaler: AutoscalerOption = None,
    autoscaler_token_file: AutoscalerTokenFileOption = None,
    workloads: WorkloadsOption = None,
    profiles: ProfilesOption = None,
    gpu_model: GpuModelOption = None,
    until: UntilOption = None,
    since: SinceOption = None,
    no_what_if: NoWhatIfOption = False,
    output: FormatOption = None,
    out: OutOption = None,
    config: ConfigOption = None,
    quiet: QuietOption = False,
    verbose: VerboseOption = 0,
    progress: ProgressOption = ProgressMode.AUTO,
) -> None:
    """Explain one workload: evidence, every step of the reasoning, back-test, plot, settings.

    The default format is text; -o chooses any format of tfa report for this workload alone.
    A running autoscaler (--autoscaler) also tells what it decided and changed.
    """
    targets = destinations(output, out or [])
    from autoscaler.cli.explain_run import run_explain
    from autoscaler.cli.prometheus_flags import PrometheusFlags
    from autoscaler.cli.report_input import report_options
    from autoscaler.cli.stated_input import StatedOptions

    server = PrometheusFlags(
        url=prometheus_url,
        mapping=prometheus_mapping,
        headers=tuple(prometheus_header or ()),
        header_files=tuple(prometheus_header_file or ()),
        token_file=prometheus_token_file,
        ca_file=ca_file,
        timeout=timeout,
        selectors=tuple(selector or ()),
    )
    others = (usage, step, autoscaler)
    if report is not None and (server.given or any(other is not None for other in others)):
        raise UsageError(
            "give either --report REPORT.json, or --from USAGE, a Prometheus or --autoscaler"
        )
    stated = StatedOptions(
        workloads=workloads,
        profiles=profiles,
        gpu_model=gpu_model,
        until=until,
        since=since,
        config=config,
    )
    terminal = Terminal(verbosity=-1 if quiet else verbose, progress_mode=progress)
    code = run_explain(
        workload,
        options=report_options(
            usage,
            server,
            stated,
            step=step,
            live=LiveFlags(url=autoscaler, token_file=autoscaler_token_file, ca_file=ca_file),
            has_what_if=not no_what_if,
        ),
        saved=report,
        destinations=targets,
        has_what_if=not no_what_if,
        terminal=terminal,
    )
    raise typer.Exit(code)
