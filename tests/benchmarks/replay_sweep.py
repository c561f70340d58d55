"""Scores the plug-in on recorded traces and writes the tables of ``docs/benchmarks.md``.

    TFA_TRACES=FOLDER python -m tests.benchmarks.replay_sweep [TASK ...]

FOLDER holds the replay benchmark (``bench``) and its series (``data``).  The benchmark's own
replay, scores and stored references are used as they are; what differs from ``bench.py --score`` is
only that all knobs are replayed side by side, as further rows of one fleet, which takes a tenth of
the time and gives the same numbers.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from tests.benchmarks.replay_plugin import Method
from tests.traces import VARIABLE, recorded_traces

ROOT = Path(__file__).parents[2]
RISKS = (0.3, 0.2, 0.15, 0.1, 0.07, 0.05, 0.03, 0.02, 0.01, 0.005, 0.002)
FACTORS = (1.0, 1.05, 1.1, 1.15, 1.2, 1.3, 1.5, 1.7, 2.0, 2.5, 3.0)
REPLICA_FACTORS = (1.0, 1.1, 1.2, 1.3, 1.43, 1.6, 1.8, 2.0, 2.5, 3.0, 4.0, 6.0)
CLOSED_PANELS = ("gentd_util", "servegen", "ccc_cpu")
HYSTERESIS = 0.1
CLOSED: dict[str, Any] = {"closed": True, "hysteresis": HYSTERESIS}
TABLES = {
    "limits": ("Limits, open loop, 1 % violated", ("TF*", "VPA*")),
    "requests": ("Requests, open loop, 5 % violated", ("TF*", "VPA*")),
    "vram": ("VRAM, open loop, 0.1 % violated", ("TF*", "VPA*")),
    "replicas": ("Replicas, 1 % overloaded", ("HPA*", "static max*")),
    "closed": ("Limits, closed loop, 1 % violated", ("TF", "VPA")),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One panel of one table."""

    panel: str
    slack: float
    references: tuple[float, ...]
    changes: float


