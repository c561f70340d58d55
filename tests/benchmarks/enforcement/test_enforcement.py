"""The benchmarks of the limiter and the agent run, with little to do; no time is judged."""

import math

from tests.benchmarks.enforcement.agent import AgentSizes, node_agent
from tests.benchmarks.enforcement.launches import LaunchSizes, launch_overhead
from tests.benchmarks.enforcement.patches import PatchSizes, patches_in_force
from tests.benchmarks.enforcement.shares import ShareSizes, real_shares
from tests.components.fixtures import needed_program
from tests.components.programs import CLUSTER_PROGRAMS

LAUNCHES = LaunchSizes(rounds=2, launches=2_000, threads=3, starts=3)
SHARES = ShareSizes(settle_s=0.05, window_s=0.2, limits_percent=(50.0,), change_s=0.3)
AGENT = AgentSizes(workers=2, gpus=(1, 2), settle_s=0.1, span_s=0.5, starts=1, updates=3)
PATCHES = PatchSizes(workers=2, patches=3, pause_s=0.01, idle_s=0.3)


def names(rows):
    """Return what is measured at the first level; every number of both levels is finite."""
    assert [row.what for row in rows if not math.isfinite(row.value)] == []
    return [row.what for row in rows if not row.what.startswith(" ")]


def test_what_a_launch_costs_is_measured():
    assert names(list(launch_overhead(LAUNCHES))) == [
        "a launch of the cheapest driver",
        "added to a launch: unlimited, metered",
        "added to a launch: limited",
        "added to a launch: limited, 3 threads",
        "added to a launch: limited, 2 processes of a pod",
        "added to a launch: unlimited, 3 threads",
        "start of a process",
        "added by the library",
    ]


def test_shares_of_real_processes_are_measured():
    assert names(list(real_shares(SHARES))) == [
        "missed: 5 us kernels at 50 %",
        "missed: 20 us kernels at 50 %",
        "missed: 1.4 ms kernels at 50 %",
        "missed: 11 ms kernels at 50 %",
        "missed: 5 us, 1.4 ms in turn at 40 %",
        "missed: 20 us, 1.4 ms, 11 ms in turn at 40 %",
        "missed: launches of one shape, 350 us and 1.4 ms in turn, at 40 %",
        "missed: 30/60 %, both 1.4 ms",
        "missed: 30/60 %, 20 us beside 1.4 ms",
        "missed: 30/60 %, launches of one shape, 350 us and 1.4 ms in turn, beside 1.4 ms",
        "missed: 30/70 %, both 1.4 ms, a card without losses",
        "missed: 20/30/50 %, all 1.4 ms, a card without losses",
        "missed: burst of low and high, 20 to 80 % each, a card without losses",
        "live limit, 20 to 60 %: until it is met",
        "live limit, 60 to 30 %: until it is met",
        "missed: no agent runs",
        "missed: an agent runs again",
    ]


def test_what_the_agent_costs_is_measured():
    assert names(list(node_agent(AGENT))) == [
        "agent, 2 workers: until ready",
        "agent, 2 workers x 1 GPUs: CPU of a core",
        "agent, 2 workers x 2 GPUs: CPU of a core",
        "a limit in the file of workers is in the page, p50",
        "a limit in the file of workers is in the page, p99",
    ]


def test_the_way_of_an_annotation_to_the_page_is_measured():
    for name in CLUSTER_PROGRAMS:
        needed_program(name)
    assert names(list(patches_in_force(PATCHES))) == [
        "a patched annotation is in force, 2 workers on the node, p50",
        "a patched annotation is in force, 2 workers on the node, p99",
        "agent of a cluster's node, 2 workers without processes: CPU of a core",
    ]
