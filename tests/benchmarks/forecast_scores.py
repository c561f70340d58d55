"""Replays of recorded demand with the forecasts, and what they score beside stored references."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from copy import copy
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from recommender.observation import Bools, Floats, Ints
from tests.benchmarks.forecast_plugin import Forecasting
from tests.benchmarks.next_plugin import Enrolled
from tests.benchmarks.replay_sweep import Benchmark

KNOBS = {
    "limits": (0.03, 0.018, 0.01, 0.006, 0.0035),
    "requests": (0.22, 0.15, 0.1, 0.07, 0.05, 0.035, 0.02),
    "vram": (0.01, 0.005, 0.003, 0.0018, 0.001, 0.0006, 0.0003),
    "replicas": (0.05, 0.03, 0.018, 0.01, 0.006, 0.003),
}
"""Risk targets, which bracket what is compared at."""
BOOTSTRAPPED_FROM = 50
"""Series; of fewer, an interval says nothing."""
DRAWS = 200
LEAST_SAMPLES = 20
"""Of a series that is judged."""

Make = Callable[[dict[str, Any]], Forecasting]


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """One panel at an equal share of violated samples."""

    slack: float
    references: dict[str, float]
    """Slack of each, at its best settings."""
    changes: float
    """Per workload and day."""
    throttled: float
    """Demand above what was in force, over use."""
    reference_throttled: float
    """Of the first reference."""

    def ratio(self, reference: str) -> float:
        """Return the slack over that of a reference; below 1 is better."""
        return self.slack / self.references[reference]


@dataclass(frozen=True, slots=True, kw_only=True)
class InForceScore:
    """Amounts in force at an equal share of violated samples."""

    slack: float
    changes: float
    """Per workload and day."""
    throttled: float
    """Demand above what was in force, over use."""
    rows: Any
    """The benchmark's figures of each sweep's point."""


class Panel:
    """One panel of one task."""

    def __init__(self, bench: Benchmark, kind: str, name: str, task: Any) -> None:
        self.bench, self.kind, self.name, self.task = bench, kind, name, task
        self.violation: float = bench.violation[kind]

    @cached_property
    def references(self) -> Any:
        """Rows of the references' sweeps, of all series."""
        sweeps = self.bench.sweeps
        return sweeps.load_or_compute(sweeps.STORED, self.kind, self.name, self.task)

    def replayed(self, knobs: Sequence[float], make: Make, faults: Any = None) -> Floats:
        """Return the allocations of an open loop, ``[knobs, series, decisions]``."""
        values = self.task.panel.values
        feed = self.bench.faults.Feed(self.task.panel, faults)
        calm_sea = np.zeros(values.shape, np.bool_)
        method = make(self.task.describe())
        found = np.empty((len(knobs), len(values), len(self.task.all_decisions)))
        for k, t in enumerate(self.task.all_decisions):
            feed.deliver(t, values, calm_sea, want_rows=False)
            found[:, :, k] = method.allocate_each(int(t), feed.grid[:, :t], knobs)
        return found

    def in_force(self, make: Callable[[dict[str, Any]], Enrolled], knob: float) -> Floats:
        """Return what is in force after each decision, ``[series, decisions]``; 0: nothing yet."""
        return np.nan_to_num(self.bench.replay.replay(self.task, make, knob)[0])

    def best_of_first(self, shares: Sequence[float]) -> Iterator[Floats]:
        """Yield amounts of the first reference, ``[series, decisions]``.

        Each is that of the least slack of its grid of which at most such a share is violated.
        """
        grid = self._grid_of_first(self.task)
        rows = self.rows(grid)
        chosen = [rows.slack.where(rows.viol <= share).idxmin() for share in shares]
        for number in dict.fromkeys(chosen):
            yield grid[number]

    def slack_of_first(self, faults: Any) -> float:
        """Return the slack of the first reference at its best settings, fed a damaged history."""
        panel = self.task.panel
        feed = self.bench.faults.Feed(panel, faults)
        calm_sea = np.zeros(panel.values.shape, np.bool_)
        feed.deliver(panel.values.shape[1], panel.values, calm_sea, want_rows=False)
        seen = copy(self.task)
        seen.filled = self.bench.task.fill_forward(feed.grid, seen.fill_limit)
        grid = self._grid_of_first(seen)
        return float(self.bench.scoring.slack_at(self.rows(grid), self.violation))

    def aged(self, first_h: int, last_h: int, violation: float) -> Panel:
        """Return the panel of the hours in which its series are so old, without a warm-up."""
        hour = 3600 // self.task.panel.step_s
        whole = self.task.panel
        cut = replace(whole, values=whole.values[:, : last_h * hour])
        timing = replace(self.task.timing, warmup=first_h * hour)
        aged = Panel(self.bench, self.kind, self.name, self.bench.task.Task(cut, timing, self.kind))
        aged.violation = violation
        aged.references = self.bench.sweeps.compute(self.kind, aged.task)
        return aged

    def rows(self, allocations: Floats) -> Any:
        """Return the benchmark's figures, one row per knob."""
        return self.bench.scoring.score(self.task, allocations)

    def scored_in_force(self, sweep: Sequence[Floats]) -> InForceScore:
        """Return the score of a sweep of amounts in force, which nothing else holds or lowers."""
        rows = self.bench.scoring.score(self.task, np.stack(sweep), 0.0)
        return InForceScore(
            slack=self.bench.scoring.slack_at(rows, self.violation),
            changes=self.bench.scoring.changes_at(rows, self.violation),
            throttled=_at(rows, self.violation, "thr"),
            rows=rows,
        )

    def scored(self, allocations: Floats, series: Bools | None = None) -> Score:
        """Return the score of a sweep, of some of the series or of all of them."""
        task, references = self.task, self.references
        if series is not None:
            task = self._part(series)
            allocations = allocations[:, series, : len(task.all_decisions)]
            references = self.bench.sweeps.compute(self.kind, task)
        return self._score(self.bench.scoring.score(task, allocations), references)

    def halves(self) -> tuple[Bools, Bools]:
        """Return the series that methods were shaped on, and the others."""
        shaped = np.array([hashlib.sha256(i.encode()).digest()[0] % 2 == 1 for i in self._ids])
        return shaped, ~shaped

    def interval(self, allocations: Floats) -> tuple[float, float] | None:
        """Return the middle 90 % of the ratio to the first reference, over draws of the series.

        None: there are too few.
        """
        count = len(self._ids)
        if count < BOOTSTRAPPED_FROM:
            return None
        sides = [self._by_series(allocations), self._by_series(self._grid_of_first(self.task))]
        random = np.random.default_rng(0)
        draws = [random.integers(0, count, count) for _ in range(DRAWS)]
        ratios = [self._slack_of(sides[0], d) / self._slack_of(sides[1], d) for d in draws]
        low, high = np.nanquantile(ratios, (0.05, 0.95))
        return float(low), float(high)

    def _grid_of_first(self, seen: Any) -> Floats:
        """Return the amounts of the first reference at all of its settings, from what it saw."""
        baselines = self.bench.baselines
        percentiles = baselines.histogram_percentiles(seen, 60)
        order = list(baselines.PERCENTILES)
        return np.stack([percentiles[order.index(p)] * (1 + m) for p, m in baselines.GRID])

    def _by_series(self, allocations: Floats) -> tuple[Floats, Floats, Floats]:
        """Return excess ``[A, S]`` and use ``[S]`` in units of each series, and shares violated."""
        task, scoring = self.task, self.bench.scoring
        floor = scoring.FLOOR_SHARE * task.scale
        held = scoring.hold_policy(
            allocations[:, :, task.offset :], scoring.HYSTERESIS, floor, task.panel.cap
        )[0][:, :, :, None]
        judged = np.isfinite(task.judged) & task.usable[:, :, None]
        demand = np.where(judged, task.judged, 0.0)
        excess = (np.maximum(held - demand, 0.0) * judged).sum((2, 3)) / task.scale
        count = judged.sum((1, 2))
        shares = ((demand > held * (1 + 1e-6)) & judged).sum((2, 3)) / np.maximum(count, 1)
        live = count >= LEAST_SAMPLES
        return (
            np.where(live, excess, 0.0),
            np.where(live, demand.sum((1, 2)) / task.scale, 0.0),
            np.where(live, shares, np.nan),
        )

    def _slack_of(self, side: tuple[Floats, Floats, Floats], drawn: Ints) -> float:
        excess, use, shares = side
        rows = self.bench.frame(
            {
                "slack": excess[:, drawn].sum(axis=1) / use[drawn].sum(),
                "viol": np.nanmean(shares[:, drawn], axis=1),
            }
        )
        return float(self.bench.scoring.slack_at(rows, self.violation))

    def _score(self, rows: Any, references: Any) -> Score:
        scoring, violation = self.bench.scoring, self.violation
        names = (self.bench.baselines.TF_TUNED, self.bench.baselines.VPA_TUNED)
        by_name = {name: references[references.method == name] for name in names}
        of_first = by_name[names[0]]
        near = of_first[of_first.viol <= 1.3 * violation]
        return Score(
            slack=scoring.slack_at(rows, violation),
            references={n: scoring.slack_at(by_name[n], violation) for n in names},
            changes=scoring.changes_at(rows, violation),
            throttled=_at(rows, violation, "thr"),
            reference_throttled=float(near.thr[near.slack.idxmin()]),
        )

    @property
    def _ids(self) -> list[str]:
        return list(self.task.panel.ids)

    def _part(self, series: Bools) -> Any:
        panel = self.task.panel
        part = replace(
            panel,
            values=panel.values[series],
            ids=[name for name, is_in in zip(panel.ids, series, strict=True) if is_in],
            t0_unix=panel.t0_unix[series],
        )
        return self.bench.task.Task(part, self.task.timing, self.kind)


