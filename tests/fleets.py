"""Small fleets for tests of the numeric core: a usage model, an observation, a state.

``Fleet`` is what the loop does, with nothing around it: it hands samples to the usage model, observes,
decides and (where asked to) lets the decision take force.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from recommender.decide import ALL_LAYERS, decide
from recommender.decision import Code, Decisions, Layer
from recommender.observation import Observation, Workers, Workloads
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
