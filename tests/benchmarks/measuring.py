"""What ``make bench`` measures, one function per subject."""

from __future__ import annotations

import gzip
import resource
import subprocess
import sys
import time
from collections.abc import Iterator

import numpy as np

from recommender.backtest.frame import UsageFrame
from recommender.backtest.plan import ReplayPlan
from recommender.backtest.replay import replay
from recommender.decision import Layer
from recommender.policy.parse import parse_auto_scaling_config
from recommender.report.page import render_page
from recommender.resources import TFLOPS, VRAM
from tests.benchmarks.own_process import ROOT, answer_of
from tests.benchmarks.targets import Measured
from tests.benchmarks.tick import Kind
from tests.recommender.report.fleets import large_report

MIB = 2.0**20
FLEET, SMALL_FLEET = 10_000, 1_000
TICK_S, TICK_MIB = 2.0, 1024.0
STARTS = 7


def decision_tick() -> Iterator[Measured]:
    """Run ticks of a large fleet: CPU seconds of one core, memory, growth and stages."""
    large, small = (answer_of("tests.benchmarks.tick", rows) for rows in (FLEET, SMALL_FLEET))
    name = f"tick, {FLEET} workloads x 4 workers x 2 resources"
    for kind, label in ((Kind.ORDINARY, "ordinary"), (Kind.BLOCK, "closes a 5-minute block")):
        seconds = sum(large[kind].values())
        yield Measured(what=f"{name}: {label}", value=seconds, unit="s", target=TICK_S)
    peak_mib = large["peak_bytes"] / MIB
    yield Measured(what="its peak memory", value=peak_mib, unit="MiB", target=TICK_MIB)
    growth = sum(large[Kind.ORDINARY].values()) / sum(small[Kind.ORDINARY].values())
    ratio = FLEET / SMALL_FLEET
    yield Measured(
        what=f"its growth from {SMALL_FLEET} to {FLEET}", value=growth, unit="x", target=ratio
    )
    for stage, seconds in large[Kind.ORDINARY].items():
        yield Measured(what=f"  of it: {stage}", value=seconds, unit="s")
    predicting = answer_of("tests.benchmarks.tick", FLEET, "forecasts")
    for kind, label in (
        (Kind.BLOCK, "with forecasts of all layers and a week behind it: closes a block"),
        (Kind.HOUR, "  takes the hour of a resource"),
    ):
        seconds = sum(predicting[kind].values())
        yield Measured(what=label, value=seconds, unit="s", target=TICK_S)
    peak_mib = predicting["peak_bytes"] / MIB
    yield Measured(what="its peak memory", value=peak_mib, unit="MiB", target=TICK_MIB)


def report_page() -> Iterator[Measured]:
    """Render the HTML page of 500 workloads, from a finished report."""
    report = large_report(500)
    begin = time.process_time()
    page = render_page(report, None).encode()
    seconds = time.process_time() - begin
    yield Measured(what="HTML page, 500 workloads: time", value=seconds, unit="s", target=2.0)
    yield Measured(what="its size", value=len(page) / 1e6, unit="MB", target=4.0)
    packed = len(gzip.compress(page)) / 1e6
    yield Measured(what="its size, compressed", value=packed, unit="MB", target=1.0)


def start_up() -> Iterator[Measured]:
    """Run ``tfa --help`` in processes of its own; the best of several counts, in CPU seconds."""
    help_s = min(_cpu_s([sys.executable, "-m", "autoscaler", "--help"]) for _ in range(STARTS))
    bare_s = min(_cpu_s([sys.executable, "-c", "pass"]) for _ in range(STARTS))
    yield Measured(what="tfa --help", value=help_s, unit="s", target=0.4)
    yield Measured(what="  of it: Python alone", value=bare_s, unit="s")


def replays() -> Iterator[Measured]:
    """Replay generated usage on one core."""
    day = _seconds_of_replay(65, 1440, 60, {Layer.LIMITS: 300})
    yield Measured(
        what="back-test, 65 series x 24 h, limits every 5 min", value=day, unit="s", target=3.0
    )
    week = _seconds_of_replay(500, 2016, 300, {Layer.REQUESTS: 3600, Layer.LIMITS: 1800})
    yield Measured(
        what="back-test, 500 x 2 series x 7 d, requests 1 h, limits 30 min",
        value=week,
        unit="s",
        target=15.0,
    )


def _cpu_s(command: list[str]) -> float:
    """Return user and system time of one process."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, cwd=ROOT, stdout=subprocess.DEVNULL, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime


def _seconds_of_replay(rows: int, steps: int, step_s: int, steps_s: dict[Layer, int]) -> float:
    resources = (TFLOPS,) if Layer.REQUESTS not in steps_s else (TFLOPS, VRAM)
    use = np.random.default_rng(3).gamma(2.0, 5.0, (len(resources), rows, steps))
    use *= np.array([1.0, 1e9])[: len(resources), None, None]
    frame = UsageFrame(
        series=tuple(("team", f"w{i}", "0") for i in range(rows)),
        resources=resources,
        values=use.astype(np.float32),
        means=use.astype(np.float32),
        t0_s=20_000 * 86_400,
        step_s=step_s,
    )
    policies = [parse_auto_scaling_config({})] * rows
    begin = time.process_time()
    replay(frame, policies, ReplayPlan(steps_s=steps_s))
    return time.process_time() - begin
