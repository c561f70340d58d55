"""The fifteen experiments: number, title, what each must reach, and the code that makes it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tests.benchmarks.gpu.experiments.changes import killed_agent, live_changes
from tests.benchmarks.gpu.experiments.frameworks import framework_ways
from tests.benchmarks.gpu.experiments.memory import limit_by_every_path, race
from tests.benchmarks.gpu.experiments.neighbours import arrival, side_by_side
from tests.benchmarks.gpu.experiments.sampling import tensor_activity, utilisation
from tests.benchmarks.gpu.experiments.shares import graphs, matrices, overhead, short_kernels
from tests.benchmarks.gpu.experiments.unmanaged import deep_bound, without_limiter
from tests.benchmarks.gpu.lab import Lab


@dataclass(frozen=True, slots=True)
class Experiment:
    """One experiment; ``make`` writes down what it measures."""

    number: int
    title: str
    pass_line: str
    make: Callable[[Lab], None]


EXPERIMENTS = tuple(
    Experiment(number, *rest)
    for number, rest in enumerate(
        (
            ("limits of matrix products", "within 2 points (16384 at 10 %: 3)", matrices),
            ("limits of short and mixed kernels", "within 2 points", short_kernels),
            ("limits of graph replays", "within 3 points", graphs),
            ("cost of the limiter", "launch-bound < 2 %, matrix products < 0.5 %", overhead),
            (
                "VRAM limit by every path",
                "never above the limit by NVML; refused as out of memory; usable afterwards",
                limit_by_every_path,
            ),
            ("two processes race for VRAM", "the limit to the byte", race),
            ("a limit that changes", "settled in 1 s", live_changes),
            ("workers side by side", "within 3 points each", side_by_side),
            ("a critical worker arrives", "both have their request within 1 s", arrival),
            ("the agent is killed", "rate changes by less than 2 points", killed_agent),
            ("a process without the limiter", "seen within 2 s", without_limiter),
            ("NVML's utilisation of a process", "none: sets what trim can reach", utilisation),
            ("tensor activity", "error below 5 %", tensor_activity),
            ("what frameworks do", "no crash, no hang", framework_ways),
            ("a plug-in with RTLD_DEEPBIND", "none: documents the bypass", deep_bound),
        ),
        start=1,
    )
)
