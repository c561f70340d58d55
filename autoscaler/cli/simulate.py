"""``tfa simulate``: days of a fleet in memory, with the loop that runs live."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from autoscaler.cli.options import (
    INPUT,
    OUTPUT,
    ConfigOption,
    FailOn,
    FailOnOption,
    FormatOption,
    GpuModelOption,
    IncludeOkOption,
    LimitOption,
    NoColorOption,
    NoWhatIfOption,
    ProfilesOption,
    ProgressOption,
    QuietOption,
    SinceOption,
    UntilOption,
    VerboseOption,
    WideOption,
    WorkloadsOption,
)
from autoscaler.cli.terminal import ProgressMode, Terminal
from autoscaler.errors import UsageError


class LayerName(StrEnum):
    """What ``--enrol`` can switch on."""

    REQUESTS = "requests"
    LIMITS = "limits"
    REPLICAS = "replicas"


DemoOption = Annotated[
    bool,
    typer.Option(
        "--demo",
        rich_help_panel=INPUT,
        help="The demonstration fleet: generated usage of 54 workloads; the default.",
    ),
]
UsageOption = Annotated[
    Path | None,
    typer.Option(
        "--from",
        metavar="USAGE",
        rich_help_panel=INPUT,
        help="Recorded usage as the demand, in place of the demonstration fleet.",
    ),
]
EnrolOption = Annotated[
    list[LayerName] | None,
    typer.Option(
        "--enrol",
        rich_help_panel=INPUT,
        help="With --from: switch a layer on for every workload, as its annotation would. "
        "Repeatable.",
    ),
]
DaysOption = Annotated[
    float | None,
    typer.Option(
        "--days",
        min=0.01,
        max=60,
        rich_help_panel=INPUT,
        help="Simulated days. Default: 3, or the length of the recorded usage.",
    ),
]
SeedOption = Annotated[
    int,
    typer.Option("--seed", min=0, rich_help_panel=INPUT, help="Of the generated usage."),
]
OutFolderOption = Annotated[
    Path | None,
    typer.Option(
        "--out",
        metavar="DIR",
        rich_help_panel=OUTPUT,
        help="Write report.html and report.json into this folder as well.",
    ),
]


def command(
    demo: DemoOption = False,
    usage: UsageOption = None,
    workloads: WorkloadsOption = None,
    profiles: ProfilesOption = None,
    gpu_model: GpuModelOption = None,
    enrol: EnrolOption = None,
    since: SinceOption = None,
    until: UntilOption = None,
    days: DaysOption = None,
    seed: SeedOption = 7,
    no_what_if: NoWhatIfOption = False,
    output: FormatOption = None,
    out: OutFolderOption = None,
    include_ok: IncludeOkOption = False,
    limit: LimitOption = None,
    fail_on: FailOnOption = FailOn.NONE,
    wide: WideOption = False,
    no_color: NoColorOption = False,
    config: ConfigOption = None,
    quiet: QuietOption = False,
    verbose: VerboseOption = 0,
    progress: ProgressOption = ProgressMode.AUTO,
) -> None:
    """Run the autoscaler over simulated days: no cluster, no Prometheus, the same code as live.

    Prints the report of the end, with every change that was applied on the way.
    """
    if demo and usage is not None:
        raise UsageError("give either --demo or --from USAGE")
    given = (workloads, profiles, gpu_model, enrol, since, until)
    if usage is None and any(value for value in given):
        raise UsageError(
            "--workloads, --profiles, --gpu-model, --enrol, --since and --until go with --from"
        )
    from autoscaler.cli.recorded_input import InputOptions
    from autoscaler.cli.rendering import Look
    from autoscaler.cli.simulate_run import SimulateOptions, run_simulate

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
            enrolled=tuple(str(layer) for layer in enrol or ()),
        )
    code = run_simulate(
        SimulateOptions(
            recorded=recorded, config=config, days=days, seed=seed, has_what_if=not no_what_if
        ),
        Look(is_wide=wide, is_plain=no_color, include_ok=include_ok, limit=limit),
        format_=output,
        folder=out,
        fail_on=fail_on,
        terminal=Terminal(verbosity=-1 if quiet else verbose, progress_mode=progress),
    )
    raise typer.Exit(code)
