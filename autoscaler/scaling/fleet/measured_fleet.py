"""Measured workers as a fleet: what a server says is in force, joined with what files state.

For reports on a server alone, without a cluster's API.  How the server is asked is
``sources.prometheus.inventory``; one workload of it is ``measured_view``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING

from autoscaler.scaling.cards import GpuModels
from autoscaler.scaling.fleet.fleet_notes import (
    above_card_notes,
    difference_notes,
    missing_notes,
    mixed_notes,
    share_notes,
    unit_notes,
)
from autoscaler.scaling.fleet.measured_view import views_of
from autoscaler.scaling.fleet.stated import StatedWorkload, price_source, without_usage
from autoscaler.sources.prometheus.last_values import IDENTITY
from autoscaler.sources.source import Metric
from recommender.policy.fields import AMOUNTS
from recommender.report.blocks import ItemError

if TYPE_CHECKING:
    from autoscaler.errors import QueryRejectedError
    from autoscaler.scaling.cluster import WorkloadView
    from autoscaler.sources.prometheus.inventory import Inventory
    from autoscaler.sources.prometheus.last_values import UnlabelledSeries
    from autoscaler.sources.prometheus.mapping import NameMapping
    from autoscaler.sources.recorded_usage import Key


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasuredFleet:
    """The workloads that a server measured lately."""

    views: tuple[WorkloadView, ...]
    """One per workload and GPU model, ordered by name."""
    notes: tuple[str, ...]
    report_notes: tuple[str, ...]
    """What a reader of the report must know too."""
    errors: tuple[ItemError, ...]
    """What the server refused, and series that could not be given to a workload or worker."""
    without_usage: int
    """Rows of the workloads file whose workload was not measured."""
    price_sources: Mapping[Key, str]
    """Where the price of a GPU hour came from, for workloads that have one."""


def measured_fleet(
    inventory: Inventory,
    mapping: NameMapping,
    *,
    stated: Mapping[Key, StatedWorkload],
    gpu_models: GpuModels,
) -> MeasuredFleet:
    """Put measured workers and statements together."""
    views = tuple(
        view
        for key, workers in groupby(inventory.workers, lambda worker: worker.key[:2])
        for view in views_of(
            list(workers),
            now_s=inventory.now_s,
            statement=stated.get(key),
            gpu_models=gpu_models,
            in_force=mapping.in_force,
        )
    )
    missing = without_usage(stated, {view.key for view in views})
    percent, tflops = (
        _measured_in(inventory, metric) for metric in (Metric.COMPUTE_PERCENT, Metric.TFLOPS)
    )
    report_notes = (
        *mixed_notes(inventory.mixed),
        *share_notes({w.key[:2] for w in inventory.workers if w.has_shares_only}),
        *unit_notes(percent, tflops, views),
        *above_card_notes(views),
        *difference_notes(views),
    )
    return MeasuredFleet(
        views=views,
        notes=(*missing_notes(missing), *report_notes),
        report_notes=report_notes,
        errors=(
            *_refused(inventory.refused),
            *_unlabelled(inventory.unlabelled, mapping),
        ),
        without_usage=len(missing),
        price_sources={
            view.key: price_source(stated.get(view.key))
            for view in views
            if view.price_per_gpu_hour is not None
        },
    )


def _refused(refused: Mapping[str, QueryRejectedError]) -> tuple[ItemError, ...]:
    """Return one error per metric, or amount in force, that the server refused."""
    return tuple(_refusal(name, error) for name, error in refused.items())


def _refusal(name: str, error: QueryRejectedError) -> ItemError:
    if name in set(Metric):
        # its history will be refused too
        return ItemError(message=str(error), resource=name, stage="collect")
    return ItemError(
        message=f"{name} in force is not known and is to be stated in a workloads file: {error}",
        resource=next((each.resource for each in AMOUNTS if each.key == name), None),
        stage="inventory",
    )


def _measured_in(inventory: Inventory, metric: Metric) -> set[Key]:
    return {worker.key[:2] for worker in inventory.workers if metric in worker.metrics}


def _is_nobodys(series: UnlabelledSeries) -> bool:
    """Return whether series name nobody at all, as those of a card that no pod uses."""
    return series.missing == IDENTITY


def _unlabelled(
    unlabelled: Sequence[UnlabelledSeries], mapping: NameMapping
) -> tuple[ItemError, ...]:
    """Return one error per workload, as far as it is known, and missing label."""
    found: dict[tuple[str, str, tuple[str, ...]], list[UnlabelledSeries]] = {}
    for series in unlabelled:
        if not _is_nobodys(series):
            found.setdefault((series.namespace, series.workload, series.missing), []).append(series)
    return tuple(
        ItemError(
            message=_fault(several, mapping),
            namespace=namespace or None,
            workload=workload or None,
            stage="inventory",
        )
        for (namespace, workload, _), several in found.items()
    )


def _fault(several: Sequence[UnlabelledSeries], mapping: NameMapping) -> str:
    missing = several[0].missing
    tried = ", ".join(name for label in missing for name in mapping.names_of(label))
    names = ", ".join(series.series for series in several)
    return (
        f"series of {names} do not say their {' and '.join(missing)}: none of the labels {tried} "
        "is set. A scrape of the exporter needs honorLabels: true, and no rule may drop these "
        "labels; tfa check shows which series have them"
    )
