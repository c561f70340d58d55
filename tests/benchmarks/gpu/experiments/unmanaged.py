"""Experiments 11 and 15: work that goes past the limiter, and whether it is seen."""

from __future__ import annotations

import time
from pathlib import Path
from uuid import uuid4

from tests.autoscaler.agent.native.built import built_library, built_program
from tests.benchmarks.gpu.lab import Lab
from tests.benchmarks.gpu.loads import NS, RunningLoad, wait_until_ready
from tests.benchmarks.gpu.outcomes import CannotRunError, ExperimentError, Row
from tests.benchmarks.gpu.pods import Limits, Pod
from tests.benchmarks.gpu.works import SHORT
from tests.cluster.node_cgroups import NodeCgroups, own_cgroup
from tests.components.processes import until
from tests.fakes.gpu.building import PROGRAMS

HOST = Path(__file__).parents[1] / "plugin_host.c"
LIMIT_PERCENT = 20
SEEN_GOAL_S, TOLD_GOAL_S, LONGEST_S = 2.0, 3.0, 15.0
TOLD = "use GPU"
"""In the agent's log, of a process outside the limiter; it is told once it has lasted 2 s."""


def without_limiter(lab: Lab) -> None:
    """11: a process of a pod that runs without the limiter."""
    parent = own_cgroup()
    if parent is None:
        raise CannotRunError(
            "no rights: whose a process is tells its control group, and those of version 2 may "
            "not be written here"
        )
    # Named as a pod is by its UID, which is what control groups of pods tell.
    pod = lab.pod(str(uuid4()))
    lab.record.ran(f"{SHORT.name(lab.workers)} in a pod at {LIMIT_PERCENT} %, without the limiter")
    with (
        NodeCgroups(parent) as cgroups,
        lab.agent({pod: Limits(percent=LIMIT_PERCENT)}) as agent,
        # The page of use must be there: without it, nothing tells who is metered.
        lab.load(SHORT, pod) as metered,
        lab.outside(SHORT, pod.names()) as bypass,
    ):
        for load in (metered, bypass):
            cgroups.put(pod.name, load.pid)
        wait_until_ready(metered, bypass)
        lab.must_list(bypass.pid)
        begin_s = time.monotonic()
        bypass.go()
        until(
            lambda: agent.use_of(pod)["unaccountedShare"] > 0,
            what="the agent shows unaccounted device time",
            deadline_s=LONGEST_S,
        )
        seen_s = time.monotonic() - begin_s
        lab.record.row(Row(what="until metrics show it", value=seen_s, unit="s", high=SEEN_GOAL_S))
        until(
            lambda: TOLD in agent.log(),
            what="the agent tells of the process",
            deadline_s=LONGEST_S,
        )
        told_s = time.monotonic() - begin_s
    what = "until the log tells it, which waits for 2 s of it"
    lab.record.row(Row(what=what, value=told_s, unit="s", high=TOLD_GOAL_S))


def deep_bound(lab: Lab) -> None:
    """15: a plug-in that is loaded with RTLD_DEEPBIND and finds the driver by itself."""
    pod = lab.pod("deepbind")
    lab.record.ran(f"kernels of a plug-in at {LIMIT_PERCENT} %, loaded in two ways")
    counted_before = 0
    with lab.agent({pod: Limits(percent=LIMIT_PERCENT)}):
        for how in ("plainly", "with RTLD_DEEPBIND"):
            with _plugin(lab, pod, how) as load:
                load.ready()
                load.go()
                from_ns = time.monotonic_ns() + round(lab.sizes.settle_s * NS)
                load.wait_until(from_ns + round(lab.sizes.window_s * NS))
                ended = load.reports()[-1].ended
            if ended == 0:
                raise ExperimentError(f"a plug-in that was loaded {how} launched nothing")
            counted = pod.launches() - counted_before
            counted_before += counted
            lab.record.row(
                Row(
                    what=f"loaded {how}: launches that the limiter counted",
                    value=100 * min(counted / ended, 1.0),
                    unit="%",
                    note=f"{counted} of {ended} or some more",
                )
            )


def _plugin(lab: Lab, pod: Pod, how: str) -> RunningLoad:
    """Return the program ``load`` as a plug-in of a process that has the limiter."""
    flags = ["-Dmain=plugin_main", "-ldl", "-lpthread"]
    plugin = built_library([PROGRAMS / "load.c"], include=(PROGRAMS,), flags=flags)
    host = built_program([HOST], flags=["-ldl"])
    way = "deep" if "DEEPBIND" in how else "plain"
    turns = ("--turns-per-us", str(lab.setting.turns_per_us))
    words = ("--kernel-ns", "230000", "--depth", "16", "--report-ms", "20", *turns)
    return RunningLoad([str(host), way, str(plugin), *words], lab.environment(pod), lab.log())