def _at(rows: Any, violation: float, column: str) -> float:
    """Return a column of a sweep at a share of violated samples."""
    ordered = rows.sort_values("viol")
    shares = np.log10(np.maximum(ordered.viol.to_numpy(), 1e-6))
    return float(np.interp(np.log10(violation), shares, ordered[column].to_numpy()))


def panels(bench: Benchmark, kind: str, names: Sequence[str] | None = None) -> Iterator[Panel]:
    """Yield the panels of a task."""
    for name, task in bench.task.iter_tasks(bench.data, kind, names):
        yield Panel(bench, kind, name, task)


def replica_counts(bench: Benchmark, service: Any, knobs: Sequence[float], make: Make) -> Floats:
    """Return the replicas that are asked for, ``[knobs, services, samples]``."""
    described, values = service.describe(), service.panel.values
    every = int(described["hold_steps"])
    feed = bench.faults.Feed(service.panel, None)
    calm_sea = np.zeros(values.shape, np.bool_)
    method = make(described)
    wanted = np.ones((len(knobs), *values.shape))
    # The benchmark begins at its tenth sample, or later where decisions are further apart.
    begin = max(every, 10) % every + every
    for t in range(begin, values.shape[1], every):
        feed.deliver(t, values, calm_sea, want_rows=False)
        counts = method.allocate_each(t, feed.grid[:, :t], knobs)
        wanted[:, :, t : t + every] = counts[:, :, None]
    return wanted


def geometric_mean(values: Sequence[float]) -> float:
    """Return it; NaN where a value is."""
    return float(np.exp(np.mean(np.log(values))))
