"""The loop: collect, observe, decide, plan, validate, apply, record.

The same code runs live and simulated; only the cluster, the source and the clock behind it differ.
It has no thread and no timer of its own: whoever drives it calls ``tick``.  An error of one stage
is typed and counted and loses nothing: without new samples the old ones are judged, as stale where
they are; without a cluster nothing is decided; a change that was not taken is not remembered.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from autoscaler.errors import AutoscalerError, SourceError, UsageError
from autoscaler.scaling.acting import Actor
from autoscaler.scaling.applying import Applied, history_entries
from autoscaler.scaling.checkpointing import Checkpoint, from_bytes, to_bytes
from autoscaler.scaling.collect.collecting import Collected, CollectionError, Collector
from autoscaler.scaling.observing import FleetState, Observer
from autoscaler.scaling.periods import REQUESTS_LOOK_S, TICK_S
from autoscaler.scaling.planning import plan_changes
from autoscaler.scaling.records import Records
from autoscaler.scaling.retiring import Retirement
from autoscaler.scaling.stage_times import COLLECT, DECIDE, OBSERVE, PLAN, SNAPSHOT, StageTimes
from autoscaler.scaling.validating import Validated, rejection_counts
from recommender.decide import decide
from recommender.decision import Layer
from recommender.policy.model import Mode
from recommender.state import evaluable
from recommender.usage.evidence_of import read_evidence

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from autoscaler.clock import Clock
    from autoscaler.scaling.cluster import Cluster, WorkloadView
    from autoscaler.scaling.collect.collecting import Position
    from autoscaler.scaling.holding import Hold
    from autoscaler.scaling.observing import Observed
    from autoscaler.scaling.planning import PlannedChange
    from autoscaler.scaling.validating import Rejected
    from autoscaler.sources.source import MetricsSource
    from recommender.decision import Decisions
    from recommender.state import DecisionState
    from recommender.usage.evidence import Evidence
    from recommender.usage.model import UsageModel


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopSettings:
    """How the loop runs; times in seconds."""

    mode: Mode = Mode.RECOMMEND
    """The first mode: ``recommend`` changes nothing, ``apply`` changes what is enrolled."""
    period_s: Mapping[Layer, int] = field(
        default_factory=lambda: {
            Layer.REQUESTS: REQUESTS_LOOK_S,
            Layer.LIMITS: TICK_S,
            Layer.REPLICAS: TICK_S,
        }
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
    """All that differs from what is in force, whatever becomes of it."""
    held: tuple[Rejected, ...] = ()
    """What the loop's hold kept back."""
    validated: Validated | None = None
    applied: Applied | None = None
    errors: Mapping[str, AutoscalerError] = field(default_factory=dict)
    """Stage (``collect``, ``snapshot``, ``validate``, ``apply``) to its error."""
    stages_s: Mapping[str, float] = field(default_factory=lambda: MappingProxyType({}))
    """Stage that ran to the seconds that it took."""

    @property
    def rejected(self) -> tuple[Rejected, ...]:
        """Return the planned changes that the cluster was not asked for."""
        return self.held if self.validated is None else (*self.held, *self.validated.rejected)