class Benchmark:
    """The replay benchmark of a folder."""

    def __init__(self, traces: Path) -> None:
        sys.path.insert(0, str(traces / "bench"))
        self.data = str(traces / "data")
        self.task = importlib.import_module("replaybench.task")
        self.replay = importlib.import_module("replaybench.replay")
        self.replicas = importlib.import_module("replaybench.replicas")
        self.scoring = importlib.import_module("replaybench.scoring")
        self.sweeps = importlib.import_module("replaybench.sweeps")
        self.baselines = importlib.import_module("replaybench.baselines")
        self.data_of = importlib.import_module("replaybench.data")
        self.faults = importlib.import_module("replaybench.faults")
        self.frame = importlib.import_module("pandas").DataFrame
        self.violation = importlib.import_module("replaybench").DEFAULT_VIOLATION

    def lines(self, table: str) -> Iterator[Line]:
        """Yield the lines of one table."""
        if table == "replicas":
            return self._replica_counts()
        return self._closed_loop() if table == "closed" else self._open_loop(table)

    def _open_loop(self, kind: str) -> Iterator[Line]:
        """Yield allocations' scores beside the stored references, one line per panel."""
        knobs = (*RISKS, *FACTORS)
        names = (self.baselines.TF_TUNED, self.baselines.VPA_TUNED)
        for name, task in self.task.iter_tasks(self.data, kind):
            allocations = self._allocations(task, Method, knobs)
            rows = self.scoring.score(task, allocations)
            yield self.line(kind, name, task, rows, names)

    def _replica_counts(self) -> Iterator[Line]:
        """Yield replicas' scores beside HPA and the highest count so far.

        A second line per panel adds the default cool-down of 300 s before scaling down, the part of
        the pace that HPA* has as well: the highest target of the window.
        """
        names = (self.replicas.HPA, self.replicas.STATIC)
        for name, service in self.replicas.iter_services(self.data):
            wanted = self._wanted_replicas(service, REPLICA_FACTORS)
            rows = self.replicas.simulate(service, wanted)
            yield self.line("replicas", name, service, rows, names)
            rows = self.replicas.simulate(service, _highest_of_last(wanted, service.per_5_min))
            line = self.line("replicas", name, service, rows, names)
            yield replace(line, panel=f"{name}, cooled down")

    def _wanted_replicas(self, service: Any, knobs: Sequence[float]) -> np.ndarray:
        """Return ``[knobs, services, samples]``."""
        tiled = replace(
            service,
            panel=_repeated(service.panel, len(knobs)),
            capacity=np.tile(service.capacity, len(knobs)),
        )
        each = np.repeat(knobs, len(service.capacity))
        wanted = self.replicas.replay(tiled, Method, each)[0]
        return wanted.reshape(len(knobs), len(service.capacity), -1)

    def _closed_loop(self) -> Iterator[Line]:
        """Yield limits in the closed loop, beside TF and VPA in the same loop."""
        others = (self.baselines.BUILT_IN["tf"], self.baselines.BUILT_IN["vpa"])
        for name, task in self.task.iter_tasks(self.data, "limits", CLOSED_PANELS):
            rows = [
                self._closed_rows(task, make, knobs)
                for make, knobs in (
                    (Method, (*RISKS, *FACTORS)),
                    *((other, (*FACTORS, 4.0, 6.0)) for other in others),
                )
            ]
            slacks = [self.scoring.slack_at(row, self.violation["limits"]) for row in rows]
            changes = self.scoring.changes_at(rows[0], self.violation["limits"])
            yield Line(panel=name, slack=slacks[0], references=tuple(slacks[1:]), changes=changes)

    def _closed_rows(self, task: Any, make: Any, knobs: Sequence[float]) -> Any:
        if getattr(make, "wants_task", False):
            runs = [self.replay.replay(task, make, k, **CLOSED)[0] for k in knobs]
            return self.scoring.score(task, np.stack(runs), HYSTERESIS)
        allocations = self._allocations(task, make, knobs, is_closed=True)
        return self.scoring.score(task, allocations, HYSTERESIS)

    def _allocations(
        self, task: Any, make: Any, knobs: Sequence[float], *, is_closed: bool = False
    ) -> np.ndarray:
        """Return ``[knobs, series, decisions]``."""
        tiled = self.task.Task(_repeated(task.panel, len(knobs)), task.timing, task.kind)
        each = np.repeat(knobs, task.n_series)
        done = self.replay.replay(tiled, make, each, **(CLOSED if is_closed else {}))[0]
        return done.reshape(len(knobs), task.n_series, -1)

    def line(
        self, kind: str, name: str, subject: Any, rows: Any, references: Sequence[str]
    ) -> Line:
        """Return the slack of a sweep's ``rows`` at an equal violation, and of the references."""
        violation = self.violation[kind]
        stored = self.sweeps.load_or_compute(self.sweeps.STORED, kind, name, subject)
        return Line(
            panel=name,
            slack=self.scoring.slack_at(rows, violation),
            references=tuple(
                self.scoring.slack_at(stored[stored.method == method], violation)
                for method in references
            ),
            changes=self.scoring.changes_at(rows, violation),
        )


def _repeated(panel: Any, times: int) -> Any:
    return replace(
        panel,
        values=np.tile(panel.values, (times, 1)),
        ids=list(panel.ids) * times,
        t0_unix=np.tile(panel.t0_unix, times),
    )


def _highest_of_last(wanted: np.ndarray, samples: int) -> np.ndarray:
    """Return the running maximum over the last ``samples`` of the last axis."""
    out = wanted.copy()
    for shift in range(1, samples):
        out[..., shift:] = np.maximum(out[..., shift:], wanted[..., :-shift])
    return out


def as_markdown(title: str, lines: Sequence[Line], names: Sequence[str]) -> str:
    """Return one table: slack of the plug-in and of each reference, ratios, changes."""
    head = ["panel", "slack", *names, *(f"ratio to {name}" for name in names), "changes a day"]
    out = [f"### {title}", "", f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    for line in lines:
        ratios = [line.slack / reference for reference in line.references]
        numbers = [line.slack, *line.references, *ratios, line.changes]
        out.append(f"| {line.panel} | {' | '.join(_number(n) for n in numbers)} |")
    return "\n".join(out)


def _number(value: float) -> str:
    return "not reached" if np.isnan(value) else f"{value:.3g}"


def main(wanted: Sequence[str]) -> int:
    traces = recorded_traces()
    if traces is None:
        print(
            f"{VARIABLE} names no folder with a replay benchmark (bench/bench.py)", file=sys.stderr
        )
        return 2
    bench = Benchmark(traces)
    for table in wanted or TABLES:
        title, references = TABLES[table]
        print(as_markdown(title, list(bench.lines(table)), references), end="\n\n", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
