"""What ``tfa backtest`` does, after its arguments were read."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from autoscaler.cli.backtest import AmountsName, LayerName, ScoreFormat
from autoscaler.cli.exits import ExitCode
from autoscaler.cli.output import print_result
from autoscaler.cli.recorded_input import InputOptions, RecordedInput, open_input
from autoscaler.cli.score_table import render_scores, score_rows
from autoscaler.cli.terminal import Terminal
from autoscaler.errors import InputError
from autoscaler.scaling.observing import workloads_of
from recommender.backtest.fleet import run_backtest
from recommender.backtest.frame import SampleColumns, UsageFrame, frame_of_columns
from recommender.backtest.plan import Amounts, ReplayPlan
from recommender.decision import Layer
from recommender.durations import parse_duration_s
from recommender.errors import InvalidValueError
from recommender.resources import Resource

DEFAULT_STEP_S = {Layer.REQUESTS: 3600, Layer.LIMITS: 300, Layer.REPLICAS: 300}


@dataclass(frozen=True, slots=True, kw_only=True)
class BacktestOptions:
    """How usage is replayed, as the user asked for it."""

    layers: tuple[LayerName, ...]
    is_closed_loop: bool
    amounts: AmountsName
    decision_step: str | None
    delay: str
    engine: str
    jobs: int
    is_fleet_only: bool


def run_backtest_command(
    inputs: InputOptions, options: BacktestOptions, output: ScoreFormat, terminal: Terminal
) -> ExitCode:
    """Replay, score and print."""
    recorded = open_input(inputs, terminal)
    frame = usage_frame(recorded)
    plan = replay_plan(options, frame.step_s)
    views = recorded.fleet.views
    keys = [(view.namespace, view.workload, view.gpu_model) for view in views]
    with terminal.progress("back-test") as advance:
        result = run_backtest(
            frame,
            [view.policy for view in views],
            plan,
            workloads=workloads_of(views, keys, frame.resources),
            engine=options.engine,
            jobs=options.jobs,
            progress=advance,
        )
    rows = score_rows(result, has_workloads=not options.is_fleet_only)
    print_result(render_scores(result, rows, output))
    return ExitCode.PARTIAL if recorded.errors else ExitCode.OK


def replay_plan(options: BacktestOptions, step_s: int) -> ReplayPlan:
    """Return the plan; default decision steps are whole multiples of the usage's step."""
    asked_s = None
    if options.decision_step is not None:
        asked_s = int(parse_duration_s(options.decision_step, "--decision-step"))
    steps_s = {}
    for name in options.layers:
        layer = Layer[name.upper()]
        default_s = math.ceil(DEFAULT_STEP_S[layer] / step_s) * step_s
        steps_s[layer] = default_s if asked_s is None else asked_s
    return ReplayPlan(
        steps_s=steps_s,
        delay_s=int(parse_duration_s(options.delay, "--delay")),
        is_closed_loop=options.is_closed_loop,
        amounts=Amounts(options.amounts),
    )


def usage_frame(recorded: RecordedInput) -> UsageFrame:
    """Return the sized resources of recorded usage on a grid, series in the order of the views.

    Raises ``InputError`` where a clock jumped so far that no grid can hold it.
    """
    usage = recorded.source.usage
    columns: dict[Resource, SampleColumns] = {}
    for resource in recorded.resources:
        column = usage.columns.get(resource.name)
        if column is not None:
            columns[resource] = SampleColumns(
                series=column.series.astype(np.int64), ts=column.ts, value=column.value
            )
    series = [(label["namespace"], label["workload"], label["worker"]) for label in usage.labels]
    step_s = min(usage.columns[resource.name].step_s for resource in columns)
    try:
        return frame_of_columns(series, columns, step_s)
    except InvalidValueError as error:
        raise InputError(f"{usage.path}: {error}; leave out what is wrong with --until") from error
