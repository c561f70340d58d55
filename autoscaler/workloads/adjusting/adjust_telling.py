"""Events of what decisions came to: on the workload, each kind once for each decision."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from autoscaler.api.names import EventReason
from autoscaler.kube.event import EventType, reference_of
from autoscaler.kube.resource import WORKLOADS
from autoscaler.kube.store import Key, Object, key_of
from autoscaler.workloads.adjusting.adjust_report import WorkerOutcome, capped_note, change_note

if TYPE_CHECKING:
    from autoscaler.workloads.adjusting.decisions import Decision
    from autoscaler.workloads.tools import Tools

ACTION = "AdjustWorkers"


class AdjustTelling:
    """Tells of workloads; thread-safe, one thread for one workload at a time."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._told: dict[Key, tuple[Decision, set[EventReason]]] = {}

    def tell(self, workload: Object, decision: Decision, outcomes: Sequence[WorkerOutcome]) -> None:
        """Tell what a look at the workers of a workload came to, where it was not told yet.

        Workers that wait for their GPUs are not told of: they start with it.
        """
        placed = [each for each in outcomes if each.gpus]
        raised = [each for each in placed if each.changes and each.has_raise]
        lowered = [each for each in placed if each.has_decrease and not each.has_raise]
        capped = [each for each in placed if each.capped]
        if raised:
            self._record(workload, decision, EventReason.RESOURCE_SCALED_UP, change_note(raised))
        if lowered:
            self._record(workload, decision, EventReason.RESOURCE_SCALED_DOWN, change_note(lowered))
        if capped:
            self._record(workload, decision, EventReason.RESOURCE_CAPPED, capped_note(capped))

    def forget(self, workload: Key) -> None:
        """Forget a workload that is gone."""
        self._told.pop(workload, None)

    def _record(self, workload: Object, decision: Decision, reason: EventReason, note: str) -> None:
        before, told = self._told.get(key_of(workload), (None, set[EventReason]()))
        if before != decision:
            told = set()
            self._told[key_of(workload)] = (decision, told)
        if reason in told:
            return
        told.add(reason)
        is_warning = reason is EventReason.RESOURCE_CAPPED
        self._tools.events.record(
            reference_of(WORKLOADS, workload),
            reason=reason,
            action=ACTION,
            note=note,
            type=EventType.WARNING if is_warning else EventType.NORMAL,
        )
