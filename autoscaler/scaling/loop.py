"""The loop: collect, observe, decide, validate, apply, record.

The same code runs live and simulated; only the cluster, the source and the clock behind it differ.
It has no thread and no timer of its own: whoever drives it calls ``tick``.  An error of one stage
is typed and counted and loses nothing: without new samples the old ones are judged, as stale where
they are; without a cluster nothing is decided; a change that was not taken is not remembered.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from autoscaler.errors import AutoscalerError, SourceError, UsageError
from autoscaler.scaling.applying import (
    Applied,
    apply_changes,
    history_entries,
    without_unapplied,
)
from autoscaler.scaling.checkpointing import Checkpoint, from_bytes, to_bytes
from autoscaler.scaling.collect.collecting import Collected, CollectionError, Collector
from autoscaler.scaling.observing import FleetState, Observer
from autoscaler.scaling.planning import StartAmounts, plan_changes
from autoscaler.scaling.records import Records
from autoscaler.scaling.retiring import Retirement
from autoscaler.scaling.validating import Validated, rejection_counts, validate
from recommender.decide import decide
from recommender.decision import Layer
from recommender.policy.model import Mode
from recommender.state import evaluable
from recommender.usage.evidence_of import read_evidence

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from autoscaler.clock import Clock
    from autoscaler.scaling.cluster import Cluster, WorkloadView
    from autoscaler.scaling.observing import Observed
    from autoscaler.scaling.planning import PlannedChange
    from autoscaler.sources.source import MetricsSource
    from recommender.decision import Decisions
    from recommender.state import DecisionState
    from recommender.usage.evidence import Evidence
    from recommender.usage.model import UsageModel


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopSettings:
    """How the loop runs; times in seconds."""

    mode: Mode = Mode.RECOMMEND
    """``recommend`` changes nothing, ``apply`` changes what is enrolled."""
    period_s: Mapping[Layer, int] = field(
        default_factory=lambda: {Layer.REQUESTS: 600, Layer.LIMITS: 15, Layer.REPLICAS: 15}
    )
    step_s: int = 15
    """Resolution in which the source is read."""

    def __post_init__(self) -> None:
        if self.mode is Mode.INITIAL:
            raise UsageError("mode 'initial' is for workloads; allowed here: recommend, apply")


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """What one tick saw, decided and did; None where a stage could not run."""

    now_s: int
    due: frozenset[Layer]
    views: Sequence[WorkloadView] = ()
    collected: Collected | None = None
    observed: Observed | None = None
    decisions: Decisions | None = None
    planned: tuple[PlannedChange, ...] = ()
    validated: Validated | None = None
    applied: Applied | None = None
    errors: Mapping[str, AutoscalerError] = field(default_factory=dict)
    """Stage (``collect``, ``snapshot``, ``validate``, ``apply``) to its error."""


class Loop:
    """Runs the layers over one fleet.  Not safe for use by several threads."""

    def __init__(
        self,
        cluster: Cluster,
        source: MetricsSource,
        clock: Clock,
        model: UsageModel,
        settings: LoopSettings | None = None,
    ) -> None:
        self.settings = settings or LoopSettings()
        self.records = Records()
        self._cluster = cluster
        self._source = source
        self._clock = clock
        self._fleet: FleetState | None = None
        self._ticked_s: dict[int, int] = {}
        self._start = StartAmounts()
        self._use(model)

    @property
    def model(self) -> UsageModel:
        """Return the usage model."""
        return self._model

    @property
    def fleet(self) -> FleetState | None:
        """Return the decision state; None before the first decision."""
        return self._fleet

    def bootstrap(self, start_s: int) -> Collected:
        """Read the history since ``start_s``; errors as those of ``Collector.bootstrap``."""
        self._collector.want(start_s)
        self._collector.see(self._cluster.snapshot())
        return self._collector.bootstrap(start_s, self._clock.now_s())

    def catch_up(self, since_s: int) -> tuple[Collected | None, Mapping[str, AutoscalerError]]:
        """Read what is missing of the history since ``since_s``, or since a checkpoint ended.

        Returns what was read, and the errors by stage; what they left out is read by the ticks.
        """
        errors: dict[str, AutoscalerError] = {}
        self._collector.want(since_s)
        views = self._snapshot(errors)
        collected = self._collect(self._clock.now_s(), views, errors)
        if collected is not None:
            self.records.add_reads(collected)
        return collected, errors

    def due(self) -> frozenset[Layer]:
        """Return the layers whose period has passed since their last tick."""
        now_s = self._clock.now_s()
        return frozenset(
            layer
            for layer, period_s in self.settings.period_s.items()
            if layer not in self._ticked_s or now_s - self._ticked_s[layer] >= period_s
        )

    def tick(self, due: frozenset[Layer] | None = None) -> Tick:
        """Run once; ``due`` overrides which layers tick."""
        seen, state = self._look(self.due() if due is None else due)
        if seen.observed is None or state is None:
            return self._counted(seen)
        self._ticked_s.update(dict.fromkeys(seen.due, seen.now_s))
        errors = dict(seen.errors)
        validated, applied = self._act(seen.planned, seen.views, errors)
        before = seen.observed.fleet
        undone = _unapplied(seen.planned, applied)
        self._fleet = FleetState(
            before.keys, without_unapplied(before.state, state, undone, self._model.resources)
        )
        tick = replace(seen, validated=validated, applied=applied, errors=errors)
        self._record(tick)
        return self._counted(tick)

    def preview(self, due: frozenset[Layer] = frozenset(Layer)) -> Tick:
        """Return what a tick would decide now; nothing is changed, remembered or counted."""
        return self._look(due, is_preview=True)[0]

    def evidence(self) -> Evidence | None:
        """Return the evidence of the last decided fleet; None before the first decision."""
        if self._fleet is None:
            return None
        rows = self._model.workload_rows(self._fleet.keys)
        return read_evidence(self._model, rows, self._clock.now_s())

    def checkpoint(self) -> bytes:
        """Return everything that is needed to go on after a restart."""
        return to_bytes(
            Checkpoint(
                model=self._model,
                fleet=self._fleet,
                position=self._collector.position(),
                ticked_s=self._ticked_s,
                stated_at_start=self._start.stated,
                history={key: tuple(ring) for key, ring in self.records.history.items()},
            )
        )

    def restore(self, data: bytes) -> None:
        """Go on from a checkpoint; raises ``CheckpointError`` and then leaves the loop as it is."""
        self.go_on_from(self.read_checkpoint(data))

    def read_checkpoint(self, data: bytes) -> Checkpoint:
        """Return what a checkpoint holds, for a look at it; raises ``CheckpointError``."""
        return from_bytes(data, self._model.resources)

    def go_on_from(self, checkpoint: Checkpoint) -> None:
        """Take over a checkpoint that ``read_checkpoint`` returned."""
        self._use(checkpoint.model)
        self._collector.resume(checkpoint.position)
        self._fleet = checkpoint.fleet
        self._ticked_s = dict(checkpoint.ticked_s)
        self._start = StartAmounts(dict(checkpoint.stated_at_start))
        self.records.restore_history(checkpoint.history)

    def _use(self, model: UsageModel) -> None:
        self._model = model
        self._collector = Collector(self._source, model, step_s=self.settings.step_s)
        self._observer = Observer(model, self._collector.index)
        self._retirement = Retirement(model, self._collector.index)

    def _look(
        self, due: frozenset[Layer], *, is_preview: bool = False
    ) -> tuple[Tick, DecisionState | None]:
        """Collect, observe, decide and plan; the new state is None where nothing was decided."""
        now_s = self._clock.now_s()
        errors: dict[str, AutoscalerError] = {}
        views = self._snapshot(errors)
        collected = self._collect(now_s, views, errors)
        seen = Tick(now_s=now_s, due=due, views=views or (), collected=collected, errors=errors)
        if not views:
            return seen, None
        observed = self._observer.observe(views, self._fleet, now_s)
        state = evaluable(observed.fleet.state) if is_preview else observed.fleet.state
        decisions, state = decide(observed.observation, observed.policies, state, now_s, due)
        planned = tuple(plan_changes(views, observed, decisions, self._start, now_s))
        return replace(seen, observed=observed, decisions=decisions, planned=planned), state

    def _snapshot(self, errors: dict[str, AutoscalerError]) -> Sequence[WorkloadView] | None:
        try:
            snapshot = self._cluster.snapshot()
        except AutoscalerError as error:
            errors["snapshot"] = error
            return None
        # A stable order keeps rows, and so the state, where they were.
        views = sorted(snapshot, key=lambda view: (*view.key, view.gpu_model))
        self._collector.see(views)
        return views

    def _collect(
        self,
        now_s: int,
        views: Sequence[WorkloadView] | None,
        errors: dict[str, AutoscalerError],
    ) -> Collected | None:
        if views is None and self._collector.is_waiting:
            # how a history decays is said by the policies of the fleet
            return None
        try:
            return self._collector.collect(now_s)
        except CollectionError as error:
            errors["collect"] = error
            return error.collected
        except SourceError as error:
            errors["collect"] = error
            return None

    def _act(
        self,
        plans: tuple[PlannedChange, ...],
        views: Sequence[WorkloadView],
        errors: dict[str, AutoscalerError],
    ) -> tuple[Validated | None, Applied | None]:
        """Validate and apply; nothing where the loop only recommends."""
        if self.settings.mode is not Mode.APPLY or not plans:
            return None, None
        try:
            keys = list(dict.fromkeys(views[plan.row].key for plan in plans))
            validated = validate(plans, views, self._cluster.reread(keys))
        except AutoscalerError as error:
            errors["validate"] = error
            return None, None
        try:
            applied = apply_changes(self._cluster, validated.accepted)
        except AutoscalerError as error:
            errors["apply"] = error
            return validated, None
        return validated, applied

    def _record(self, tick: Tick) -> None:
        if tick.observed is None or tick.decisions is None:
            return
        keys = tick.observed.fleet.keys
        self.records.add_decisions(keys, tick.decisions, tick.now_s)
        if tick.applied is not None:
            rejected = tick.validated.rejected if tick.validated is not None else ()
            self.records.add_history(history_entries(tick.applied, rejected, tick.now_s))
            for plan, outcome in tick.applied.outcomes:
                if outcome.applied:
                    self._start.note(plan.change)
        if self._retirement.advance(tick.views, tick.observed.usage_rows, tick.now_s):
            used = {key[:2] for key in self._model.workloads.keys if key is not None}
            self.records.keep(keys, used)
            self._start.keep({view.uid for view in tick.views})

    def _counted(self, tick: Tick) -> Tick:
        counts = self.records.counts
        counts["ticks"] += 1
        if tick.collected is not None:
            self.records.add_reads(tick.collected)
        for stage, error in tick.errors.items():
            counts[f"error {stage} {type(error).__name__}"] += 1
        if tick.validated is not None:
            for reason, count in rejection_counts(tick.validated.rejected).items():
                counts[f"rejected {reason.name}"] += count
        if tick.applied is not None:
            for _, outcome in tick.applied.outcomes:
                counts["applied" if outcome.applied else "refused"] += 1
        return tick


def _unapplied(plans: Sequence[PlannedChange], applied: Applied | None) -> list[PlannedChange]:
    """Return the plans that did not come into force, for whatever reason."""
    done = set()
    if applied is not None:
        done = {id(plan) for plan, outcome in applied.outcomes if outcome.applied}
    return [plan for plan in plans if id(plan) not in done]
