"""The decision tick of a large fleet: new samples of one minute to decisions, on one core.

Run as ``python -m tests.benchmarks.tick WORKLOADS`` in a process of its own, so that its peak
memory is the tick's: it prints one line of JSON.  It gives freed memory back, as the live loop
does.  A day of history is made first, so that histograms hold what they would hold.  With
``forecasts`` behind it, it is a week, which fills every ring, and all three layers are forecast, by
the trained model of the fleet, too; that is trained in another process, as in the live loop.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from enum import StrEnum

import numpy as np

from autoscaler.freed_memory import give_back_freed_memory
from autoscaler.scaling.running.forecasts.training_process import in_process
from recommender.decide import decide
from recommender.observation import Forecasts, Observation, Workers, Workloads
from recommender.policy.parse import parse_auto_scaling_config
from recommender.policy.table import policy_table
from recommender.resources import GIB, TFLOPS, VRAM
from recommender.state import empty_state
from recommender.usage.blocks import MINUTES_PER_BLOCK
from recommender.usage.model import UsageModel
from recommender.usage.statistics import read_demand, read_statistics
from recommender.usage.store import closable_until_s
from tests.benchmarks.own_process import memory_bytes
from tests.fleets import workloads

WORKERS = 4
RESOURCES = (TFLOPS, VRAM)
STEP_S = 15
MINUTE_S = 60
HISTORY_STEP_S = 300
HISTORY_S, HISTORY_OF_FORECASTS_S = 86_400, 7 * 86_400
BEGIN_S = 20_000 * 86_400 - 600
"""Ten minutes before an hour, so that it ends while ticks are measured."""
TICKS = 10
"""Two of them close a 5-minute block, and two take the hour of a resource each."""
ENROLLED = {
    "autoSetRequests": {"enable": True},
    "autoSetLimits": {"enable": True},
    "autoSetReplicas": {"enable": True},
}
PREDICTING = {
    layer: {"enable": True, "prediction": {"enable": True}}
    for layer in ("autoSetRequests", "autoSetLimits", "autoSetReplicas")
}
FORECAST_BLOCKS = 36
"""Of the history, that are forecast: more of them change nothing but how well it is learned."""


class Kind(StrEnum):
    """What a tick does besides taking its samples and deciding."""

    ORDINARY = "ordinary"
    BLOCK = "block"
    """It closes a block of five minutes."""
    HOUR = "hour"
    """Requests of one resource are forecast from the hour that has closed."""


def kind_of(now_s: int) -> Kind:
    """Return what the tick at a full minute does where all layers are forecast."""
    minutes = closable_until_s(now_s) // MINUTE_S
    if minutes % MINUTES_PER_BLOCK == 0:
        return Kind.BLOCK
    return Kind.HOUR if minutes % 60 in range(1, 1 + len(RESOURCES)) else Kind.ORDINARY


class Stages:
    """CPU seconds by stage of one tick."""

    def __init__(self) -> None:
        self.cpu_s: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        begin = time.process_time()
        yield
        self.cpu_s[name] = time.process_time() - begin


class LargeFleet:
    """A fleet with generated use, decided on by the numeric core alone."""

    def __init__(self, rows: int, *, predicts: bool = False) -> None:
        self._rng = np.random.default_rng(7)
        self._model = UsageModel(RESOURCES)
        keys = [(f"team{i % 50}", f"w{i}", "H100") for i in range(rows)]
        self._rows = self._model.workload_rows(keys)
        self._worker_row = np.repeat(np.arange(rows), WORKERS)
        names = [f"w{i}-{j}" for i in range(rows) for j in range(WORKERS)]
        self._workers = self._model.worker_rows(self._rows[self._worker_row], names)
        self._base = np.array([[30.0], [20 * GIB]]) * self._rng.uniform(0.2, 2.0, (2, rows))
        configs = ({}, ENROLLED) if not predicts else (PREDICTING, {**ENROLLED, **PREDICTING})
        kinds = [parse_auto_scaling_config(config) for config in configs]
        self._table = policy_table([kinds[i % 2] for i in range(rows)], RESOURCES)
        self._workloads = self._stated(rows)
        self._state = empty_state(self._workloads.uid, len(RESOURCES))
        self.now_s = BEGIN_S

    def _stated(self, rows: int) -> Workloads:
        amount = self._base.T * 1.5
        card = np.broadcast_to(np.array([989.0, 80 * GIB]), amount.shape)
        return workloads(
            rows,
            len(RESOURCES),
            stated_request=amount,
            stated_limit=amount * 2,
            request=amount,
            limit=amount * 2,
            replicas=np.full(rows, float(WORKERS)),
            stated_replicas=np.full(rows, float(WORKERS)),
            card=card,
        )

    def pass_time(self, seconds: int, step_s: int, stages: Stages) -> None:
        """Take the samples of some time of all workers in both resources."""
        self.now_s += seconds
        ts = np.arange(self.now_s - seconds, self.now_s, step_s)
        for r in range(len(RESOURCES)):
            worker = np.tile(self._workers, len(ts))
            stamp = np.repeat(ts, len(self._workers))
            base = np.tile(self._base[r, self._worker_row], len(ts))
            value = base * self._rng.gamma(8.0, 1 / 8.0, len(base)).clip(0.1, 3.0)
            share = np.tile(self._workloads.limit[self._worker_row, r], len(ts))
            with stages.stage(f"samples of {RESOURCES[r].name}"):
                self._model.ingest(
                    r, worker, stamp, value, now_s=self.now_s, step_s=step_s, share=share
                )
        with stages.stage("minutes, histograms and blocks"):
            self._model.advance(self.now_s)

    def forecast(self) -> None:
        """Forecast from now on."""
        self._model.forecasts.want(self._rows, self._table)

    def train(self) -> None:
        """Train the fleet's models, as a day's job does."""
        forecasts = self._model.forecasts
        for key, table in forecasts.training_tables(forecasts.streams).items():
            model = in_process(table, lambda: True).model
            assert model is not None
            forecasts.install(key, model)

    def decide(self, stages: Stages) -> int:
        """Observe and decide all layers; return the number of workloads with a request."""
        now_s = self.now_s
        with stages.stage("statistics and percentiles"):
            usage = read_statistics(self._model, self._rows, self._table, self._state, now_s)
            period_s = self._table.replicas.evaluation_s[self._worker_row]
            demand = read_demand(self._model, self._workers, period_s, now_s)
            workers = Workers(
                workload_row=self._worker_row,
                demand=demand,
                is_ready=np.ones(len(self._workers), np.bool_),
            )
            observation = Observation(
                resources=RESOURCES,
                workloads=self._workloads,
                workers=workers,
                usage=usage,
                forecasts=self._forecasts(),
            )
        with stages.stage("three layers and decisions"):
            decisions, self._state = decide(observation, self._table, self._state, now_s)
        self._workloads = replace(
            self._workloads, request=decisions.next_request, limit=decisions.next_limit
        )
        return int((~np.isnan(decisions.target_request[:, 0])).sum())

    def _forecasts(self) -> Forecasts | None:
        forecasts = self._model.forecasts
        forecasts.note_in_force(self._workloads, self._state)
        return forecasts.read(self._rows, self.now_s)


def measure(
    rows: int, *, predicts: bool = False, advance: Callable[[float], None] | None = None
) -> dict[str, object]:
    """Return CPU seconds of a tick of each kind, and peak memory."""
    fleet = LargeFleet(rows, predicts=predicts)
    history_s = HISTORY_OF_FORECASTS_S if predicts else HISTORY_S
    for begin_s in range(0, history_s, HISTORY_STEP_S):
        if predicts and begin_s == history_s - FORECAST_BLOCKS * HISTORY_STEP_S:
            fleet.forecast()
        begins = history_s - FORECAST_BLOCKS * HISTORY_STEP_S
        step_s = MINUTE_S if predicts and begin_s >= begins else HISTORY_STEP_S
        fleet.pass_time(HISTORY_STEP_S, step_s, Stages())
        if advance is not None:
            advance(begin_s / history_s)
    for _ in range(5):
        fleet.pass_time(MINUTE_S, STEP_S, Stages())
        fleet.decide(Stages())
    if predicts:
        fleet.train()
    ticks: dict[Kind, list[dict[str, float]]] = {kind: [] for kind in Kind}
    for _ in range(TICKS):
        stages = Stages()
        fleet.pass_time(MINUTE_S, STEP_S, stages)
        decided = fleet.decide(stages)
        assert decided == rows
        ticks[kind_of(fleet.now_s)].append(stages.cpu_s)
    least = {kind: min(each, key=lambda cpu_s: sum(cpu_s.values())) for kind, each in ticks.items()}
    return {"workloads": rows, **least, "peak_bytes": memory_bytes("VmHWM")}


if __name__ == "__main__":
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    give_back_freed_memory()
    print(json.dumps(measure(int(sys.argv[1]), predicts="forecasts" in sys.argv[2:])))
