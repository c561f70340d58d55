"""What the ticks of a loop decided and did, counted over all time for metrics."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from threading import Lock
from types import MappingProxyType
from typing import TYPE_CHECKING

from autoscaler.scaling.running.counts.duration_counts import (
    STAGE_BUCKETS_S,
    DurationCounts,
    Durations,
)
from autoscaler.scaling.stage_times import APPLY, STAGES, VALIDATE
from autoscaler.scaling.validating import Rejection
from recommender.decision import Layer
from recommender.policy.model import Mode

if TYPE_CHECKING:
    from autoscaler.scaling.loop import Tick
    from autoscaler.scaling.planning import Effect, PlannedChange

UPKEEP, SHOW, CHECKPOINT = "upkeep", "show", "checkpoint"
CYCLE = (UPKEEP, *STAGES, SHOW, CHECKPOINT)
"""The stages of a tick, and what comes before and after it."""
UNEXPLAINED = "Other"
"""Reason of a change that no step says anything of."""


_Subject = tuple[str, str, str, Layer, str, bool, float]
"""Workload by namespace, name and GPU model; layer, resource, for starting workers, amount."""


class ChangeDirection(StrEnum):
    """Where a change went."""

    UP = "up"
    DOWN = "down"


class DecisionMode(StrEnum):
    """Whether a decision was to be put in force."""

    APPLY = "apply"
    DRY_RUN = "dry_run"


@dataclass(frozen=True, slots=True, kw_only=True)
class TickSnapshot:
    """The counts at one moment; all of them since the process started."""

    ticks: int
    decisions: Mapping[tuple[str, DecisionMode], int]
    """(code of the decisive step, mode) to numbers that were newly to be changed."""
    applied: Mapping[tuple[str, ChangeDirection], int]
    """(layer, direction) to numbers that were changed; every pair."""
    apply_errors: Mapping[str, int]
    """Type of the errors that ended a whole stage before or while changes were applied."""
    refused: int
    """Changes that the cluster did not take, also those that had been stated before."""
    rejected: Mapping[Rejection, int]
    """Every reason."""
    stage_times: Mapping[str, Durations]
    """Every stage."""
    stage_errors: Mapping[tuple[str, str], int]
    """(stage, type of the error)."""
    stage_success_s: Mapping[str, float]
    """Stage to UTC seconds of its last end without an error; those that ended so."""


class TickCounts:
    """Counts ticks; ``add`` and ``stage`` are for the loop's thread, ``snapshot`` for any."""

    def __init__(self, *, now_s: Callable[[], float] = time.time) -> None:
        self._now_s = now_s
        self._lock = Lock()
        self._ticks = 0
        self._decisions: Counter[tuple[str, DecisionMode]] = Counter()
        self._planned: frozenset[_Subject] = frozenset()
        """Numbers that were wanted last: what is wanted again is no new decision."""
        self._applied = dict.fromkeys(
            ((_name(layer), direction) for layer in Layer for direction in ChangeDirection), 0
        )
        self._apply_errors: Counter[str] = Counter()
        self._refused = 0
        self._rejected = dict.fromkeys(Rejection, 0)
        self._stage_times = {stage: DurationCounts(STAGE_BUCKETS_S) for stage in CYCLE}
        self._stage_errors: Counter[tuple[str, str]] = Counter()
        self._stage_success_s: dict[str, float] = {}

    def add(self, tick: Tick, mode: Mode) -> None:
        """Count one tick of a loop that ran in this mode."""
        with self._lock:
            self._ticks += 1
            for stage, took_s in tick.stages_s.items():
                self._stage(stage, took_s, tick.errors.get(stage))
            self._decided(tick, mode)
            self._done(tick)

    def stage(self, stage: str, took_s: float, error: Exception | None = None) -> None:
        """Count what came beside or after a tick."""
        with self._lock:
            self._stage(stage, took_s, error)

    def snapshot(self) -> TickSnapshot:
        """Return the counts of now."""
        with self._lock:
            return TickSnapshot(
                ticks=self._ticks,
                decisions=MappingProxyType(dict(self._decisions)),
                applied=MappingProxyType(dict(self._applied)),
                apply_errors=MappingProxyType(dict(self._apply_errors)),
                refused=self._refused,
                rejected=MappingProxyType(dict(self._rejected)),
                stage_times=MappingProxyType(
                    {stage: times.durations() for stage, times in self._stage_times.items()}
                ),
                stage_errors=MappingProxyType(dict(self._stage_errors)),
                stage_success_s=MappingProxyType(dict(self._stage_success_s)),
            )

    def _stage(self, stage: str, took_s: float, error: Exception | None) -> None:
        self._stage_times[stage].observe(took_s)
        if error is None:
            self._stage_success_s[stage] = self._now_s()
        else:
            self._stage_errors[stage, type(error).__name__] += 1

    def _decided(self, tick: Tick, mode: Mode) -> None:
        as_mode = DecisionMode.APPLY if mode is Mode.APPLY else DecisionMode.DRY_RUN
        wanted = {_subject(plan, effect): effect for plan, effect in _effects(tick.planned)}
        for subject in wanted.keys() - self._planned:
            code = wanted[subject].code
            self._decisions[UNEXPLAINED if code is None else code.name, as_mode] += 1
        self._planned = frozenset(wanted) | _standing(self._planned - wanted.keys(), tick)

    def _done(self, tick: Tick) -> None:
        for stage in (VALIDATE, APPLY):
            if stage in tick.errors:
                self._apply_errors[type(tick.errors[stage]).__name__] += 1
        for item in tick.rejected:
            self._rejected[item.reason] += 1
        if tick.applied is None:
            return
        for plan, outcome in tick.applied.outcomes:
            if not outcome.applied:
                self._refused += 1
                continue
            for effect in plan.effects:
                direction = ChangeDirection.UP if effect.is_raise else ChangeDirection.DOWN
                self._applied[_name(effect.layer), direction] += 1


def _effects(plans: tuple[PlannedChange, ...]) -> Iterator[tuple[PlannedChange, Effect]]:
    for plan in plans:
        for effect in plan.effects:
            yield plan, effect


def _standing(subjects: frozenset[_Subject], tick: Tick) -> frozenset[_Subject]:
    """Return the subjects of which a tick decided nothing, so that they are wanted still."""
    if not subjects or tick.observed is None or tick.decisions is None:
        return subjects
    columns = {item.name: i for i, item in enumerate(tick.observed.observation.resources)}
    rows = {(*view.key, view.gpu_model): row for row, view in enumerate(tick.views)}
    decided = {
        Layer.REQUESTS: tick.decisions.is_decided_request,
        Layer.LIMITS: tick.decisions.is_decided_limit,
    }

    def stands(subject: _Subject) -> bool:
        namespace, workload, gpu_model, layer, resource, _, _ = subject
        row = rows.get((namespace, workload, gpu_model))
        if row is None or layer not in decided:
            return False
        return not decided[layer][row, columns[resource]]

    return frozenset(subject for subject in subjects if stands(subject))


def _subject(plan: PlannedChange, effect: Effect) -> _Subject:
    change = plan.change
    return (
        *(change.namespace, change.workload, change.gpu_model),
        *(effect.layer, effect.resource, effect.is_at_start, effect.after),
    )


def _name(layer: Layer) -> str:
    return layer.name.lower()
