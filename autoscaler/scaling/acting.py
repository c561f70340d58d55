"""Acting on a decision: hold back, guard, validate, apply, and undo what did not come about.

What a decision meant to change and nobody changed must leave no trace in the decision state, else
it would count against budgets, and be watched for nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from autoscaler.errors import AutoscalerError
from autoscaler.scaling.applying import Applied, apply_changes, without_unapplied
from autoscaler.scaling.differing import held_scalings
from autoscaler.scaling.guarding import guarded
from autoscaler.scaling.holding import held_back
from autoscaler.scaling.stage_times import APPLY, VALIDATE
from autoscaler.scaling.validating import Validated, validate

if TYPE_CHECKING:
    from collections.abc import Sequence

    from autoscaler.scaling.cluster import Cluster, WorkloadView
    from autoscaler.scaling.holding import Hold
    from autoscaler.scaling.observing import Observed
    from autoscaler.scaling.planning import PlannedChange
    from autoscaler.scaling.stage_times import StageTimes
    from autoscaler.scaling.validating import Rejected
    from recommender.decision import Decisions
    from recommender.state import DecisionState


@dataclass(frozen=True, slots=True, kw_only=True)
class Acted:
    """What became of the planned changes of one tick."""

    held: tuple[Rejected, ...] = ()
    validated: Validated | None = None
    applied: Applied | None = None
    errors: dict[str, AutoscalerError]
    state: DecisionState
    """What is to be remembered."""


class Actor:
    """Acts on one cluster for one tick."""

    def __init__(
        self,
        cluster: Cluster,
        views: Sequence[WorkloadView],
        observed: Observed,
        decisions: Decisions,
        times: StageTimes,
    ) -> None:
        self._cluster = cluster
        self._views = views
        self._observed = observed
        self._held_replicas = held_scalings(views, observed, decisions)
        self._times = times

    def act(
        self,
        plans: tuple[PlannedChange, ...],
        decided: DecisionState,
        hold: Hold | None,
        now_s: int,
    ) -> Acted:
        """Have the changes made that a hold lets pass; ``decided`` is the state after all."""
        passing, held = (plans, ()) if hold is None else held_back(plans, hold)
        state = self._without(decided, [item.plan for item in held], others=passing)
        resources = self._observed.observation.resources
        passing = guarded(passing, self._views, state, resources, now_s)
        errors: dict[str, AutoscalerError] = {}
        validated, applied = self._apply(passing, errors)
        done = () if applied is None else tuple(applied.done())
        made = {id(plan) for plan in done}
        undone = [plan for plan in passing if id(plan) not in made]
        return Acted(
            held=held,
            validated=validated,
            applied=applied,
            errors=errors,
            state=self._without(state, undone, others=done),
        )

    def recommend(self, plans: tuple[PlannedChange, ...], decided: DecisionState) -> Acted:
        """Change nothing."""
        return Acted(errors={}, state=self._without(decided, plans, others=()))

    def _without(
        self,
        decided: DecisionState,
        unapplied: Sequence[PlannedChange],
        *,
        others: Sequence[PlannedChange],
    ) -> DecisionState:
        return without_unapplied(
            self._observed.fleet.state,
            decided,
            unapplied,
            self._observed.observation.resources,
            others=others,
            held_replicas=self._held_replicas,
        )

    def _apply(
        self, plans: tuple[PlannedChange, ...], errors: dict[str, AutoscalerError]
    ) -> tuple[Validated | None, Applied | None]:
        if not plans:
            return None, None
        try:
            with self._times.of(VALIDATE):
                keys = list(dict.fromkeys(self._views[plan.row].key for plan in plans))
                validated = validate(plans, self._views, self._cluster.reread(keys))
        except AutoscalerError as error:
            errors[VALIDATE] = error
            return None, None
        try:
            with self._times.of(APPLY):
                applied = apply_changes(self._cluster, validated.accepted)
        except AutoscalerError as error:
            errors[APPLY] = error
            return validated, None
        return validated, applied
