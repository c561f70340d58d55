"""A fleet that lives in recorded time: usage model, decision state and amounts in force.

It is what the loop does, without a cluster: hand over samples, let time pass, observe, decide.
Which samples are shown when, and what becomes of a decision, belongs to ``replay``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields, replace

import numpy as np

from recommender.backtest.named_models import ReplayedModels
from recommender.decide import ALL_LAYERS, decide
from recommender.decision import Decisions, Layer
from recommender.forecast.daily_training import TrainingTimes, train_due
from recommender.forecast.promises import ForecastEvidence
from recommender.observation import (
    Bools,
    Floats,
    Forecasts,
    Ints,
    Observation,
    Workers,
    Workloads,
)
from recommender.policy.model import Policy
from recommender.policy.table import policy_table
from recommender.resources import Resource
from recommender.state import DecisionState, empty_state
from recommender.usage.model import UsageModel
from recommender.usage.statistics import read_demand, read_statistics

MEDIUM = 1
"""Index of the QoS level of workloads that state none."""


def unbounded_workloads(
    keys: Sequence[tuple[str, str]], resources: int, **columns: object
) -> Workloads:
    """Return workloads with nothing stated, in force or in their way; ``columns`` replace that.

    ``keys`` are (namespace, workload), one per row; ``[W, R]`` columns are per worker and device.
    """
    rows = len(keys)
    nothing, nothing_per_row = np.full((rows, resources), np.nan), np.full(rows, np.nan)
    base: dict[str, object] = {
        "namespace": tuple(namespace for namespace, _ in keys),
        "workload": tuple(workload for _, workload in keys),
        "gpu_model": ("",) * rows,
        "uid": np.array([f"{namespace}/{workload}" for namespace, workload in keys], np.str_),
        "replicas": nothing_per_row,
        "stated_replicas": nothing_per_row,
        "gpu_count": np.ones(rows, np.int64),
        "qos": np.full(rows, MEDIUM, np.int8),
        "is_job": np.zeros(rows, np.bool_),
        "replica_quota": nothing_per_row,
        "is_paused": np.zeros(rows, np.bool_),
        "external_replicas": nothing_per_row,
        "replica_row": np.arange(rows),
    }
    amounts = ("stated_request", "stated_limit", "request", "limit", "card", "largest_placeable")
    for name in (*amounts, "quota", "external_request", "external_limit"):
        base[name] = nothing
    return Workloads(**{**base, **columns})  # type: ignore[arg-type]


def rows_of(workloads: Workloads, rows: Ints) -> Workloads:
    """Return some rows of every column, each with the replicas of its own."""
    columns: dict[str, object] = {}
    for item in fields(Workloads):
        column = getattr(workloads, item.name)
        if isinstance(column, tuple):
            columns[item.name] = tuple(column[i] for i in rows)
        else:
            columns[item.name] = column[rows]
    # replicas are decided per row: what is left out cannot be seen from here
    columns["replica_row"] = np.arange(len(rows))
    return replace(workloads, **columns)  # type: ignore[arg-type]


class ReplayedFleet:
    """Workloads in the order of ``workloads``; series (workers) as ``row_of_series`` says."""

    def __init__(
        self,
        resources: Sequence[Resource],
        policies: Sequence[Policy],
        workloads: Workloads,
        row_of_series: Ints,
        *,
        step_s: int,
        begin_s: int,
        forecast_layers: frozenset[Layer] = ALL_LAYERS,
        fits_named: bool = False,
    ) -> None:
        """In layers that are none of ``forecast_layers`` percentiles decide, whatever is asked for.

        ``fits_named``: models that are fitted for one series alone are, which takes long; else
        ``auto`` stands for them.
        """
        self.step_s = step_s
        self.workloads = workloads
        """What is stated and in force; replaced by whoever applies a decision."""
        self.row_of_series = row_of_series
        self.model = UsageModel(resources)
        """What is known of use."""
        # a replayed layer acts, whoever is enrolled: what it would do is the question
        table = policy_table(policies, resources)
        acts = np.ones_like(table.replicas.acts)
        self._table = replace(table, replicas=replace(table.replicas, acts=acts))
        keys = zip(workloads.namespace, workloads.workload, workloads.gpu_model, strict=True)
        self.rows = self.model.workload_rows(list(keys))
        """[W] of the usage model."""
        names = [str(i) for i in range(len(row_of_series))]
        self._workers = self.model.worker_rows(self.rows[row_of_series], names)
        self.model.forecasts.layers = forecast_layers
        self.model.forecasts.want(self.rows, self._table)
        self.model.set_half_lives(self.rows, self._table.requests.half_life_s, begin_s)
        self._state: DecisionState = empty_state(workloads.uid, len(self.model.resources))
        self._training = TrainingTimes()
        self._named = ReplayedModels() if fits_named else None
        self._is_ready: Bools = np.ones(len(row_of_series), np.bool_)

    def see(
        self,
        resource: int,
        begin_s: int,
        values: Floats,
        *,
        now_s: int,
        share: Floats | None = None,
    ) -> None:
        """Take samples of one resource, ``values[series, n]`` from ``begin_s`` on; NaN: none.

        ``share`` ([series, n], NaN: unknown) is what each sample could have used at most.
        """
        series, column = np.nonzero(~np.isnan(values))
        if len(series) == 0:
            return
        self.model.ingest(
            resource,
            self._workers[series],
            begin_s + column * self.step_s,
            values[series, column].astype(np.float64),
            now_s=now_s,
            step_s=self.step_s,
            share=None if share is None else share[series, column],
        )

    def refuse(self, series: Ints, stamp_s: Ints) -> None:
        """Record one refused VRAM allocation per entry."""
        if len(series):
            now_s = int(stamp_s.max()) + self.step_s
            self.model.deny(self._workers[series], stamp_s, np.ones(len(series)), now_s=now_s)

    def demand(self, now_s: int) -> Floats:
        """Return each series' mean demand of its policy's evaluation period, ``[series]``."""
        period_s = self._table.replicas.evaluation_s[self.row_of_series]
        return read_demand(self.model, self._workers, period_s, now_s)

    def spread_over_replicas(self, now_s: int) -> Workers:
        """Return as many ready workers as there are replicas, with the demand of all series."""
        replicas = self.workloads.replicas
        demand = self.demand(now_s)
        known = ~np.isnan(demand)
        row = self.row_of_series[known]
        total = np.bincount(row, demand[known], minlength=len(replicas))
        is_measured = np.bincount(row, minlength=len(replicas)) > 0
        running = np.nan_to_num(replicas).astype(np.int64)
        each = np.where(is_measured, total / np.maximum(running, 1), np.nan)
        return Workers(
            workload_row=np.repeat(np.arange(len(replicas)), running),
            demand=np.repeat(each, running),
            is_ready=np.ones(int(running.sum()), np.bool_),
        )

    def decide(
        self,
        now_s: int,
        due: frozenset[Layer] = ALL_LAYERS,
        *,
        workers: Workers | None = None,
    ) -> Decisions:
        """Let time pass up to ``now_s``, observe and decide.

        ``workers`` replaces the series as the workers that replicas are decided on.
        """
        self.model.advance(now_s)
        forecasts = self.model.forecasts
        train_due(forecasts, self._training, now_s)
        if self._named is not None:
            self._named.step(forecasts, now_s)
        forecasts.note_in_force(self.workloads, self._state)
        usage = read_statistics(self.model, self.rows, self._table, self._state, now_s)
        if workers is None:
            demand = (
                self.demand(now_s)
                if Layer.REPLICAS in due
                else np.full(len(self.row_of_series), np.nan)
            )
            workers = Workers(
                workload_row=self.row_of_series, demand=demand, is_ready=self._is_ready
            )
        observation = Observation(
            resources=self.model.resources,
            workloads=self.workloads,
            workers=workers,
            usage=usage,
            forecasts=self.forecasts(now_s),
        )
        decisions, self._state = decide(observation, self._table, self._state, now_s, due)
        return decisions

    def forecasts(self, now_s: int) -> Forecasts | None:
        """Return what is forecast at ``now_s``; None where no policy asks for anything."""
        return self.model.forecasts.read(self.rows, now_s)

    def evidence(self) -> ForecastEvidence:
        """Return how the forecasts stand, and what came of what they promised."""
        return self.model.forecasts.evidence(self.rows)

    def put_in_force(self, **columns: Floats) -> None:
        """Replace amounts in force: ``request``, ``limit`` ``[W, R]``, ``replicas`` ``[W]``."""
        self.workloads = replace(self.workloads, **columns)  # type: ignore[arg-type]
