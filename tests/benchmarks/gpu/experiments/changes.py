"""Experiments 7 and 10: a limit that changes, and an agent that is killed and comes back."""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import pairwise

from tests.benchmarks.gpu.lab import Lab
from tests.benchmarks.gpu.loads import NS, wait_until_ready
from tests.benchmarks.gpu.outcomes import Row
from tests.benchmarks.gpu.pods import Limits
from tests.benchmarks.gpu.works import SHORT

CHANGES_PERCENT = (50, 20, 75, 10)
SETTLE_GOAL_S = 1.0
LOOK_NS, STEP_NS = NS // 4, NS // 50
POINTS, PART = 3.0, 0.1
KILL_PERCENT, KILL_POINTS = 30, 2.0


def live_changes(lab: Lab) -> None:
    """7: how soon the rate follows a limit."""
    pod = lab.pod("changing")
    lab.record.ran(f"{SHORT.name(lab.workers)}, {' -> '.join(map(str, CHANGES_PERCENT))} %")
    first = {pod: Limits(percent=CHANGES_PERCENT[0])}
    with lab.agent(first) as agent, lab.load(SHORT) as plain, lab.load(SHORT, pod) as limited:
        wait_until_ready(plain, limited)
        alone = {each: lab.alone_per_s(plain, each / 100) for each in CHANGES_PERCENT[1:]}
        limited.go()
        limited.measured_per_s(0, lab.sizes.settle_s)
        for before, percent in pairwise(CHANGES_PERCENT):
            changed_ns = time.monotonic_ns()
            agent.set({pod: Limits(percent=percent)})
            until_ns = changed_ns + round(lab.sizes.change_s * NS)
            limited.wait_until(until_ns)
            name = f"{before} -> {percent} %"
            settled_s = settle_s(
                limited.between_per_s, alone[percent], percent, changed_ns, until_ns
            )
            lab.record.row(
                Row(what=f"{name}: time to settle", value=settled_s, unit="s", high=SETTLE_GOAL_S)
            )
            late_ns = changed_ns + (until_ns - changed_ns) // 2
            rate = limited.between_per_s(late_ns, until_ns)
            lab.share(f"{name}: afterwards", 100 * rate / alone[percent], percent, None)


def settle_s(
    rate_per_s: Callable[[int, int], float],
    alone_per_s: float,
    percent: float,
    from_ns: int,
    until_ns: int,
) -> float:
    """Return when the last quarter of a second began whose rate was off, plus its length; 0: none.

    ``rate_per_s`` tells the rate between two times.  Off is more than 3 points, and more than a
    tenth of ``percent``.
    """
    allowed = max(POINTS, PART * percent)
    settled_ns = from_ns
    for begin_ns in range(from_ns, until_ns - LOOK_NS + 1, STEP_NS):
        rate = rate_per_s(begin_ns, begin_ns + LOOK_NS)
        if abs(100.0 * rate / alone_per_s - percent) > allowed:
            settled_ns = begin_ns + STEP_NS
    return (settled_ns - from_ns) / NS


def killed_agent(lab: Lab) -> None:
    """10: SIGKILL of the agent, a time without it, and its restart."""
    pod, sizes = lab.pod("killed"), lab.sizes
    lab.record.ran(
        f"{SHORT.name(lab.workers)} at {KILL_PERCENT} %, {sizes.agent_away_s:g} s without an agent"
    )
    limits = {pod: Limits(percent=KILL_PERCENT)}
    with lab.agent(limits) as agent, lab.load(SHORT) as plain, lab.load(SHORT, pod) as limited:
        wait_until_ready(plain, limited)
        alone = lab.alone_per_s(plain, KILL_PERCENT / 100)
        limited.go()
        before = limited.measured_per_s(sizes.settle_s, sizes.window_s)
        agent.kill()
        away = limited.measured_per_s(0.0, sizes.agent_away_s)
        agent.start()
        after = limited.measured_per_s(sizes.settle_s, sizes.window_s)
    lab.share("with the agent", 100 * before / alone, KILL_PERCENT, None)
    for what, rate in (("without the agent", away), ("after its restart", after)):
        change = 100 * (rate - before) / alone
        lab.record.row(
            Row(
                what=f"{what}: change",
                value=change,
                unit="points",
                low=-KILL_POINTS,
                high=KILL_POINTS,
            )
        )
