"""Experiment 14: what serving frameworks do to a process, under a limit: no crash and no hang."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tests.benchmarks.gpu.lab import Lab
from tests.benchmarks.gpu.outcomes import Row
from tests.benchmarks.gpu.pods import Limits

LIMIT_PERCENT = 40
LONGEST_S, LONGEST_OF_PROGRAMS_S = 75.0, 20.0
TORCH_WAYS = ("streams", "graph", "fork", "exec", "spawn", "compile")
"""Of ``torch_workers/frameworks.py``, the slowest last."""


def framework_ways(lab: Lab) -> None:
    """14: several streams, graphs, fork, exec, spawn, compilation."""
    pod = lab.pod("frameworks")
    is_torch = lab.workers == "torch"
    commands = _torch_commands(lab) if is_torch else _program_commands(lab)
    lab.record.ran(f"{', '.join(commands)} at {LIMIT_PERCENT} %")
    longest_s = LONGEST_S if is_torch else LONGEST_OF_PROGRAMS_S
    with lab.agent({pod: Limits(percent=LIMIT_PERCENT)}):
        for way, command in commands.items():
            done = lab.run(command, pod, longest_s)
            lab.record.row(
                Row(
                    what=f"{way}: ended well",
                    value=float(not done.problem),
                    unit="(1: yes)",
                    low=1.0,
                    note=done.problem,
                )
            )


def _torch_commands(lab: Lab) -> Mapping[str, Sequence[str]]:
    return {way: lab.torch("frameworks", way) for way in TORCH_WAYS}


def _program_commands(lab: Lab) -> Mapping[str, Sequence[str]]:
    seconds = ("--seconds", lab.sizes.window_s)
    return {
        "streams": lab.program("load", "--streams", 4, "--kernel-ns", 100_000, *seconds),
        "streams that wait for each other": lab.program("dependent", "--rounds", 5),
        "threads": lab.program("threads", "--threads", 8, "--launches", 100),
        "graph": lab.program("graph", "--mode", "global"),
        "graph, disturbed by a thread": lab.program("graph", "--disturbed", "relaxed"),
        "fork": lab.program("forking", "--before", "no"),
        "exec": lab.program("forking", "--before", "yes", "--exec", "yes"),
    }
