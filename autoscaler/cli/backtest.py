"""``tfa backtest``: how the recommendations would have done on recorded usage."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from autoscaler.cli.options import (
    CHOICE,
    OUTPUT,
    ConfigOption,
    GpuModelOption,
    NamespaceOption,
    ProfilesOption,
    ProgressOption,
    QuietOption,
    SinceOption,
    UntilOption,
    UsageOption,
    VerboseOption,
    WorkloadsOption,
)
from autoscaler.cli.terminal import ProgressMode, Terminal

REPLAY = "Replay"


class ScoreFormat(StrEnum):
    """Formats of the scores."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"
    MD = "md"


class LayerName(StrEnum):
    """Layers that can be replayed."""

    REQUESTS = "requests"
    LIMITS = "limits"
    REPLICAS = "replicas"


class AmountsName(StrEnum):
    """Which amounts of a decision take force."""

    TARGET = "target"
    NEXT = "next"


WorkloadOption = Annotated[
    list[str] | None,
    typer.Option(
        "-w",
        "--workload",
        metavar="NAMESPACE/NAME",
        rich_help_panel=CHOICE,
        help="Only this workload, or those that match a glob such as team/chat-*. Repeatable.",
    ),
]
CompareOption = Annotated[
    list[str] | None,
    typer.Option(
        "--compare",
        metavar="POLICY",
        rich_help_panel=REPLAY,
        help="Twice: the policies to set side by side; once: the workloads' own and this one. "
        "FILE or NAME=FILE with one WorkloadProfile, or own, defaults, stated, tf "
        "(TensorFusion's rule), vpa (the Vertical Pod Autoscaler's).",
    ),
]
LayerOption = Annotated[
    list[LayerName] | None,
    typer.Option(
        "--layer",
        rich_help_panel=REPLAY,
        help="Layer to replay; repeatable. Default: requests and limits.",
    ),
]
ClosedLoopOption = Annotated[
    bool,
    typer.Option(
        "--closed-loop",
        rich_help_panel=REPLAY,
        help="The replay sees min(demand, limit in force), as a live cluster would.",
    ),
]
AmountsOption = Annotated[
    AmountsName,
    typer.Option(
        "--amounts",
        rich_help_panel=REPLAY,
        help="target: what is right, at once; next: what may be written, with pace and budgets, "
        "enrolled layers only.",
    ),
]
StepOption = Annotated[
    str | None,
    typer.Option(
        "--decision-step",
        metavar="DURATION",
        rich_help_panel=REPLAY,
        help="Time between decisions. Default: 1h for requests, 5m for limits and replicas.",
    ),
]
DelayOption = Annotated[
    str,
    typer.Option(
        "--delay",
        metavar="DURATION",
        rich_help_panel=REPLAY,
        help="Time from a decision until it is in force.",
    ),
]
EngineOption = Annotated[
    str,
    typer.Option(
        "--engine",
        metavar="ENGINE",
        rich_help_panel=REPLAY,
        help="Where it runs: local, or dask://HOST:PORT of a Dask scheduler.",
    ),
]
JobsOption = Annotated[
    int,
    typer.Option("--jobs", rich_help_panel=REPLAY, help="Local processes; -1 takes one per core."),
]
ScoresOption = Annotated[
    ScoreFormat,
    typer.Option("-o", "--output", rich_help_panel=OUTPUT, help="Format of the scores."),
]
FleetOnlyOption = Annotated[
    bool,
    typer.Option("--fleet-only", rich_help_panel=OUTPUT, help="Scores of the whole fleet only."),
]


def command(
    usage: UsageOption,
    workloads: WorkloadsOption = None,
    profiles: ProfilesOption = None,
    gpu_model: GpuModelOption = None,
    until: UntilOption = None,
    since: SinceOption = None,
    namespace: NamespaceOption = None,
    workload: WorkloadOption = None,
    compare: CompareOption = None,
    layer: LayerOption = None,
    closed_loop: ClosedLoopOption = False,
    amounts: AmountsOption = AmountsName.TARGET,
    decision_step: StepOption = None,
    delay: DelayOption = "0s",
    engine: EngineOption = "local",
    jobs: JobsOption = 1,
    output: ScoresOption = ScoreFormat.TABLE,
    fleet_only: FleetOnlyOption = False,
    config: ConfigOption = None,
    quiet: QuietOption = False,
    verbose: VerboseOption = 0,
    progress: ProgressOption = ProgressMode.AUTO,
) -> None:
    """Replay recorded usage through the same decisions and say what they would have cost.

    Every decision sees earlier samples only. Scores: what was allocated and used, slack
    (allocated / used - 1), time with use above the amount (VRAM: refused), volume above it,
    changes a day, and money where prices are known. --compare sets two policies side by side.
    """
    from autoscaler.cli.backtest_run import BacktestOptions, run_backtest_command
    from autoscaler.cli.recorded_input import InputOptions

    code = run_backtest_command(
        InputOptions(
            usage=usage,
            workloads=workloads,
            profiles=profiles,
            gpu_model=gpu_model,
            until=until,
            since=since,
            config=config,
        ),
        BacktestOptions(
            layers=tuple(layer or (LayerName.REQUESTS, LayerName.LIMITS)),
            is_closed_loop=closed_loop,
            amounts=amounts,
            decision_step=decision_step,
            delay=delay,
            engine=engine,
            jobs=jobs,
            is_fleet_only=fleet_only,
            namespaces=tuple(namespace or ()),
            workloads=tuple(workload or ()),
            compared=tuple(compare or ()),
        ),
        output,
        Terminal(verbosity=-1 if quiet else verbose, progress_mode=progress),
    )
    raise typer.Exit(code)
