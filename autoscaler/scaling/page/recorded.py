"""From the loop's records to answers: decisions with sentences, changes with their decision."""

from __future__ import annotations

import heapq
import math
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from autoscaler.scaling.page.answers import Decided, DecisionStep, InForce, Tried
from recommender.decision import REPLICAS_COLUMN, Layer
from recommender.report.model import REPLICAS
from recommender.report.rounding import computed_amount, rounded
from recommender.sentences import sentence

if TYPE_CHECKING:
    from autoscaler.scaling.cluster import WorkloadView
    from autoscaler.scaling.collect.series import RowKey
    from autoscaler.scaling.page.live_state import LiveState
    from autoscaler.scaling.records import DecisionRecord, StepRecord
    from recommender.report.blocks import HistoryEntry
    from recommender.resources import Resource

_DIGITS = 6
_SAME_AMOUNT = 1e-3


def decisions_since(
    state: LiveState, keys: Iterable[RowKey], since_s: int, limit: int
) -> tuple[tuple[Decided, ...], bool]:
    """Return the newest decisions of some rows, and whether there are more."""
    found = heapq.nlargest(
        limit + 1,
        (
            (record.time_s, -row, i, key, record)
            for row, key in enumerate(keys)
            for i, record in enumerate(state.records.decisions_of(key))
            if record.time_s >= since_s
        ),
        key=lambda entry: entry[:3],
    )
    decided = tuple(decided_of(key, record, state.resources) for *_, key, record in found[:limit])
    return decided, len(found) > limit


def decided_of(key: RowKey, record: DecisionRecord, resources: Sequence[Resource]) -> Decided:
    """Return one decision with its sentences."""

    def amounts(values: Sequence[float]) -> Mapping[str, float]:
        named = zip(resources, map(computed_amount, values), strict=True)
        return {resource.name: value for resource, value in named if value is not None}

    namespace, workload, gpu_model = key
    return Decided(
        namespace=namespace,
        workload=workload,
        gpu_model=gpu_model or None,
        time_s=record.time_s,
        target_request=amounts(record.target_request),
        next_request=amounts(record.next_request),
        target_limit=amounts(record.target_limit),
        next_limit=amounts(record.next_limit),
        target_replicas=_count(record.target_replicas),
        next_replicas=_count(record.next_replicas),
        steps=tuple(
            _step(step, resources)
            for step in sorted(record.steps, key=lambda step: (step.layer, step.resource))
        ),
    )


def changes_of(
    history: Sequence[HistoryEntry],
    rings: Collection[Sequence[DecisionRecord]],
    resources: Sequence[Resource],
) -> Iterator[Tried]:
    """Yield the tried changes of one workload, newest first, each with its decision's steps.

    ``rings`` are the recorded decisions, oldest first, of each GPU model that it runs on.
    """
    for entry in reversed(history):
        yield Tried(
            time_s=entry.time_s,
            resource=entry.resource,
            layer=entry.layer,
            before=entry.before,
            after=entry.after,
            reason=entry.reason,
            outcome=entry.outcome,
            steps=_steps_to(entry, rings, resources),
        )


def _steps_to(
    entry: HistoryEntry,
    rings: Collection[Sequence[DecisionRecord]],
    resources: Sequence[Resource],
) -> tuple[DecisionStep, ...]:
    """Return the steps of the decision that asked for a change; none where it is forgotten.

    A decision is recorded when it says something new, so that it may be older than the change.
    """
    found = [steps for ring in rings if (steps := _last_steps(entry, ring, resources))]
    exact = [steps for steps in found if _leads_to(steps, entry.after)]
    return next(iter(exact or found), ())


def _last_steps(
    entry: HistoryEntry, ring: Sequence[DecisionRecord], resources: Sequence[Resource]
) -> tuple[DecisionStep, ...]:
    for record in reversed(ring):
        if record.time_s > entry.time_s:
            continue
        steps = tuple(
            step
            for step in (_step(each, resources) for each in record.steps)
            if (step.layer, step.resource) == (entry.layer, entry.resource)
        )
        if steps:
            return steps
    return ()


def _leads_to(steps: Sequence[DecisionStep], after: float | None) -> bool:
    """Return whether some step made the amount; steps are told before amounts are rounded."""
    return after is not None and any(
        step.after is not None and math.isclose(step.after, after, rel_tol=_SAME_AMOUNT)
        for step in steps
    )


def in_force_of(view: WorkloadView, gpu_model: str) -> InForce:
    """Return what a view says of a workload; ``gpu_model`` is that of its row."""
    counted = [worker for worker in view.workers if not worker.is_surplus]
    return InForce(
        gpu_model=gpu_model or None,
        uid=view.uid,
        owner=view.owner or None,
        request=dict(view.request),
        limit=dict(view.limit),
        stated_request=dict(view.stated_request),
        stated_limit=dict(view.stated_limit),
        start_request=dict(view.start_request),
        start_limit=dict(view.start_limit),
        replicas=view.replicas,
        stated_replicas=view.stated_replicas,
        replicas_held=view.replicas_held or None,
        workers=len(counted),
        ready_workers=sum(worker.ready_s is not None for worker in counted),
        is_paused=view.is_paused,
    )


def _step(record: StepRecord, resources: Sequence[Resource]) -> DecisionStep:
    resource = None if record.resource == REPLICAS_COLUMN else resources[record.resource]
    return DecisionStep(
        layer=Layer(record.layer).name.lower(),
        resource=REPLICAS if resource is None else resource.name,
        code=record.step.code.name,
        before=rounded(record.step.before, _DIGITS),
        after=rounded(record.step.after, _DIGITS),
        sentence=sentence(record.step, resource),
    )


def _count(value: float) -> int | None:
    return None if math.isnan(value) else round(value)
