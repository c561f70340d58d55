"""Recorded workloads as a cluster: what is in force comes from files, and nothing can be changed.

Reading of the files is in ``sources``; the meaning of every value is ``recommender.policy``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from autoscaler.errors import UsageError
from autoscaler.scaling.cluster import Change, Outcome, WorkloadView
from autoscaler.scaling.recorded_view import GpuModels, Statement, price_source, stated_by, view_of
from autoscaler.sources.recorded_usage import Key, RecordedUsage
from autoscaler.sources.source import Metric
from autoscaler.sources.workloads_file import WorkloadRow
from recommender.gpu_models import GpuModel
from recommender.resources import COMPUTE_PERCENT, TFLOPS, resource_named
from recommender.sentences import amount, counted

NAMES_SHOWN = 5


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
    stated, notes = _statements(rows, profiles, gpu_models)
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
    report_notes = (*_unit_notes(labelled, views), *_above_card_notes(views))
    missing = _without_usage(rows, usage)
    return Fleet(
        usage=labelled,
        views=views,
        notes=(*notes, *_missing_note(missing), *report_notes),
        report_notes=report_notes,
        without_usage=len(missing),
        price_sources={
            view.key: price_source(stated.get(view.key))
            for view in views
            if view.price_per_gpu_hour is not None
        },
    )


def _statements(
    rows: Sequence[WorkloadRow],
    profiles: Mapping[tuple[str, str], Mapping[str, object]],
    gpu_models: GpuModels,
) -> tuple[dict[Key, Statement], list[str]]:
    problems: list[str] = []
    notes: list[str] = []
    stated: dict[Key, Statement] = {}
    for row in rows:
        statement = stated_by(row, profiles, gpu_models)
        for problem in statement.problems:
            (notes if problem.is_warning else problems).append(f"{row.place}: {problem}")
        stated[row.key] = statement
    if problems:
        raise UsageError("\n".join(problems))
    return stated, notes


def _without_usage(rows: Sequence[WorkloadRow], usage: RecordedUsage) -> list[str]:
    known = set(usage.keys())
    return [f"{row.namespace}/{row.workload}" for row in rows if row.key not in known]


def _missing_note(missing: Sequence[str]) -> list[str]:
    return [f"workloads without usage, left out: {_listed(missing)}"] if missing else []


def _unit_notes(usage: RecordedUsage, views: Sequence[WorkloadView]) -> tuple[str, ...]:
    """Say which workloads are measured in percent, and which are stated in another unit."""
    notes = []
    percent = _measured(usage, Metric.COMPUTE_PERCENT)
    tflops = _measured(usage, Metric.TFLOPS)
    if percent - tflops:
        notes.append(
            f"compute of {counted(len(percent - tflops), 'workload')} stays in percent of one "
            "GPU, because no GPU model is known (--gpu-model, or gpu_model in the workloads file)"
        )
    other_unit = [
        f"{view.namespace}/{view.workload}"
        for view in views
        if _is_stated_otherwise(view, percent, tflops)
    ]
    if other_unit:
        notes.append(
            "compute is stated in another unit than it is measured in (TFLOPS, percent of one "
            f"GPU); a GPU model would join them: {_listed(other_unit)}"
        )
    return tuple(notes)


def _above_card_notes(views: Sequence[WorkloadView]) -> list[str]:
    """Say which workloads state more than one GPU has: probably a total, or another unit."""
    found = [
        f"{view.namespace}/{view.workload} ({name} {side} {amount(stated, resource)}, "
        f"one GPU has {amount(capacity, resource)})"
        for view in views
        for side, amounts in (("request", view.request), ("limit", view.limit))
        for name, stated in amounts.items()
        for resource in (resource_named(name),)
        for capacity in (view.card.get(name, resource.largest_value),)
        if capacity is not None and stated > capacity
    ]
    return [f"more is stated than one GPU has: {_listed(found)}"] if found else []


def _is_stated_otherwise(view: WorkloadView, percent: set[Key], tflops: set[Key]) -> bool:
    stated = view.request.keys() | view.limit.keys()
    in_tflops = TFLOPS.name in stated and view.key in percent and view.key not in tflops
    in_percent = COMPUTE_PERCENT.name in stated and view.key in tflops and view.key not in percent
    return in_tflops or in_percent


def _measured(usage: RecordedUsage, metric: str) -> set[Key]:
    column = usage.columns.get(metric)
    if column is None:
        return set()
    labels = [usage.labels[i] for i in set(column.series.tolist())]
    return {(label["namespace"], label["workload"]) for label in labels}


def _listed(names: Sequence[str]) -> str:
    shown = ", ".join(names[:NAMES_SHOWN])
    rest = len(names) - NAMES_SHOWN
    return f"{shown} and {rest} more" if rest > 0 else shown
