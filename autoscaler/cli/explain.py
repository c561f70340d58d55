"""``tfa explain``: one workload in full."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

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
    VerboseOption,
    WorkloadsOption,
)
from autoscaler.cli.output import destinations
from autoscaler.cli.terminal import ProgressMode, Terminal
from autoscaler.errors import UsageError

WorkloadArgument = Annotated[
    str, typer.Argument(metavar="NAMESPACE/WORKLOAD", help="The workload to explain.")
]
UsageOption = Annotated[
    Path | None,
    typer.Option(
        "--from",
        metavar="USAGE",
        rich_help_panel=INPUT,
        help="Recorded usage, as for tfa report.",
    ),
]
ReportOption = Annotated[
    Path | None,
    typer.Option(
        "--report",
        metavar="REPORT.json",
        rich_help_panel=INPUT,
        help="A saved report in place of recorded usage: nothing is computed again.",
    ),
]


def command(
    workload: WorkloadArgument,
    usage: UsageOption = None,
    report: ReportOption = None,
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
    """
    if (usage is None) == (report is None):
        raise UsageError("give either --from USAGE or --report REPORT.json")
    targets = destinations(output, out or [])
    from autoscaler.cli.explain_run import run_explain
    from autoscaler.cli.recorded_input import InputOptions

    recorded = None
    if usage is not None:
        recorded = InputOptions(
            usage=usage,
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
        recorded=recorded,
        saved=report,
        destinations=targets,
        has_what_if=not no_what_if,
        terminal=terminal,
    )
    raise typer.Exit(code)
