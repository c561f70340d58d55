"""The numbers of the controller, from its snapshot."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import TYPE_CHECKING

from autoscaler.telemetry import controller_families as families
from autoscaler.telemetry.family import Distribution, Point
from autoscaler.workloads.counts import PLACEMENT_BUCKETS_S, RECONCILE_BUCKETS_S

if TYPE_CHECKING:
    from autoscaler.telemetry.family import Family
    from autoscaler.workloads.books.books_snapshot import BooksSnapshot
    from autoscaler.workloads.controller_snapshot import ControllerSnapshot
    from autoscaler.workloads.counts import ControllerCountsSnapshot, Durations


def controller_points(controller: ControllerSnapshot) -> Iterator[Point | Distribution]:
    """Return the numbers of a controller."""
    yield from _counted(controller.counts)
    for labels, pods in controller.waiting.pods.items():
        yield Point(family=families.WAITING_PODS, value=pods, labels=labels)
    for labels, gpus in controller.waiting.missing_gpus.items():
        yield Point(family=families.MISSING_GPUS, value=gpus, labels=labels)
    yield from _held(controller.books)


def _counted(counts: ControllerCountsSnapshot) -> Iterator[Point | Distribution]:
    for (kind, outcome), number in counts.reconciles.items():
        labels = str(kind), str(outcome)
        yield Point(family=families.RECONCILES, value=number, labels=labels)
    for kind, times in counts.reconcile_times.items():
        yield _distribution(
            families.RECONCILE_DURATION, RECONCILE_BUCKETS_S, times, labels=(str(kind),)
        )
    yield _distribution(families.PLACEMENT_DURATION, PLACEMENT_BUCKETS_S, counts.placements)
    yield Point(family=families.PLACEMENT_RELEASES, value=counts.releases)
    for qos, number in counts.preempted.items():
        yield Point(family=families.PREEMPTED_WORKERS, value=number, labels=(qos,))
    yield Point(family=families.BOOKS_DRIFT, value=counts.drifts)
    yield Point(family=families.RESYNC_FAILURES, value=counts.resync_failures)
    for (direction, result), number in counts.adjusts.items():
        labels = str(direction), str(result)
        yield Point(family=families.ADJUSTS, value=number, labels=labels)
    for action, number in counts.worker_pods.items():
        yield Point(family=families.WORKER_PODS, value=number, labels=(str(action),))


def _held(books: BooksSnapshot) -> Iterator[Point]:
    for of in books.pools:
        labels = of.pool, of.gpu_model
        for state, gpus in (
            ("used", of.usable_cards - of.free_cards),
            ("free", of.free_cards),
            ("unusable", of.cards - of.usable_cards),
        ):
            yield Point(family=families.POOL_GPUS, value=gpus, labels=(*labels, state))
        for family, value in (
            (families.POOL_TFLOPS_CAPACITY, of.capacity.tflops),
            (families.POOL_TFLOPS_ALLOCATABLE, of.allocatable.tflops),
            (families.POOL_TFLOPS_REQUESTED, of.requested.tflops),
            (families.POOL_VRAM_CAPACITY, of.capacity.vram_bytes),
            (families.POOL_VRAM_REQUESTED, of.requested.vram_bytes),
        ):
            yield Point(family=family, value=float(value), labels=labels)
    yield Point(family=families.OVERBOOKED_GPUS, value=len(books.overbooked))
    yield Point(family=families.RESERVATIONS_IN_FLIGHT, value=books.in_flight)


def _distribution(
    family: Family, ends_s: Sequence[float], times: Durations, labels: tuple[str, ...] = ()
) -> Distribution:
    ends = [*map(str, ends_s), "+Inf"]
    return Distribution(
        family=family,
        buckets=tuple(zip(ends, accumulate(times.buckets), strict=True)),
        total=times.sum_s,
        labels=labels,
    )
