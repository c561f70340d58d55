"""The numbers of the autoscaler's process, from its snapshot."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import accumulate
from typing import TYPE_CHECKING

from autoscaler.telemetry import autoscaler_families as families
from autoscaler.telemetry.family import Distribution, Point
from autoscaler.telemetry.forecast_points import named_points, promise_points, training_points

if TYPE_CHECKING:
    from autoscaler.scaling.running.counts.autoscaler_snapshot import AutoscalerSnapshot
    from autoscaler.scaling.running.counts.duration_counts import Durations
    from autoscaler.scaling.running.counts.job_counts import JobSnapshot
    from autoscaler.scaling.running.counts.tick_counts import TickSnapshot
    from autoscaler.telemetry.family import Family

NO_ERRORS = frozenset({"written", "unchanged"})


def autoscaler_points(autoscaler: AutoscalerSnapshot) -> Iterator[Point | Distribution]:
    """Return the numbers of an autoscaler."""
    yield from _ticked(autoscaler.ticks)
    yield from _jobs(autoscaler.jobs)
    for outcome, number in autoscaler.writes.items():
        yield Point(family=families.STATUS_WRITES, value=number, labels=(str(outcome),))
        if outcome not in NO_ERRORS:
            yield Point(family=families.APPLY_ERRORS, value=number, labels=(str(outcome),))
    yield Point(family=families.WRITE_BACKLOG, value=autoscaler.write_backlog)
    for part, problems in autoscaler.gate.items():
        yield Point(family=families.GATE_OPEN, value=not problems, labels=(str(part),))
    for reason, number in autoscaler.questions.items():
        yield Point(family=families.QUESTIONS, value=number, labels=(str(reason),))
    progress_ratio = autoscaler.warming_progress_ratio
    yield Point(family=families.WARMING, value=progress_ratio is not None)
    if progress_ratio is not None:
        yield Point(family=families.WARMING_PROGRESS, value=progress_ratio)
    yield from promise_points(autoscaler.promises)
    yield from training_points(autoscaler.upkeep.training)
    yield from named_points(autoscaler.upkeep.named)


def _ticked(ticks: TickSnapshot) -> Iterator[Point | Distribution]:
    yield Point(family=families.TICKS, value=ticks.ticks)
    for (reason, mode), number in ticks.decisions.items():
        yield Point(family=families.DECISIONS, value=number, labels=(reason, str(mode)))
    for (layer, direction), number in ticks.applied.items():
        yield Point(family=families.APPLIED, value=number, labels=(layer, str(direction)))
    for kind, number in ticks.apply_errors.items():
        yield Point(family=families.APPLY_ERRORS, value=number, labels=(kind,))
    yield Point(family=families.REFUSED, value=ticks.refused)
    for rejection, number in ticks.rejected.items():
        yield Point(family=families.REJECTED, value=number, labels=(rejection.name.lower(),))
    for stage, times in ticks.stage_times.items():
        yield _distribution(families.CYCLE_DURATION, times, stage)
    for labels, number in ticks.stage_errors.items():
        yield Point(family=families.CYCLE_ERRORS, value=number, labels=labels)
    for stage, success_s in ticks.stage_success_s.items():
        yield Point(family=families.CYCLE_LAST_SUCCESS, value=success_s, labels=(stage,))


def _jobs(jobs: Mapping[str, JobSnapshot]) -> Iterator[Point | Distribution]:
    for name, job in jobs.items():
        for outcome, number in job.runs.items():
            yield Point(family=families.JOB_RUNS, value=number, labels=(name, str(outcome)))
        yield _distribution(families.JOB_DURATION, job.durations, name)
        if job.last_done_s is not None:
            yield Point(family=families.JOB_LAST_SUCCESS, value=job.last_done_s, labels=(name,))
        yield Point(family=families.JOB_FAILING, value=job.is_failing, labels=(name,))


def _distribution(family: Family, times: Durations, label: str) -> Distribution:
    ends = [*map(str, times.ends_s), "+Inf"]
    return Distribution(
        family=family,
        buckets=tuple(zip(ends, accumulate(times.buckets), strict=True)),
        total=times.sum_s,
        labels=(label,),
    )
