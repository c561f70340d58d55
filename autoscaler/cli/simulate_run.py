"""What ``tfa simulate`` does, after its arguments were read."""

from __future__ import annotations

import shlex
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from autoscaler.cli.exits import ExitCode
from autoscaler.cli.options import FailOn
from autoscaler.cli.output import Destination, Format
from autoscaler.cli.recorded_input import InputOptions, open_input
from autoscaler.cli.rendering import Look, write_report
from autoscaler.cli.report_run import code_of_report, shows_totals, summary
from autoscaler.cli.terminal import Terminal
from autoscaler.clock import SystemClock
from autoscaler.recorded_simulation import simulated_fleet
from autoscaler.reporting import Analysis, ReportText, look_back, report_of
from autoscaler.settings import Settings, load_settings
from autoscaler.simulate.demo_fleet import BURST_HOUR, demo_fleet
from autoscaler.simulate.fleet import Fleet
from autoscaler.simulate.simulation import DAY_S, START_S, SimulationResult, simulate
from autoscaler.version import tool_version
from recommender.report.model import Report
from recommender.report.select import SortKey, ordered

DEMO_DAYS = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulateOptions:
    """What is simulated."""

    recorded: InputOptions | None
    """None: the demonstration fleet."""
    config: Path | None
    days: float | None
    seed: int
    has_what_if: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plan:
    fleet: Fleet
    source: str
    start_s: int
    days: float
    burst_hour: int | None
    price_source: str


def run_simulate(
    options: SimulateOptions,
    look: Look,
    *,
    format_: Format | None,
    folder: Path | None,
    fail_on: FailOn,
    terminal: Terminal,
) -> ExitCode:
    """Simulate, then write the report of the end; return the exit code it deserves."""
    settings = load_settings(options.config)
    plan = _plan(options, terminal)
    with terminal.progress(f"{plan.days:g} simulated days") as advance:
        result = simulate(
            plan.fleet,
            days=plan.days,
            seed=options.seed,
            burst_hour=plan.burst_hour,
            start_s=plan.start_s,
            progress=lambda done, total: advance(done / total),
        )
    report = ordered(_report(result, plan, settings, options), SortKey.RISK)
    targets = [Destination(format=format_ or Format.TABLE)]
    if folder is not None:
        targets.append(Destination(format=Format.HTML, path=folder / "report.html"))
        targets.append(Destination(format=Format.JSON, path=folder / "report.json"))
    write_report(report, targets, look)
    if not shows_totals(targets):
        terminal.note(summary(report))
    terminal.note(changes(result))
    for hint in next_steps(report, folder, options.recorded):
        terminal.note(hint)
    return code_of_report(report, fail_on)


def _report(
    result: SimulationResult, plan: _Plan, settings: Settings, options: SimulateOptions
) -> Report:
    """Return the report of the end of a simulation."""
    analysis = Analysis(
        views=result.views,
        observation=result.observation,
        decisions=result.decisions,
        evidence=result.evidence,
        forecasts=result.forecasts,
        start_s=result.start_s,
        now_s=result.now_s,
        history=result.history,
    )
    text = ReportText(
        generated_s=SystemClock().now_s(),
        tool_version=tool_version(),
        source=plan.source,
        currency=settings.currency,
        thresholds=settings.thresholds,
        price_sources={
            view.key: plan.price_source
            for view in result.views
            if view.price_per_gpu_hour is not None
        },
    )
    return report_of(analysis, text, look_back(analysis) if options.has_what_if else None)


def changes(result: SimulationResult) -> str:
    """Return how many changes were made, in words."""
    outcomes = Counter(entry.outcome for entries in result.history.values() for entry in entries)
    texts = [f"{count} {outcome}" for outcome, count in outcomes.most_common()]
    return f"changes: {', '.join(texts) or 'none'} in {result.ticks} ticks"


def next_steps(report: Report, folder: Path | None, recorded: InputOptions | None) -> list[str]:
    """Return three things to try; the commands can be copied."""
    own = "tfa report --from USAGE --workloads FILE   # on usage of your own"
    again = "tfa simulate"
    if recorded is not None:
        usage = shlex.quote(str(recorded.usage))
        own = f"tfa report --from {usage}   # what to set, with the same options"
        again = f"tfa simulate --from {usage} ..."
    if folder is None:
        steps = [
            f"{again} --out build/simulation   # also writes a page and the report as JSON",
            "tfa config show   # every setting, its default and its meaning",
            own,
        ]
    else:
        saved, name = shlex.quote(str(folder / "report.json")), _shown_workload(report)
        steps = [
            f"open {folder / 'report.html'} in a browser",
            f"tfa explain --report {saved} {shlex.quote(name)}   # every step of one decision",
            own,
        ]
    return ["next:", *(f"  {i}. {step}" for i, step in enumerate(steps, start=1))]


def _shown_workload(report: Report) -> str:
    """Return a workload worth explaining: rolled back, else the most urgent one."""
    rolled_back = [
        item.name
        for item in report.items
        if any("roll" in entry.reason.lower() for entry in item.history)
    ]
    return (rolled_back or [item.name for item in report.items])[0]


def _plan(options: SimulateOptions, terminal: Terminal) -> _Plan:
    if options.recorded is None:
        return _Plan(
            fleet=demo_fleet(),
            source="simulation of the demonstration fleet",
            start_s=START_S,
            days=options.days or DEMO_DAYS,
            burst_hour=BURST_HOUR,
            price_source="demonstration fleet",
        )
    recorded = open_input(options.recorded, terminal)
    span = (recorded.now_s - recorded.start_s) / DAY_S
    if options.days is not None and options.days > span:
        terminal.note(
            f"{recorded.source.usage.path}: {span:.3g} days of usage are repeated from their "
            f"beginning up to --days {options.days:g}; forecasts take that for a season"
        )
    return _Plan(
        fleet=simulated_fleet(recorded.fleet),
        source=f"simulation of {recorded.source.usage.path}",
        start_s=recorded.start_s,
        days=options.days or span,
        burst_hour=None,
        price_source="workloads file or settings file",
    )
