"""Experiments 8 and 9: workers side by side, and one with precedence that arrives."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from tests.benchmarks.gpu.lab import Lab
from tests.benchmarks.gpu.loads import NS, RunningLoad, wait_until_ready
from tests.benchmarks.gpu.outcomes import Row
from tests.benchmarks.gpu.pods import Agent, Limits
from tests.benchmarks.gpu.works import ELEMENTWISE_20_US, LONG, SHORT, WAITING, Work

POINTS = 3.0
ARRIVAL_GOAL_S = 1.0


@dataclass(frozen=True, slots=True)
class Scene:
    """Workers that run at the same time: what each does, and its limit in percent."""

    workers: tuple[tuple[Work, int], ...]


SCENES = (
    Scene(((LONG, 30), (LONG, 70))),
    Scene(((ELEMENTWISE_20_US, 30), (LONG, 70))),
    Scene(((SHORT, 25), (LONG, 50))),
    Scene(((SHORT, 20), (SHORT, 30), (SHORT, 50))),
)


def side_by_side(lab: Lab) -> None:
    """8: every worker gets its own limit, whatever the others do."""
    with lab.agent({}) as agent:
        for number, scene in enumerate(SCENES):
            _measure(lab, agent, number, scene)


def _measure(lab: Lab, agent: Agent, number: int, scene: Scene) -> None:
    pods = {
        lab.pod(f"scene-{number}-{index}"): Limits(percent=percent)
        for index, (_, percent) in enumerate(scene.workers)
    }
    names = [f"{work.name(lab.workers)} at {percent} %" for work, percent in scene.workers]
    lab.record.ran(" beside ".join(names))
    works = [work for work, _ in scene.workers]
    agent.set(pods)
    with ExitStack() as stack:
        plain = {work: stack.enter_context(lab.load(work)) for work in dict.fromkeys(works)}
        loads = [
            stack.enter_context(lab.load(work, pod)) for work, pod in zip(works, pods, strict=True)
        ]
        wait_until_ready(*plain.values(), *loads)
        duty = min(sum(percent for _, percent in scene.workers) / 100, 1)
        alone = {work: lab.alone_per_s(load, duty) for work, load in plain.items()}
        shares = _together(lab, loads, [alone[work] for work in works])
    for index, (name, percent) in enumerate(zip(names, shares, strict=True)):
        others = " and ".join(names[:index] + names[index + 1 :])
        lab.share(f"{name} beside {others}", percent, scene.workers[index][1], POINTS)
    # The card switches between contexts, so that full neighbours have less than all of it.
    lab.share(
        f"{' + '.join(names)}: together",
        sum(shares),
        sum(percent for _, percent in scene.workers),
        None,
    )


def _together(lab: Lab, loads: Sequence[RunningLoad], rates: Sequence[float]) -> list[float]:
    """Return the share of each in percent while all run."""
    for load in loads:
        load.go()
    from_ns = time.monotonic_ns() + round(lab.sizes.settle_s * NS)
    until_ns = from_ns + round(lab.sizes.window_s * NS)
    for load in loads:
        load.wait_until(until_ns)
    return [
        100 * load.between_per_s(from_ns, until_ns) / alone
        for load, alone in zip(loads, rates, strict=True)
    ]


def arrival(lab: Lab) -> None:
    """9: a low worker uses all, and a critical one begins; then one that waits for each answer."""
    for number, work in enumerate((SHORT, WAITING)):
        _arrive(lab, number, work)


def _arrive(lab: Lab, number: int, work: Work) -> None:
    low, critical = lab.pod(f"low-{number}"), lab.pod(f"critical-{number}")
    limits = {
        low: Limits(request_percent=20, percent=100, qos="low"),
        critical: Limits(request_percent=60, percent=80, qos="critical"),
    }
    name = work.name(lab.workers)
    lab.record.ran(f"{SHORT.name(lab.workers)}: low 20 to 100 %; {name}: critical 60 to 80 %")
    sizes = lab.sizes
    with (
        lab.agent(limits),
        lab.load(SHORT) as plain,
        lab.load(SHORT, low) as resident,
        lab.load(work, critical) as arriving,
    ):
        wait_until_ready(plain, resident, arriving)
        whole = lab.alone_per_s(plain)
        resident.go()
        alone = resident.measured_per_s(sizes.settle_s, sizes.window_s)
        arriving.go()
        from_ns = time.monotonic_ns() + round(ARRIVAL_GOAL_S * NS)
        until_ns = from_ns + round(sizes.window_s * NS)
        for load in (resident, arriving):
            load.wait_until(until_ns)
        together = [load.between_per_s(from_ns, until_ns) for load in (resident, arriving)]
    lab.share(f"low alone, before {name}", 100 * alone / whole, 100, None)
    for what, rate, request in zip(("low", "critical"), together, (20, 60), strict=True):
        lab.record.row(
            Row(
                what=f"{name}: {what}, from {ARRIVAL_GOAL_S:g} s after the critical one began",
                value=100 * rate / whole,
                unit="%",
                low=request - POINTS,
                note=f"requested: {request} %",
            )
        )