class Loop:
    """Runs the layers over one fleet.

    Not safe for use by several threads, but for what ``records`` returns.  Whoever drives it sets
    ``mode`` and ``hold`` between ticks.
    """

    def __init__(
        self,
        cluster: Cluster,
        source: MetricsSource,
        clock: Clock,
        model: UsageModel,
        settings: LoopSettings | None = None,
        *,
        monotonic_s: Callable[[], float] = time.perf_counter,
    ) -> None:
        self.settings = settings or LoopSettings()
        self.mode = self.settings.mode
        """``recommend`` or ``apply``."""
        self.hold: Hold | None = None
        """Why only some changes pass now; None: all do."""
        self.records = Records()
        self._cluster = cluster
        self._source = source
        self._clock = clock
        self._monotonic_s = monotonic_s
        self._fleet: FleetState | None = None
        self._is_outdated = False
        """The fleet's state is that of a process that ended: others may have gone on since."""
        self._ticked_s: dict[int, int] = {}
        self._use(model)

    @property
    def model(self) -> UsageModel:
        """Return the usage model."""
        return self._model

    @property
    def fleet(self) -> FleetState | None:
        """Return the decision state; None before the first decision."""
        return self._fleet

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
        times = StageTimes(self._monotonic_s)
        seen, state = self._look(self.due() if due is None else due, times)
        if seen.observed is None or seen.decisions is None or state is None:
            return self._counted(replace(seen, stages_s=times.seconds()))
        self._ticked_s.update(dict.fromkeys(seen.due, seen.now_s))
        actor = Actor(self._cluster, seen.views, seen.observed, seen.decisions, times)
        if self.mode is Mode.APPLY:
            acted = actor.act(seen.planned, state, self.hold, seen.now_s)
        else:
            acted = actor.recommend(seen.planned, state)
        self._fleet = FleetState(seen.observed.fleet.keys, acted.state)
        self._is_outdated = False
        tick = replace(
            seen,
            held=acted.held,
            validated=acted.validated,
            applied=acted.applied,
            errors={**seen.errors, **acted.errors},
            stages_s=times.seconds(),
        )
        self._record(tick)
        return self._counted(tick)

    def preview(self, due: frozenset[Layer] = frozenset(Layer)) -> Tick:
        """Return what a tick would decide now; nothing is changed, remembered or counted."""
        return self._look(due, StageTimes(self._monotonic_s), is_preview=True)[0]

    def swap_usage(self, model: UsageModel, position: Position) -> None:
        """Go on with a usage model that was filled elsewhere, which was read up to ``position``.

        Decision state and records stay.  All layers are due and evaluated with the next tick, for
        what was evaluated without that history may have to wait for long otherwise.
        """
        self._use(model)
        self._collector.resume(position)
        self._ticked_s.clear()
        if self._fleet is not None:
            self._fleet = FleetState(self._fleet.keys, evaluable(self._fleet.state))

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
                history=self.records.histories(),
            )
        )

    def read_checkpoint(self, data: bytes) -> Checkpoint:
        """Return what a checkpoint holds, for a look at it; raises ``CheckpointError``."""
        return from_bytes(data, self._model.resources)

    def go_on_from(self, checkpoint: Checkpoint) -> None:
        """Take over a checkpoint that ``read_checkpoint`` returned."""
        self._use(checkpoint.model)
        self._collector.resume(checkpoint.position)
        self._fleet = checkpoint.fleet
        self._is_outdated = True
        self._ticked_s = dict(checkpoint.ticked_s)
        self.records.restore_history(checkpoint.history)

    def _use(self, model: UsageModel) -> None:
        self._model = model
        self._collector = Collector(self._source, model, step_s=self.settings.step_s)
        self._observer = Observer(model, self._collector.index)
        self._retirement = Retirement(model, self._collector.index)

    def _look(
        self, due: frozenset[Layer], times: StageTimes, *, is_preview: bool = False
    ) -> tuple[Tick, DecisionState | None]:
        """Collect, observe, decide and plan; the new state is None where nothing was decided."""
        now_s = self._clock.now_s()
        errors: dict[str, AutoscalerError] = {}
        with times.of(SNAPSHOT):
            views = self._snapshot(errors)
        with times.of(COLLECT):
            collected = self._collect(now_s, errors)
        seen = Tick(now_s=now_s, due=due, views=views or (), collected=collected, errors=errors)
        if not views:
            return seen, None
        with times.of(OBSERVE):
            observed = self._observer.observe(
                views,
                self._fleet,
                now_s,
                is_outdated=self._is_outdated,
                is_applied=self.mode is Mode.APPLY,
            )
        state = evaluable(observed.fleet.state) if is_preview else observed.fleet.state
        with times.of(DECIDE):
            decisions, state = decide(observed.observation, observed.policies, state, now_s, due)
        with times.of(PLAN):
            planned = tuple(plan_changes(views, observed, decisions))
        return replace(seen, observed=observed, decisions=decisions, planned=planned), state

    def _snapshot(self, errors: dict[str, AutoscalerError]) -> Sequence[WorkloadView] | None:
        try:
            snapshot = self._cluster.snapshot()
        except AutoscalerError as error:
            errors[SNAPSHOT] = error
            return None
        # A stable order keeps rows, and so the state, where they were.
        views = sorted(snapshot, key=lambda view: (*view.key, view.gpu_model))
        self._collector.see(views)
        return views

    def _collect(self, now_s: int, errors: dict[str, AutoscalerError]) -> Collected | None:
        try:
            return self._collector.collect(now_s)
        except CollectionError as error:
            errors[COLLECT] = error
            return error.collected
        except SourceError as error:
            errors[COLLECT] = error
            return None

    def _record(self, tick: Tick) -> None:
        if tick.observed is None or tick.decisions is None:
            return
        keys = tick.observed.fleet.keys
        self.records.add_decisions(keys, tick.decisions, tick.now_s)
        self.records.add_history(history_entries(tick.applied, tick.rejected, tick.now_s))
        if self._retirement.advance(tick.views, tick.observed.usage_rows, tick.now_s):
            used = {key[:2] for key in self._model.workloads.keys if key is not None}
            self.records.keep(keys, used)

    def _counted(self, tick: Tick) -> Tick:
        counts = self.records.counts
        counts["ticks"] += 1
        if tick.collected is not None:
            self.records.add_reads(tick.collected)
        for stage, error in tick.errors.items():
            counts[f"error {stage} {type(error).__name__}"] += 1
        for reason, count in rejection_counts(tick.rejected).items():
            counts[f"rejected {reason.name}"] += count
        if tick.applied is not None:
            for _, outcome in tick.applied.outcomes:
                counts["applied" if outcome.applied else "refused"] += 1
        return tick
