"""What ``tfa backtest`` does, after its arguments were read."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from autoscaler.cli.backtest import AmountsName, LayerName, ScoreFormat
from autoscaler.cli.backtest_comparison import render_comparison
from autoscaler.cli.backtest_policies import OWN, ComparedPolicy, compared_policies
from autoscaler.cli.backtest_rows import score_rows
from autoscaler.cli.backtest_selection import selected_rows
from autoscaler.cli.exits import ExitCode
from autoscaler.cli.output import print_result
from autoscaler.cli.recorded_input import InputOptions, RecordedInput, open_input
from autoscaler.cli.score_table import render_scores
from autoscaler.cli.terminal import Terminal
from autoscaler.errors import InputError
from autoscaler.scaling.cluster import WorkloadView
from autoscaler.scaling.observing import workloads_of
from recommender.backtest.comparison import Comparison
from recommender.backtest.contender import Contender
from recommender.backtest.fleet import BacktestResult, run_backtests
from recommender.backtest.frame import SampleColumns, UsageFrame, frame_of_columns
from recommender.backtest.plan import Amounts, ReplayPlan
from recommender.decision import Layer
from recommender.durations import parse_duration_s
from recommender.errors import InvalidValueError
from recommender.pricing import Prices
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
    namespaces: tuple[str, ...]
    workloads: tuple[str, ...]
    """Names or globs."""
    compared: tuple[str, ...]
    """Policies to set side by side; none: the workloads' own alone."""


def run_backtest_command(
    inputs: InputOptions, options: BacktestOptions, output: ScoreFormat, terminal: Terminal
) -> ExitCode:
    """Replay, score and print."""
    policies = compared_policies(options.compared, terminal)
    for policy in policies:
        if LayerName.REPLICAS in options.layers and not policy.sizes_replicas:
            terminal.note(f"{policy.name} sizes no replicas: workers count as they were measured")
    recorded = open_input(inputs, terminal)
    frame = usage_frame(recorded)
    rows = selected_rows(
        frame.workloads, namespaces=options.namespaces, workloads=options.workloads
    )
    frame = frame.of_workloads(rows)
    views = [recorded.fleet.views[row] for row in rows]
    results = _replayed(frame, views, policies, options, terminal)
    currency, has_workloads = recorded.settings.currency, not options.is_fleet_only
    if policies:
        text = render_comparison(
            Comparison(first=results[0], second=results[1]),
            policies,
            output,
            currency=currency,
            has_workloads=has_workloads,
        )
    else:
        scores = score_rows(results[0], has_workloads=has_workloads)
        text = render_scores(results[0], scores, output, currency)
    print_result(text)
    if output == "csv":
        _tell_notes(results, terminal)
    return ExitCode.PARTIAL if recorded.errors else ExitCode.OK


def _tell_notes(results: Sequence[BacktestResult], terminal: Terminal) -> None:
    """Say beside rows of CSV what they have no place for."""
    for result in results:
        for note in result.notes:
            terminal.note(f"{result.name}: {note}")


def _replayed(
    frame: UsageFrame,
    views: Sequence[WorkloadView],
    policies: Sequence[ComparedPolicy],
    options: BacktestOptions,
    terminal: Terminal,
) -> tuple[BacktestResult, ...]:
    """Replay the views' own policies, or those that are compared."""
    own = Contender(name=OWN, policies=tuple(view.policy for view in views))
    contenders = [policy.contender(views) for policy in policies] or [own]
    keys = [(view.namespace, view.workload, view.gpu_model) for view in views]
    with terminal.progress("back-test") as advance:
        return run_backtests(
            frame,
            contenders,
            replay_plan(options, frame.step_s),
            workloads=workloads_of(views, keys, frame.resources),
            prices=[_prices(view) for view in views],
            engine=options.engine,
            jobs=options.jobs,
            progress=advance,
        )


def _prices(view: WorkloadView) -> Prices | None:
    price = view.price_per_gpu_hour
    return None if price is None else Prices(per_gpu_hour=price)


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
