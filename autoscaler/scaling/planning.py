"""Planning: from decisions to the changes that a cluster is asked for.

Only enrolled layers that were due, and only amounts that differ from what is in force after
rounding to what the API can carry.  Amounts and replicas of a workload are changes of their own.
Whether a change is still right is ``validating``'s question.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from autoscaler.scaling.cluster import Change, amounts
from autoscaler.scaling.differing import held_scalings, layer_columns, scaled_rows
from autoscaler.scaling.reasons import StepIndex, decisive_steps
from recommender.decision import CODES_BY_NUMBER, REPLICAS_COLUMN, Code, Layer
from recommender.resources import COMPUTE_PERCENT, MIB, TFLOPS, VRAM
from recommender.sentences import sentence

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from autoscaler.scaling.cluster import Amounts, WorkloadView
    from autoscaler.scaling.differing import LayerColumns
    from autoscaler.scaling.observing import Observed
    from recommender.decision import Decisions

REPLICAS = "replicas"
AS_RUNNING = "as running workers have it"
_STEPS_PER_UNIT = {TFLOPS.name: 1e3, COMPUTE_PERCENT.name: 1e3, VRAM.name: 1.0 / MIB}
"""What a quantity resolves: milli-TFLOPS, thousandths of a percent, whole MiB."""
_ROUNDING_SLACK = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """One number of a change, with the reason for it."""

    layer: Layer
    resource: str
    """Name of the resource, or ``replicas``."""
    before: float | None
    """What is replaced: in force, or what workers would start with; None: nothing."""
    after: float
    reason: str
    code: Code | None
    is_at_start: bool = False
    """Only for workers that start from now on."""

    @property
    def is_raise(self) -> bool:
        """Return whether it gives more; a first limit takes away."""
        if self.before is None:
            return self.layer is not Layer.LIMITS
        return self.after > self.before


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedChange:
    """A change of one workload, and its numbers one by one."""

    row: int
    change: Change
    effects: tuple[Effect, ...]

    @property
    def is_of_replicas(self) -> bool:
        """Return whether it sets replicas, and not amounts."""
        return self.change.replicas is not None


def rounded(resource: str, value: float) -> float:
    """Return the amount as the API carries it, rounded up: a margin is never rounded away."""
    steps = _STEPS_PER_UNIT[resource]
    scaled = value * steps
    nearest = round(scaled)
    if abs(scaled - nearest) <= _ROUNDING_SLACK * max(1.0, abs(scaled)):
        return nearest / steps
    return math.ceil(scaled) / steps


def plan_changes(
    views: Sequence[WorkloadView], observed: Observed, decisions: Decisions
) -> list[PlannedChange]:
    """Return the changes in the order in which they are to be applied.

    Urgent ones come first, then raises, then decreases, and amounts before replicas.  ``views`` are
    those that ``observed`` was made of, row by row.  Replicas that are held are not planned.
    """
    planner = _Planner(views, observed, decisions)
    plans = [plan for row in planner.rows() for plan in planner.plan(row)]
    return sorted(plans, key=_priority)


def change_with(change: Change, effects: Sequence[Effect]) -> Change:
    """Return the part of a change that these of its effects make."""

    def kept(values: Amounts, layer: Layer, *, is_at_start: bool) -> Amounts:
        names = {e.resource for e in effects if (e.layer, e.is_at_start) == (layer, is_at_start)}
        return amounts({name: value for name, value in values.items() if name in names})

    return replace(
        change,
        request=kept(change.request, Layer.REQUESTS, is_at_start=False),
        limit=kept(change.limit, Layer.LIMITS, is_at_start=False),
        start_request=kept(change.start_request, Layer.REQUESTS, is_at_start=True),
        start_limit=kept(change.start_limit, Layer.LIMITS, is_at_start=True),
        replicas=change.replicas if any(e.layer is Layer.REPLICAS for e in effects) else None,
        is_urgent=change.is_urgent and any(effect.is_raise for effect in effects),
        reason=_reason(effects),
    )


def _reason(effects: Sequence[Effect]) -> str:
    return "; ".join(dict.fromkeys(effect.reason for effect in effects))


def _priority(plan: PlannedChange) -> tuple[int, bool, int]:
    if plan.change.is_urgent:
        return 0, plan.is_of_replicas, plan.row
    is_raise = any(effect.is_raise for effect in plan.effects)
    return (1 if is_raise else 2), plan.is_of_replicas, plan.row


class _Planner:
    def __init__(
        self,
        views: Sequence[WorkloadView],
        observed: Observed,
        decisions: Decisions,
    ) -> None:
        self._views = views
        self._resources = observed.observation.resources
        self._decisions = decisions
        self._steps = StepIndex(decisions.steps)
        self._replicas = observed.observation.workloads.replicas
        self._layers = layer_columns(views, observed, decisions)
        held = held_scalings(views, observed, decisions)
        self._scales = scaled_rows(observed, decisions) & ~held

    def rows(self) -> list[int]:
        """Return the rows that may need a change, found without a loop."""
        rows = self._scales.copy()
        for layer in self._layers:
            rows |= layer.may_change.any(axis=1)
        return [int(row) for row in np.flatnonzero(rows)]

    def plan(self, row: int) -> Iterator[PlannedChange]:
        amounts_change = self._amounts(row)
        if amounts_change is not None:
            yield amounts_change
        if self._scales[row]:
            yield self._scaling(row)

    def _amounts(self, row: int) -> PlannedChange | None:
        view = self._views[row]
        written: dict[str, dict[str, float]] = {}
        effects: list[Effect] = []
        for layer in self._layers:
            for i in np.flatnonzero(layer.may_change[row]):
                effects += self._amount(row, int(i), view, layer, written)
        if not effects:
            return None
        change = replace(
            self._empty(view),
            request=amounts(written.get("request")),
            limit=amounts(written.get("limit")),
            start_request=amounts(written.get("start_request")),
            start_limit=amounts(written.get("start_limit")),
            is_urgent=bool(self._decisions.is_urgent[row].any()),
            reason=_reason(effects),
        )
        return PlannedChange(row=row, change=change, effects=tuple(effects))

    def _scaling(self, row: int) -> PlannedChange:
        before = float(self._replicas[row])
        replicas = round(float(self._decisions.next_replicas[row]))
        effect = self._effect(row, REPLICAS_COLUMN, Layer.REPLICAS, before, float(replicas))
        change = replace(self._empty(self._views[row]), replicas=replicas, reason=effect.reason)
        return PlannedChange(row=row, change=change, effects=(effect,))

    def _empty(self, view: WorkloadView) -> Change:
        return Change(
            namespace=view.namespace,
            workload=view.workload,
            uid=view.uid,
            gpu_model=view.gpu_model,
        )

    def _amount(
        self,
        row: int,
        i: int,
        view: WorkloadView,
        layer: LayerColumns,
        written: dict[str, dict[str, float]],
    ) -> list[Effect]:
        name = self._resources[i].name
        before = _known(layer.in_force[row, i])
        running, effects = before, []
        if layer.acts[row, i] and np.isfinite(layer.running[row, i]):
            wanted = rounded(name, float(layer.running[row, i]))
            if before is None or wanted != rounded(name, before):
                running = wanted
                written.setdefault(layer.kind, {})[name] = wanted
                effects.append(self._effect(row, i, layer.layer, before, wanted))
        starting = _known(layer.starting[row, i])
        if starting is None:
            return effects
        starting = rounded(name, starting)
        stated = layer.stated_at_start(view).get(name)
        if starting != _rounded(name, running if stated is None else stated):
            written.setdefault(f"start_{layer.kind}", {})[name] = starting
            at_start = before if stated is None else stated
            effects.append(self._effect(row, i, layer.layer, at_start, starting, is_at_start=True))
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
        told = [sentence(step, resource) for step in steps]
        if is_at_start and not told:
            told = [self._why_as_running(row, i, layer)]
        return Effect(
            layer=layer,
            resource=REPLICAS if resource is None else resource.name,
            before=before,
            after=after,
            reason="; ".join(told),
            code=steps[0].code if steps else None,
            is_at_start=is_at_start,
        )

    def _why_as_running(self, row: int, i: int, layer: Layer) -> str:
        """Return the reason for an amount at the start that no step made."""
        decisions = self._decisions
        table = decisions.unknown_request if layer is Layer.REQUESTS else decisions.unknown_limit
        code = CODES_BY_NUMBER.get(int(table[row, i]))
        return AS_RUNNING if code is None else f"{AS_RUNNING}: {code.template}"


def _known(value: float) -> float | None:
    return None if math.isnan(value) else float(value)


def _rounded(resource: str, value: float | None) -> float | None:
    return None if value is None else rounded(resource, value)
