"""Recorded workloads as a cluster: what is in force comes from files, and nothing can be changed.

Reading of the files is in ``sources``; the meaning of every value is ``recommender.policy``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from autoscaler.errors import UsageError
from autoscaler.scaling.cards import GpuModels
from autoscaler.scaling.cluster import Change, Outcome, WorkloadView
from autoscaler.scaling.fleet.fleet_notes import above_card_notes, missing_notes, unit_notes
from autoscaler.scaling.fleet.recorded_view import view_of
from autoscaler.scaling.fleet.stated import price_source, statements_of, without_usage
from autoscaler.sources.recorded_usage import Key, RecordedUsage
from autoscaler.sources.source import Metric
from autoscaler.sources.workloads_file import WorkloadRow
from recommender.gpu_models import GpuModel


class RecordedCluster:
    """A ``Cluster`` that stands still."""

    def __init__(self, views: Sequence[WorkloadView]) -> None:
        self._views = tuple(views)

    def snapshot(self) -> Sequence[WorkloadView]:
        """Return all workloads, ordered by name."""
        return self._views

    def reread(self, keys: Sequence[tuple[str, str]]) -> Sequence[WorkloadView]:
        """Return some workloads; they are as they were."""
        wanted = set(keys)
        return [view for view in self._views if view.key in wanted]

    def apply(self, changes: Sequence[Change]) -> Sequence[Outcome]:
        """Refuse: recorded usage has no cluster behind it."""
        raise UsageError(
            f"{len(changes)} changes cannot be applied: recorded usage has no cluster behind it"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """Recorded usage together with what is in force."""

    usage: RecordedUsage
    """With GPU models, and TFLOPS in place of percent where they are known."""
    views: tuple[WorkloadView, ...]
    """One per workload of the usage, ordered by name."""
    notes: tuple[str, ...]
    report_notes: tuple[str, ...]
    """What a reader of the report must know too."""
    without_usage: int
    """Rows of the workloads file whose workload was not measured."""
    price_sources: Mapping[Key, str]
    """Where the price of a GPU hour came from, for workloads that have one."""


def recorded_fleet(
    usage: RecordedUsage,
    *,
    rows: Sequence[WorkloadRow],
    profiles: Mapping[tuple[str, str], Mapping[str, object]],
    gpu_models: GpuModels,
    now_s: int,
) -> Fleet:
    """Put usage and statements together.

    Raises ``UsageError`` with the problems of all rows at once.
    """
    stated, notes = statements_of(rows, profiles, gpu_models)
    models: dict[Key, GpuModel] = {}
    for key in usage.keys():  # noqa: SIM118 - not a mapping
        statement = stated.get(key)
        model = gpu_models.default if statement is None else statement.model
        if model is not None:
            models[key] = model
    labelled = usage.with_gpu_models(models)
    workers = labelled.workers()
    steps_s = max((column.step_s for column in labelled.columns.values()), default=60)
    views = tuple(
        view_of(
            key,
            statement=stated.get(key),
            model=models.get(key),
            workers=workers[key],
            begin_s=usage.start_s,
            now_s=now_s,
            step_s=steps_s,
            gpu_models=gpu_models,
        )
        for key in usage.keys()  # noqa: SIM118 - not a mapping
    )
    percent, tflops = (_measured(labelled, m) for m in (Metric.COMPUTE_PERCENT, Metric.TFLOPS))
    report_notes = (*unit_notes(percent, tflops, views), *above_card_notes(views))
    missing = without_usage(stated, set(usage.keys()))
    return Fleet(
        usage=labelled,
        views=views,
        notes=(*notes, *missing_notes(missing), *report_notes),
        report_notes=report_notes,
        without_usage=len(missing),
        price_sources={
            view.key: price_source(stated.get(view.key))
            for view in views
            if view.price_per_gpu_hour is not None
        },
    )


def _measured(usage: RecordedUsage, metric: str) -> set[Key]:
    column = usage.columns.get(metric)
    if column is None:
        return set()
    labels = [usage.labels[i] for i in set(column.series.tolist())]
    return {(label["namespace"], label["workload"]) for label in labels}
