"""Small fleets for tests of the numeric core: a usage model, an observation, a state.

``Fleet`` is what the loop does, with nothing around it: it hands samples to the usage model,
observes, decides and (where asked to) lets the decision take force.  ``StatedFleet`` has no usage
model: a test states the statistics.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace

import numpy as np

from recommender.decide import ALL_LAYERS, decide
from recommender.decision import Code, Decisions, Layer
from recommender.forecast.gate import Gate
from recommender.observation import Forecasts, Observation, UsageStatistics, Workers, Workloads
from recommender.policy.model import Policy
from recommender.policy.table import policy_table
from recommender.resources import TFLOPS, VRAM, Resource
from recommender.state import DecisionState, empty_state
from recommender.usage.model import UsageModel
from recommender.usage.statistics import read_demand, read_statistics

BEGIN_S = 1_700_000_000 // 86400 * 86400
GIB = 2.0**30


def workloads(rows: int, resources: int, **columns: object) -> Workloads:
    """Workloads without bounds; keyword columns replace the defaults."""
    nothing = np.full((rows, resources), np.nan)
    base = {
        "namespace": tuple("team" for _ in range(rows)),
        "workload": tuple(f"w{i}" for i in range(rows)),
        "gpu_model": tuple("" for _ in range(rows)),
        "uid": np.array([f"uid-{i}" for i in range(rows)]),
        "stated_request": nothing,
        "stated_limit": nothing,
        "request": nothing,
        "limit": nothing,
        "replicas": np.full(rows, np.nan),
        "stated_replicas": np.full(rows, np.nan),
        "gpu_count": np.ones(rows, np.int64),
        "qos": np.ones(rows, np.int8),
        "is_job": np.zeros(rows, np.bool_),
        "card": nothing,
        "largest_placeable": nothing,
        "quota": nothing,
        "replica_quota": np.full(rows, np.nan),
        "is_paused": np.zeros(rows, np.bool_),
        "external_request": nothing,
        "external_limit": nothing,
        "external_replicas": np.full(rows, np.nan),
        "replica_row": np.arange(rows),
    }
    return Workloads(**{**base, **columns})  # type: ignore[arg-type]


def statistics(rows: int, resources: int, now_s: int, **columns: object) -> UsageStatistics:
    """Use that has been known for two days and says nothing; keyword columns replace the defaults.

    Numbers are spread over all workloads; ``[R]`` sequences over the workloads.
    """
    shape = (rows, resources)
    base: dict[str, object] = {
        "points": 2880,
        "expected_points": 2880.0,
        "first_sample_s": now_s - 2 * 86400,
        "last_sample_s": now_s - 15,
        "step_s": 15,
        "saturated_minutes": 0.0,
        "saturated_share_day": 0.0,
        "denials": 0.0,
        "new_denials": 0.0,
        "is_saturated": False,
        "is_opaque": False,
        "startup_s": np.full(rows, np.nan),
    }
    for item in fields(UsageStatistics):
        value = np.asarray(columns.get(item.name, base.get(item.name, np.nan)))
        base[item.name] = (
            value if item.name == "startup_s" else np.broadcast_to(value, shape).copy()
        )
    return UsageStatistics(**base)  # type: ignore[arg-type]


def forecasts(rows: int, resources: int, **columns: object) -> Forecasts:
    """Return forecasts behind open gates, of nothing; keyword columns replace the defaults.

    Numbers are spread over all workloads; ``[R]`` sequences over the workloads.
    """
    spread: dict[str, object] = {}
    for item in fields(Forecasts):
        shape = (rows,) if item.name.startswith("replica_") else (rows, resources)
        default = {"gate": int(Gate.OPEN), "s": 0}.get(item.name.rpartition("_")[2], np.nan)
        value = np.asarray(columns.get(item.name, default))
        dtype = np.float64 if np.isnan(default) else np.int64
        spread[item.name] = np.broadcast_to(value, shape).astype(dtype)
    return Forecasts(**spread)  # type: ignore[arg-type]


class StatedFleet:
    """Workloads whose statistics a test states, decided on with a virtual time."""

    def __init__(
        self,
        *policies: Policy,
        resources: tuple[Resource, ...] = (TFLOPS, VRAM),
        demand: Sequence[Sequence[float]] | None = None,
        is_ready: Sequence[Sequence[bool]] | None = None,
        usage: dict[str, object] | None = None,
        foreseen: dict[str, object] | None = None,
        **columns: object,
    ) -> None:
        """``demand`` and ``is_ready`` list the workers of each workload; default: one each.

        ``foreseen`` are columns of ``Forecasts``; None: there are none.
        """
        rows, self.shape = len(policies), (len(policies), len(resources))
        self.resources = resources
        self.table = policy_table(policies, resources)
        self.now_s = BEGIN_S
        self.usage = dict(usage or {})
        self.foreseen = foreseen
        self.workloads = workloads(rows, len(resources), **self._spread(columns))
        self.demand = [[np.nan]] * rows if demand is None else demand
        self.is_ready = [[True] * len(w) for w in self.demand] if is_ready is None else is_ready
        self.state = empty_state(self.workloads.uid, len(resources))

    def set(self, **columns: object) -> None:
        """Replace columns of the workloads."""
        self.workloads = replace(self.workloads, **self._spread(columns))  # type: ignore[arg-type]

    def observe(self) -> Observation:
        """Return what ``decide`` sees now."""
        workers = Workers(
            workload_row=np.array([i for i, w in enumerate(self.demand) for _ in w], np.int64),
            demand=np.array([demand for w in self.demand for demand in w], np.float64),
            is_ready=np.array([ready for w in self.is_ready for ready in w], np.bool_),
        )
        return Observation(
            resources=self.resources,
            workloads=self.workloads,
            workers=workers,
            usage=statistics(*self.shape, self.now_s, **self.usage),
            forecasts=None if self.foreseen is None else forecasts(*self.shape, **self.foreseen),
        )

    def decide(
        self, due: frozenset[Layer] = ALL_LAYERS, *, applies: bool = False, **usage: object
    ) -> Decisions:
        """Decide on these statistics; the state is kept, and the decision too where it applies."""
        self.usage.update(usage)
        decisions, self.state = decide(self.observe(), self.table, self.state, self.now_s, due)
        self.last_decisions = decisions
        if applies:
            self.set(
                request=decisions.next_request,
                limit=decisions.next_limit,
                replicas=decisions.next_replicas,
            )
        return decisions

    def steps(self, layer: Layer, resource: int = 0, row: int = 0) -> dict[Code, tuple]:
        """Return (before, after) of the last decision's steps by code."""
        steps = self.last_decisions.steps.of(row, layer, resource)
        return {step.code: (step.before, step.after) for step in steps}

    def _spread(self, columns: dict[str, object]) -> dict[str, object]:
        return {
            name: np.broadcast_to(np.asarray(value, np.float64), self.shape).copy()
            if name in _AMOUNTS
            else _SHAPED.get(name, np.asarray)(value)
            for name, value in columns.items()
        }


