"""Series of workers from a description: who they are, when they live, and formulas of time.

A formula takes UTC seconds as an array and returns a value for each; counters are given by their
rate.  What is described here is written by ``openmetrics`` and is at the same time the truth that
a server's answers are compared with.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from tests.components.openmetrics import Family, Series
from tests.components.worker_metrics import LABELS, WorkerMetric

Formula = Callable[[NDArray[np.float64]], NDArray[np.float64]]
Periods = tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """One worker on one GPU."""

    labels: Mapping[str, str]
    formulas: Mapping[str, Formula]
    """Name of a series to its value (gauge) or its rate per second (counter)."""
    phase_ms: int = 0
    """How long after each step's start it is scraped; negative: before."""
    lives_s: tuple[int, int] | None = None
    """First second and the one after its last; None: the whole history."""
    gaps_s: Periods = ()
    """``[from, until)`` without a scrape; its counters go on."""
    restarts_s: tuple[int, ...] = ()
    """When its counters start from zero again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """Series of workers, scraped every ``step_s`` in ``[start_s, end_s)``."""

    workers: tuple[Worker, ...]
    metrics: tuple[WorkerMetric, ...]
    start_s: int
    end_s: int
    step_s: int

    def families(self) -> Iterator[Family]:
        """Yield a family for each metric; its series are made when they are taken."""
        for metric in self.metrics:
            yield Family(name=metric.name, kind=metric.kind, series=self.series(metric))

    def series(self, metric: WorkerMetric) -> Iterator[Series]:
        """Yield the series of one metric, in the order of the workers."""
        for worker in self.workers:
            formula = worker.formulas.get(metric.name)
            if formula is None:
                continue
            ts_ms, is_scraped = self._scrapes(worker)
            value = _values(metric, formula, ts_ms, self.step_s, worker.restarts_s)
            labels = {**worker.labels, **metric.labels}
            if is_scraped.all():
                yield Series(labels=labels, ts_ms=ts_ms, value=value)
            else:
                yield Series(labels=labels, ts_ms=ts_ms[is_scraped], value=value[is_scraped])

    def _scrapes(self, worker: Worker) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        begin_s, end_s = worker.lives_s or (self.start_s, self.end_s)
        return _scrapes(begin_s, end_s, self.step_s, worker.phase_ms, worker.gaps_s)


def worker_labels(namespace: str, workload: str, worker: str, **others: str) -> dict[str, str]:
    """Return a worker's labels; those not given get a plain value."""
    plain = {
        "namespace": namespace,
        "workload": workload,
        "worker": worker,
        "pool": "shared",
        "node": "node-1",
        "uuid": f"GPU-{worker}",
        "gpu_model": "NVIDIA H100 80GB HBM3",
        "qos": "medium",
    }
    labels = {**plain, **others}
    if set(labels) != set(LABELS):
        raise ValueError(f"a worker has the labels {', '.join(LABELS)}, not {', '.join(labels)}")
    return labels


def constant(value: float) -> Formula:
    """Return the formula of a value that never changes."""
    return lambda t_s: np.full(len(t_s), value)


def daily(mean: float, swing: float, *, peak_hour: float = 14.0) -> Formula:
    """Return a wave of one day around ``mean``, highest at ``peak_hour`` UTC."""

    def wave(t_s: NDArray[np.float64]) -> NDArray[np.float64]:
        days = (t_s - 3600.0 * peak_hour) / 86_400.0
        return np.round(mean + swing * np.cos(2.0 * np.pi * days), 3)

    return wave


def at(formula: Formula, moments: Mapping[int, float], *, within_s: float) -> Formula:
    """Return a formula that has another value in ``[moment, moment + within_s)``."""

    def changed(t_s: NDArray[np.float64]) -> NDArray[np.float64]:
        value = formula(t_s)
        for moment_s, other in moments.items():
            value = np.where((t_s >= moment_s) & (t_s < moment_s + within_s), other, value)
        return value

    return changed


@lru_cache(maxsize=64)
def _scrapes(
    begin_s: int, end_s: int, step_s: int, phase_ms: int, gaps_s: Periods
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """Return all stamps of a life and which of them were scraped; one array for equal lives."""
    ts_ms = 1000 * np.arange(begin_s, end_s, step_s, dtype=np.int64) + phase_ms
    is_scraped = ~_within(ts_ms, ((1000 * a, 1000 * b) for a, b in gaps_s))
    for array in (ts_ms, is_scraped):
        array.setflags(write=False)
    return ts_ms, is_scraped


def _within(ts_ms: NDArray[np.int64], periods_ms: Iterable[tuple[int, int]]) -> NDArray[np.bool_]:
    inside = np.zeros(len(ts_ms), np.bool_)
    for begin_ms, end_ms in periods_ms:
        inside |= (ts_ms >= begin_ms) & (ts_ms < end_ms)
    return inside


def _values(
    metric: WorkerMetric,
    formula: Formula,
    ts_ms: NDArray[np.int64],
    step_s: int,
    restarts_s: tuple[int, ...],
) -> NDArray[np.float64]:
    value = np.asarray(formula(ts_ms / 1000.0), np.float64)
    if metric.kind == "gauge":
        return value
    total = np.cumsum(value * step_s)
    for restart_s in sorted(restarts_s):
        after = np.searchsorted(ts_ms, 1000 * restart_s)
        if 0 < after < len(total):
            total[after:] -= total[after - 1]
    return np.round(total, 6)
