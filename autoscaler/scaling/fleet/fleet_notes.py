"""What the user should know of a fleet before its numbers are read, one sentence each."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from autoscaler.scaling.cluster import WorkloadView
from autoscaler.sources.recorded_usage import Key
from recommender.resources import COMPUTE_PERCENT, TFLOPS, resource_named
from recommender.sentences import amount, counted

if TYPE_CHECKING:
    from autoscaler.sources.prometheus.mixed_series import MixedSeries

NAMES_SHOWN = 5


def missing_notes(missing: Sequence[str]) -> list[str]:
    """Name workloads of the workloads file that were not measured."""
    return [f"workloads without usage, left out: {listed(missing)}"] if missing else []


def unit_notes(percent: set[Key], tflops: set[Key], views: Sequence[WorkloadView]) -> list[str]:
    """Say which workloads are measured in percent, and which are stated in another unit.

    ``percent`` and ``tflops`` are the workloads that are measured in them.
    """
    notes = []
    if percent - tflops:
        notes.append(
            f"compute of {counted(len(percent - tflops), 'workload')} stays in percent of one "
            "GPU, because no GPU model is known (--gpu-model, or gpu_model in the workloads file; "
            "models that the built-in table lacks are gpuModels of the settings file)"
        )
    other_unit = [
        f"{view.namespace}/{view.workload}"
        for view in views
        if _is_stated_otherwise(view, percent, tflops)
    ]
    if other_unit:
        notes.append(
            "compute is stated in another unit than it is measured in (TFLOPS, percent of one "
            f"GPU); a GPU model would join them: {listed(other_unit)}"
        )
    return notes


def share_notes(of_shares: set[Key]) -> list[str]:
    """Say of which workloads TFLOPS follow from the share of the card."""
    if not of_shares:
        return []
    names = listed(["/".join(key) for key in sorted(of_shares)])
    note = (
        f"TFLOPS of {counted(len(of_shares), 'workload')} are the busy share of the card times the "
        f"FP16 peak of its model, where the server has no TFLOPS of a worker: {names}"
    )
    return [note]


def mixed_notes(mixed: Sequence[MixedSeries]) -> list[str]:
    """Say which series are taken for one although they are of several servers or clusters.

    What is found under several names of series is said once.
    """
    most: dict[tuple[bool, str], MixedSeries] = {}
    for found in mixed:
        key = found.is_of_clusters, found.label
        if key not in most or found.count > most[key].count:
            most[key] = found
    return [_mixed_note(found) for found in most.values()]


def _mixed_note(mixed: MixedSeries) -> str:
    share = f"{mixed.count} of {mixed.of}"
    if mixed.is_of_clusters:
        told = (
            f"workers of several clusters are taken for one workload in {share} workloads, for "
            f"example {mixed.example}"
        )
    else:
        told = (
            f"workers have several series on {share} devices, for example {mixed.example}, so that "
            "servers or clusters may be mixed; of samples at one time the largest counts"
        )
    chosen = shlex.quote(f"{mixed.label}={mixed.values[0]}")
    differing = f"{mixed.label} ({listed(mixed.values)})"
    return f"{told}. They differ in {differing}: choose one by --selector {chosen}"


def above_card_notes(views: Sequence[WorkloadView]) -> list[str]:
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
    return [f"more is stated than one GPU has: {listed(found)}"] if found else []


def _is_stated_otherwise(view: WorkloadView, percent: set[Key], tflops: set[Key]) -> bool:
    stated = view.request.keys() | view.limit.keys()
    in_tflops = TFLOPS.name in stated and view.key in percent and view.key not in tflops
    in_percent = COMPUTE_PERCENT.name in stated and view.key in tflops and view.key not in percent
    return in_tflops or in_percent


def difference_notes(views: Sequence[WorkloadView]) -> list[str]:
    """Say where something else is in force than what is stated."""
    found = [
        f"{view.namespace}/{view.workload} ({name} {side} {amount(stated, resource_named(name))} "
        f"stated, {amount(in_force, resource_named(name))} in force)"
        for view in views
        for side, name, stated, in_force in _differences(view)
    ]
    return [f"something else is in force than what is stated: {listed(found)}"] if found else []


def _differences(view: WorkloadView) -> Iterator[tuple[str, str, float, float]]:
    for side, stated, in_force in (
        ("request", view.stated_request, view.request),
        ("limit", view.stated_limit, view.limit),
    ):
        for name, declared in stated.items():
            if in_force.get(name, declared) != declared:
                yield side, name, declared, in_force[name]


def listed(names: Sequence[str]) -> str:
    """Return the first few names, and how many more there are."""
    shown = ", ".join(names[:NAMES_SHOWN])
    rest = len(names) - NAMES_SHOWN
    return f"{shown} and {rest} more" if rest > 0 else shown
