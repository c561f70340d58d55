"""Experiments 1 to 4: one worker alone at each limit, and what the limiter itself costs."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from statistics import median, quantiles
from typing import Any

from tests.benchmarks.gpu.lab import Lab
from tests.benchmarks.gpu.loads import NS, RunningLoad, wait_until_ready
from tests.benchmarks.gpu.outcomes import ExperimentError, Row
from tests.benchmarks.gpu.pods import Agent, Limits, Pod
from tests.benchmarks.gpu.works import (
    ELEMENTWISE_5_US,
    ELEMENTWISE_20_US,
    GRAPH,
    LAUNCH_BOUND,
    MIXED,
    SHORT,
    Work,
    gemm,
)

POINTS, POINTS_OF_LONG_KERNELS, POINTS_OF_GRAPHS = 2.0, 3.0, 3.0
LONG_ROWS, LOW_PERCENT = 16384, 10
MOST_OF_LAUNCHES_PERCENT, MOST_OF_PRODUCTS_PERCENT = 2.0, 0.5
ROUND_BLOCKS = 8
"""Of launches through the limiter and past it, half of them each."""
GRAPH_LIMIT_S, ALTERNATING_LIMIT_S = 60.0, 60.0


def matrices(lab: Lab) -> None:
    """1: matrix products."""
    with lab.agent({}) as agent:
        for rows in lab.sizes.matrices:
            is_long = rows >= LONG_ROWS
            _at_limits(lab, agent, gemm(rows), POINTS_OF_LONG_KERNELS if is_long else POINTS)


def short_kernels(lab: Lab) -> None:
    """2: elementwise kernels, and a mix of lengths."""
    with lab.agent({}) as agent:
        for work in (ELEMENTWISE_5_US, ELEMENTWISE_20_US, MIXED):
            _at_limits(lab, agent, work)


def graphs(lab: Lab) -> None:
    """3: replays of a CUDA graph."""
    with lab.agent({}) as agent:
        if lab.workers == "torch":
            _at_limits(lab, agent, GRAPH, POINTS_OF_GRAPHS, POINTS_OF_GRAPHS)
        else:
            _replays_at_limits(lab, agent)


def overhead(lab: Lab) -> None:
    """4: with and without the limiter in turn, at a limit of all."""
    with lab.agent({}) as agent:
        _overhead_of_launches(lab, agent)
        _overhead_of(lab, agent, SHORT, MOST_OF_PRODUCTS_PERCENT)


def _overhead_of_launches(lab: Lab, agent: Agent) -> None:
    """Measure what a launch takes more through the limiter than past it, in one process.

    A host launches by a quarter faster or slower from one tenth of a second to the next, so that
    two processes that take turns differ by more than what is looked for.
    """
    pod, kernel_ns = lab.pod("overhead-launches"), LAUNCH_BOUND.kernels_ns[0]
    name, seconds = LAUNCH_BOUND.name("programs"), lab.sizes.pairs * lab.sizes.pair_window_s
    lab.record.ran(f"{name}: launches through the limiter and past it for {seconds:.1f} s")
    agent.set({pod: Limits()})
    words = ("--kernel-ns", kernel_ns, "--depth", LAUNCH_BOUND.depth, "--seconds", seconds)
    for who, where, most_percent in (
        (pod, "through the limiter", MOST_OF_LAUNCHES_PERCENT),
        (None, "the same without it, which shows how exact this is", None),
    ):
        done = lab.run(lab.program("alternating", *words), who, ALTERNATING_LIMIT_S)
        if done.problem:
            raise ExperimentError(f"alternating {done.problem}")
        rounds = _rounds(json.loads(done.output))
        percents = sorted(100 * (through / past - 1) for through, past in rounds)
        quarters = quantiles(percents, n=4) if len(percents) > 1 else percents * 3
        past_ns = median(past for _, past in rounds)
        lab.record.row(
            Row(
                what=f"{name}: {where}",
                value=median(percents),
                unit="%",
                high=most_percent,
                note=f"median of {len(percents)} rounds, half of them between {quarters[0]:.1f} "
                f"and {quarters[2]:.1f} %; past it a launch takes {past_ns:.0f} ns",
            )
        )


def _rounds(said: Mapping[str, Any]) -> list[tuple[float, float]]:
    """Return ns of a launch through what is loaded and past it, for each round of blocks."""
    launches = said["block"] * ROUND_BLOCKS / 2
    blocks = said["blocks"]
    return [
        (
            sum(ns for is_through, ns in blocks[begin : begin + ROUND_BLOCKS] if is_through)
            / launches,
            sum(ns for is_through, ns in blocks[begin : begin + ROUND_BLOCKS] if not is_through)
            / launches,
        )
        for begin in range(0, len(blocks) - ROUND_BLOCKS + 1, ROUND_BLOCKS)
    ]


def _overhead_of(lab: Lab, agent: Agent, work: Work, most_percent: float) -> None:
    pod, name = lab.pod(f"overhead-{work.kernels_ns[0]}"), work.name(lab.workers)
    lab.record.ran(f"{name}: {lab.sizes.pairs} pairs")
    agent.set({pod: Limits()})
    with lab.load(work) as plain, lab.load(work, pod) as limited:
        both = (plain, limited)
        wait_until_ready(*both)
        pairs = [_pair(lab, both) for _ in range(lab.sizes.pairs)]
    ratios = [1.0 - with_limiter / without for without, with_limiter in pairs]
    lab.record.row(
        Row(
            what=f"{name}: median of {len(pairs)} pairs",
            value=100.0 * median(ratios),
            unit="%",
            high=most_percent,
            note=" ".join(f"{ratio:.1%}" for ratio in sorted(ratios)),
        )
    )


def _at_limits(
    lab: Lab, agent: Agent, work: Work, points_at_low: float = POINTS, points: float = POINTS
) -> None:
    """Measure a work at each limit; ``points_at_low`` holds up to 10 %, ``points`` above that."""
    sizes, name = lab.sizes, work.name(lab.workers)
    pod = lab.pod(f"alone-{work.torch.replace(':', '-') or 'short'}")
    lab.record.ran(f"{name} at {', '.join(map(str, sizes.limits_percent))} %")
    agent.set({pod: Limits()})
    with lab.load(work) as plain, lab.load(work, pod) as limited:
        wait_until_ready(plain, limited)
        whole = lab.alone_per_s(plain)
        for percent in sizes.limits_percent:
            alone = lab.alone_per_s(plain, percent / 100)
            agent.set({pod: Limits(percent=percent)})
            rate, charged = _rate_and_charge(lab, limited, pod)
            allowed = points_at_low if percent <= LOW_PERCENT else points
            lab.share(f"{name} at {percent} %", 100.0 * rate / alone, percent, allowed)
            note = (
                f"{rate / whole:.1%} of the work without a limit; a piece is charged "
                f"{charged * NS / rate:.0f} ns and takes {NS / alone:.0f} ns"
            )
            lab.record.row(
                Row(
                    what=f"{name} at {percent} %: charged", value=100 * charged, unit="%", note=note
                )
            )


def _rate_and_charge(lab: Lab, load: RunningLoad, pod: Pod) -> tuple[float, float]:
    """Return the rate of a paused worker, and which part of its time the limiter charged for it."""
    load.go()
    load.measured_per_s(0.0, lab.sizes.settle_s)
    begin_ns, charged_ns = time.monotonic_ns(), pod.charged_ns()
    rate = load.measured_per_s(0.0, lab.sizes.window_s)
    load.pause()
    return rate, (pod.charged_ns() - charged_ns) / (time.monotonic_ns() - begin_ns)


def _replays_at_limits(lab: Lab, agent: Agent) -> None:
    sizes, lengths, pod = lab.sizes, GRAPH.kernels_ns, lab.pod("graphs")
    name = f"graph of {len(lengths)} x {lengths[0] / 1000:g} µs"
    lab.record.ran(f"{name} at {', '.join(map(str, sizes.limits_percent))} %")
    whole_ns = _replay_ns(lab, None, max(int(sizes.window_s / 4 * NS / sum(lengths)), 10))
    for percent in sizes.limits_percent:
        agent.set({pod: Limits(percent=percent)})
        replays = max(int(sizes.window_s * NS * percent / 100 / whole_ns), 10)
        share = 100 * whole_ns / _replay_ns(lab, pod, replays)
        lab.share(f"{name} at {percent} %", share, percent, POINTS_OF_GRAPHS)


def _replay_ns(lab: Lab, pod: Pod | None, replays: int) -> float:
    """Return how long a replay takes on average, by events around all of them."""
    lengths = GRAPH.kernels_ns
    words = ("--kernels", len(lengths), "--kernel-ns", lengths[0], "--replays", replays)
    done = lab.run(lab.program("graph", *words), pod, GRAPH_LIMIT_S)
    if done.problem:
        raise ExperimentError(f"graph {done.problem}")
    return float(json.loads(done.output)["graph_ns"])


def _pair(lab: Lab, loads: Sequence[RunningLoad]) -> tuple[float, float]:
    """Return the rates of both: the first is measured before and after the second."""
    before, second, after = (_rate(lab, load) for load in (loads[0], loads[1], loads[0]))
    return (before + after) / 2, second


def _rate(lab: Lab, load: RunningLoad) -> float:
    """Return the rate of a worker that is paused before and after.  Raises ``ExperimentError``."""
    window_s = lab.sizes.pair_window_s
    load.go()
    rate = load.measured_per_s(min(lab.sizes.settle_s, window_s / 2), window_s)
    load.pause()
    if rate <= 0:
        raise ExperimentError("a worker without a limit did nothing")
    return rate