_AMOUNTS = (
    *("stated_request", "stated_limit", "request", "limit", "card", "largest_placeable", "quota"),
    *("external_request", "external_limit"),
)
_SHAPED = {"namespace": tuple, "workload": tuple, "gpu_model": tuple}


@dataclass
class Fleet:
    """Workloads with some workers each, decided on with a virtual time."""

    policies: Sequence[Policy]
    workers_per_workload: int = 1
    resources: tuple[Resource, ...] = (TFLOPS, VRAM)
    begin_s: int = BEGIN_S
    applies: bool = True
    """Whether what was decided takes force before the next tick."""
    columns: dict[str, object] = field(default_factory=dict)

    def __post_init__(self) -> None:
        rows = len(self.policies)
        self.model = UsageModel(self.resources)
        self.rows = self.model.workload_rows([("team", f"w{i}", "") for i in range(rows)])
        self.worker_row = np.repeat(np.arange(rows), self.workers_per_workload)
        self.workers = self.model.worker_rows(
            self.rows[self.worker_row],
            [f"{i}" for _ in range(rows) for i in range(self.workers_per_workload)],
        )
        self.is_ready = np.ones(len(self.workers), np.bool_)
        self.table = policy_table(self.policies, self.resources)
        self.workloads = workloads(rows, len(self.resources), **self.columns)
        self.state: DecisionState = empty_state(self.workloads.uid, len(self.resources))
        self.now_s = self.begin_s
        self.last_decisions: Decisions | None = None

    def use(
        self, values: Sequence[float] | np.ndarray, *, step_s: int = 15, resource: int = 0
    ) -> None:
        """Give every worker these samples, ``step_s`` apart from now on; time does not pass."""
        values = np.asarray(values, np.float64)
        n = len(values)
        ts = self.now_s + np.arange(n) * step_s
        self.model.ingest(
            resource,
            np.repeat(self.workers, n),
            np.tile(ts, len(self.workers)),
            np.tile(values, len(self.workers)),
            now_s=int(ts[-1]) + step_s,
            step_s=step_s,
            share=np.repeat(self.workloads.limit[self.worker_row, resource], n),
        )

    def pass_time(self, seconds: int) -> None:
        """Let time pass and blocks close."""
        self.now_s += seconds
        self.model.advance(self.now_s)

    def run(
        self, value: float, seconds: int, *, step_s: int = 15, vram: float | None = None
    ) -> None:
        """Constant use for some time, without decisions."""
        steps = max(1, seconds // step_s)
        self.use(np.full(steps, value), step_s=step_s)
        if vram is not None:
            self.use(np.full(steps, vram), step_s=step_s, resource=1)
        self.pass_time(seconds)

    def observe(self) -> Observation:
        """Return what ``decide`` sees now."""
        usage = read_statistics(self.model, self.rows, self.table, self.state, self.now_s)
        period_s = self.table.replicas.evaluation_s[self.worker_row]
        demand = read_demand(self.model, self.workers, period_s, self.now_s)
        workers = Workers(workload_row=self.worker_row, demand=demand, is_ready=self.is_ready)
        return Observation(
            resources=self.resources, workloads=self.workloads, workers=workers, usage=usage
        )

    def tick(self, due: frozenset[Layer] = ALL_LAYERS) -> Decisions:
        """Decide, and let the decision take force where the fleet applies."""
        decisions, self.state = decide(self.observe(), self.table, self.state, self.now_s, due)
        if self.applies:
            self.workloads = replace(
                self.workloads,
                request=decisions.next_request,
                limit=decisions.next_limit,
                replicas=decisions.next_replicas,
            )
        self.last_decisions = decisions
        return decisions

    def set(self, **columns: object) -> None:
        """Replace columns of the workloads, as a user or another controller would."""
        self.workloads = replace(self.workloads, **columns)  # type: ignore[arg-type]

    def codes(self, row: int = 0, layer: Layer = Layer.REQUESTS, resource: int = 0) -> list[Code]:
        """Return the codes of the last decision's steps."""
        assert self.last_decisions is not None
        return [step.code for step in self.last_decisions.steps.of(row, layer, resource)]
