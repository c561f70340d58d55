"""Events about workloads, told after what they tell of was written.

Most follow from the difference between what stood in a status and what was written there, so that
a new process tells nothing anew.  What happens again is counted in the event that is there.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from autoscaler.api.condition_reasons import ExternalReason, UpdateReason
from autoscaler.api.names import Condition, ScalingEvent
from autoscaler.kube.event import EventType, reference_of
from autoscaler.kube.resource import WORKLOADS

if TYPE_CHECKING:
    from autoscaler.kube.event_recorder import EventRecorder
    from autoscaler.kube.store import Object
    from autoscaler.scaling.live.replicas.replica_guards import Reset
    from autoscaler.scaling.live.replicas.scaling_replicas import Scaling
    from autoscaler.scaling.live.status.statement import Said, Shown, Statement

_OF_CONDITION = {
    Condition.STALE_METRICS: ScalingEvent.STALE_METRICS,
    Condition.REPLICAS_NOT_SCALED: ScalingEvent.REPLICAS_NOT_SCALED,
}
"""Conditions whose appearance is told."""


class Told(NamedTuple):
    """One event."""

    reason: ScalingEvent
    action: str
    note: str
    type: EventType = EventType.NORMAL


class Telling:
    """Records the events of workloads; thread-safe."""

    def __init__(self, events: EventRecorder) -> None:
        self._events = events

    def written(self, workload: Object, before: Statement, after: Statement) -> None:
        """Tell what a written statement has new."""
        for told in differences(before.shown, after.shown):
            self._record(workload, told)

    def scaled(self, workload: Object, scaling: Scaling) -> None:
        """Tell that replicas were set."""
        note = f"{scaling.before} -> {scaling.after}: {scaling.reason}"
        self._record(workload, Told(ScalingEvent.REPLICAS_SCALED, "ScaleReplicas", note))

    def reset(self, workload: Object, reset: Reset) -> None:
        """Tell that somebody else set replicas."""
        note = f"somebody else set {reset.theirs} replicas, where the autoscaler set {reset.ours}"
        told = Told(ScalingEvent.REPLICAS_RESET, "ScaleReplicas", note, EventType.WARNING)
        self._record(workload, told)

    def rolled_back(self, workload: Object, note: str) -> None:
        """Tell that a harmful decrease was taken back."""
        told = Told(ScalingEvent.ROLLED_BACK, "StateResources", note, EventType.WARNING)
        self._record(workload, told)

    def _record(self, workload: Object, told: Told) -> None:
        self._events.record(
            reference_of(WORKLOADS, workload),
            reason=told.reason,
            action=told.action,
            note=told.note,
            type=told.type,
        )


def differences(before: Shown, after: Shown) -> Iterator[Told]:
    """Yield what is to be told of what is shown now and was not before."""
    for kind, reason in _OF_CONDITION.items():
        was, said = before.said.get(kind), after.said.get(kind)
        if said is not None and (was is None or was.reason != said.reason):
            yield Told(reason, "EvaluateWorkload", said.message, EventType.WARNING)
    yield from _of_settings(before, after)
    yield from _of_external_scaler(before, after)
    yield from _of_cron_rules(before, after)


def _of_settings(before: Shown, after: Shown) -> Iterator[Told]:
    was, said = (each.said.get(Condition.RESOURCE_UPDATE) for each in (before, after))
    if said is not None and said.reason == UpdateReason.INVALID_CONFIG and said != was:
        reason = ScalingEvent.INVALID_AUTO_SCALING
        yield Told(reason, "ReadSettings", said.message, EventType.WARNING)


def _of_external_scaler(before: Shown, after: Shown) -> Iterator[Told]:
    was, said = (each.said.get(Condition.EXTERNAL_SCALER) for each in (before, after))
    if said is not None and _has_failed(said) and said != was:
        reason = ScalingEvent.EXTERNAL_SCALER_FAILED
        yield Told(reason, "AskExternalScaler", said.message, EventType.WARNING)


def _has_failed(said: Said) -> bool:
    return said.reason not in {ExternalReason.ANSWERED, ExternalReason.NOT_ASKED_YET}


def _of_cron_rules(before: Shown, after: Shown) -> Iterator[Told]:
    was, now = before.cron_rule.get("name"), after.cron_rule.get("name")
    if was == now:
        return
    if was is not None:
        note = f"the window of cron rule {was} is over"
        yield Told(ScalingEvent.CRON_RULE_INACTIVE, "EvaluateCronRules", note)
    if now is not None:
        note = f"the window of cron rule {now} is open"
        yield Told(ScalingEvent.CRON_RULE_ACTIVE, "EvaluateCronRules", note)
