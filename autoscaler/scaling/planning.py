"""Planning: from decisions to the changes that a cluster is asked for.

Only enrolled layers that were due, and only amounts that differ from what is in force after
rounding to what the API can carry.  Whether a change is still right is ``validating``'s question.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from autoscaler.scaling.cluster import Change, amounts
from autoscaler.scaling.reasons import StepIndex, decisive_steps
from recommender.decision import REPLICAS_COLUMN, Code, Layer
from recommender.resources import COMPUTE_PERCENT, MIB, TFLOPS, VRAM
from recommender.sentences import sentence

if TYPE_CHECKING:
    from collections.abc import Sequence

    from autoscaler.scaling.cluster import WorkloadView
    from autoscaler.scaling.observing import Observed
    from recommender.decision import Decisions
    from recommender.observation import Bools, Floats
    from recommender.resources import Resource

REPLICAS = "replicas"
_STEPS_PER_UNIT = {TFLOPS.name: 1e3, COMPUTE_PERCENT.name: 1e3, VRAM.name: 1.0 / MIB}
"""What a quantity resolves: milli-TFLOPS, thousandths of a percent, whole MiB."""
_ROUNDING_SLACK = 1e-6

StartKey = tuple[str, str, str]
"""(uid, ``request`` or ``limit``, resource)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """One number of a change, with the reason for it."""

    layer: Layer
    resource: str
    """Name of the resource, or ``replicas``."""
    before: float | None
    after: float
    reason: str
    code: Code | None
    is_at_start: bool = False
    """Only for workers that start from now on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedChange:
    """A change of one workload, and its numbers one by one."""

    row: int
    change: Change
    effects: tuple[Effect, ...]


@dataclass(slots=True)
class StartAmounts:
    """What was last stated for starting workers, so that it is stated once."""

    stated: dict[StartKey, float] = field(default_factory=dict)

    def needs(self, key: StartKey, value: float, running: float) -> bool:
        """Return whether ``value`` must be stated, given what running workers have."""
        return self.stated.get(key, running) != value

    def note(self, change: Change) -> None:
        """Remember what an applied change stated."""
        for kind, values in (("request", change.start_request), ("limit", change.start_limit)):
            for resource, value in values.items():
                self.stated[change.uid, kind, resource] = value

    def keep(self, uids: set[str]) -> None:
        """Forget workloads that are gone."""
        self.stated = {key: value for key, value in self.stated.items() if key[0] in uids}


def rounded(resource: str, value: float) -> float:
    """Return the amount as the API carries it, rounded up: a margin is never rounded away."""
    steps = _STEPS_PER_UNIT[resource]
    scaled = value * steps
    nearest = round(scaled)
    if abs(scaled - nearest) <= _ROUNDING_SLACK * max(1.0, abs(scaled)):
        return nearest / steps
    return math.ceil(scaled) / steps


def plan_changes(
    views: Sequence[WorkloadView],
    observed: Observed,
    decisions: Decisions,
    start: StartAmounts,
    now_s: int,
) -> list[PlannedChange]:
    """Return the changes in the order in which they are to be applied: urgent ones first.

    ``views`` are those that ``observed`` was made of, row by row.
    """
    planner = _Planner(views, observed, decisions, start, now_s)
    plans = [plan for row in planner.rows() if (plan := planner.plan(row)) is not None]
    return sorted(plans, key=_priority)


def _priority(plan: PlannedChange) -> tuple[int, int]:
    if plan.change.is_urgent:
        return 0, plan.row
    is_raise = any(e.before is None or e.after > e.before for e in plan.effects)
    return (1 if is_raise else 2), plan.row


class _Planner:
    def __init__(
        self,
        views: Sequence[WorkloadView],
        observed: Observed,
        decisions: Decisions,
        start: StartAmounts,
        now_s: int,
    ) -> None:
        self._views = views
        self._resources = observed.observation.resources
        self._decisions = decisions
        self._start = start
        self._now_s = now_s
        self._steps = StepIndex(decisions.steps)
        self._replicas = observed.observation.workloads.replicas
        self._layers = _layers(views, observed, decisions, start)
        self._scales = _scaled_rows(observed, decisions)

    def rows(self) -> list[int]:
        """Return the rows that may need a change, found without a loop."""
        rows = self._scales.copy()
        for layer in self._layers:
            rows |= layer.may_change.any(axis=1)
        return [int(row) for row in np.flatnonzero(rows)]

    def plan(self, row: int) -> PlannedChange | None:
        view = self._views[row]
        written: dict[str, dict[str, float]] = {}
        effects: list[Effect] = []
        for layer in self._layers:
            for i in np.flatnonzero(layer.may_change[row]):
                effects += self._amount(row, int(i), view, layer, written)
        replicas = None
        if self._scales[row]:
            replicas = round(float(self._decisions.next_replicas[row]))
            before = float(self._replicas[row])
            effects.append(
                self._effect(row, REPLICAS_COLUMN, Layer.REPLICAS, before, float(replicas))
            )
        if not effects:
            return None
        change = Change(
            namespace=view.namespace,
            workload=view.workload,
            uid=view.uid,
            decided_s=self._now_s,
            request=amounts(written.get("request")),
            limit=amounts(written.get("limit")),
            start_request=amounts(written.get("start_request")),
            start_limit=amounts(written.get("start_limit")),
            replicas=replicas,
            is_urgent=bool(self._decisions.is_urgent[row].any()),
            reason="; ".join(dict.fromkeys(effect.reason for effect in effects)),
        )
        return PlannedChange(row=row, change=change, effects=tuple(effects))

    def _amount(
        self,
        row: int,
        i: int,
        view: WorkloadView,
        layer: _LayerColumns,
        written: dict[str, dict[str, float]],
    ) -> list[Effect]:
        name = self._resources[i].name
        in_force = float(layer.in_force[row, i])
        before = None if math.isnan(in_force) else in_force
        running = in_force
        effects = []
        if layer.acts[row, i] and np.isfinite(layer.running[row, i]):
            wanted = rounded(name, float(layer.running[row, i]))
            if before is None or wanted != rounded(name, before):
                running = wanted
                written.setdefault(layer.kind, {})[name] = running
                effects.append(self._effect(row, i, layer.layer, before, running))
        starting = float(layer.starting[row, i])
        if math.isnan(starting):
            return effects
        starting = rounded(name, starting)
        if self._start.needs((view.uid, layer.kind, name), starting, running):
            written.setdefault(f"start_{layer.kind}", {})[name] = starting
            effects.append(self._effect(row, i, layer.layer, before, starting, is_at_start=True))
        return effects

    def _effect(
        self,
        row: int,
        i: int,
        layer: Layer,
        before: float | None,
        after: float,
        *,
        is_at_start: bool = False,
    ) -> Effect:
        resource = None if i == REPLICAS_COLUMN else self._resources[i]
        steps = decisive_steps(self._steps.of(row, layer, i), after)
        return Effect(
            layer=layer,
            resource=REPLICAS if resource is None else resource.name,
            before=before,
            after=after,
            reason="; ".join(sentence(step, resource) for step in steps),
            code=steps[0].code if steps else None,
            is_at_start=is_at_start,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _LayerColumns:
    """One layer that sets amounts, ``[W, R]``."""

    layer: Layer
    kind: str
    in_force: Floats
    running: Floats
    starting: Floats
    acts: Bools
    may_change: Bools


def _layers(
    views: Sequence[WorkloadView], observed: Observed, decisions: Decisions, start: StartAmounts
) -> list[_LayerColumns]:
    workloads, policies = observed.observation.workloads, observed.policies
    is_written = _is_written(
        observed.observation.resources,
        (workloads.request, workloads.limit, decisions.next_request, decisions.next_limit),
    )
    stated = {uid for uid, _, _ in start.stated}
    has_stated = np.array([view.uid in stated for view in views], bool)[:, None]
    layers = []
    for layer, kind, rules, in_force, running, starting in (
        (Layer.REQUESTS, "request", policies.requests, workloads.request,
         decisions.next_request, decisions.start_request),
        (Layer.LIMITS, "limit", policies.limits, workloads.limit,
         decisions.next_limit, decisions.start_limit),
    ):  # fmt: skip
        if layer not in decisions.due:
            continue
        acts = rules.acts & is_written
        runs = acts & np.isfinite(running) & (running != in_force)
        starts = np.isfinite(starting) & ((starting != in_force) | has_stated)
        starts &= acts | (rules.is_initial & is_written)
        layers.append(
            _LayerColumns(
                layer=layer,
                kind=kind,
                in_force=in_force,
                running=running,
                starting=starting,
                acts=acts,
                may_change=runs | starts,
            )
        )
    return layers


def _scaled_rows(observed: Observed, decisions: Decisions) -> Bools:
    workloads = observed.observation.workloads
    wanted = decisions.next_replicas
    if Layer.REPLICAS not in decisions.due:
        return np.zeros(len(wanted), bool)
    is_own_row = workloads.replica_row == np.arange(len(wanted))
    differs = np.isfinite(wanted) & (wanted != workloads.replicas)
    scaled: Bools = observed.policies.replicas.acts & is_own_row & differs
    return scaled


def _is_written(resources: Sequence[Resource], tables: Sequence[Floats]) -> Bools:
    """Return which amounts the API can carry: known resources, percent only without TFLOPS."""
    names = [resource.name for resource in resources]
    rows = len(tables[0])
    is_written = np.tile([resource.is_known for resource in resources], (rows, 1))
    if TFLOPS.name in names and COMPUTE_PERCENT.name in names:
        tflops = names.index(TFLOPS.name)
        has_tflops = np.any([np.isfinite(table[:, tflops]) for table in tables], axis=0)
        is_written[:, names.index(COMPUTE_PERCENT.name)] &= ~has_tflops
    return is_written
