"""What a placed worker pod holds, read from the pod: pods carry the truth.

What a gated pod asks for is ``demand``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from functools import reduce

from autoscaler.api.names import (
    GPU_PEAK_TFLOPS,
    GPU_PEAK_VRAM,
    POOL_LABEL,
    WORKLOAD_LABEL,
    Component,
)
from autoscaler.kube.store import Object
from autoscaler.workloads.books.card import Card
from autoscaler.workloads.books.claim import Claim
from autoscaler.workloads.books.gpu_amounts import GpuAmounts
from autoscaler.workloads.books.worker_amounts import limit_on, request_on, worker_amounts
from autoscaler.workloads.cluster import gpus_of
from autoscaler.workloads.placement.demand import qos_of
from autoscaler.workloads.pod_state import component_of, has_ended
from recommender.amounts import ResourceAmounts
from recommender.errors import InvalidValueError
from recommender.quantities import parse_quantity

FindCard = Callable[[str], Card | None]


def claim_of(pod: Object, card: FindCard) -> Claim | None:
    """Return what a pod holds; None where it is no worker, not placed, or at its end.

    Percent are those of the card's peak; where the card is not there, of the peak that was written
    when the pod was placed.  On cards that differ the largest amount counts for each.  Raises
    ``InvalidWorkerError`` for annotations that cannot be read.
    """
    gpus = _held(pod)
    if not gpus:
        return None
    annotations = _annotations(pod)
    amounts = worker_amounts(annotations)
    capacities = _capacities(gpus, card, annotations)
    request = _largest([request_on(amounts, capacity) for capacity in capacities])
    limit = _largest([limit_on(amounts, capacity) for capacity in capacities])
    return _claim(pod, gpus, request, limit.at_least(request), qos_of(annotations))


def whole_claim_of(pod: Object, card: FindCard) -> Claim | None:
    """Return the claim of a pod whose annotations cannot be read: all of its GPUs; None as above.

    Nobody knows what it uses, so nothing else is placed beside it.
    """
    gpus = _held(pod)
    if not gpus:
        return None
    cards = [found for found in map(card, gpus) if found is not None]
    whole = _largest(
        [each.allocatable for each in cards] or _capacities(gpus, card, _annotations(pod))
    )
    return _claim(pod, gpus, whole, whole, qos="")


def capacity_of(pod: Object, card: FindCard) -> GpuAmounts:
    """Return what the largest GPU of a placed pod has, known or as it was written at placement."""
    return _largest(_capacities(gpus_of(pod), card, _annotations(pod)))


def _held(pod: Object) -> tuple[str, ...]:
    if has_ended(pod) or component_of(pod) is not Component.WORKER:
        return ()
    return tuple(dict.fromkeys(gpus_of(pod)))


def _claim(
    pod: Object, gpus: tuple[str, ...], request: GpuAmounts, limit: GpuAmounts, qos: str
) -> Claim:
    metadata = pod["metadata"]
    labels = metadata.get("labels") or {}
    return Claim(
        uid=metadata["uid"],
        namespace=metadata["namespace"],
        pod=metadata["name"],
        workload=labels.get(WORKLOAD_LABEL, ""),
        pool=labels.get(POOL_LABEL, ""),
        qos=qos,
        gpus=gpus,
        request=request,
        limit=limit,
    )


def _capacities(
    gpus: tuple[str, ...], card: FindCard, annotations: Mapping[str, str]
) -> list[GpuAmounts]:
    cards = [card(gpu) for gpu in gpus]
    peak = _peak(annotations) if None in cards else GpuAmounts()
    return [peak if found is None else found.capacity for found in cards]


def _peak(annotations: Mapping[str, str]) -> GpuAmounts:
    return GpuAmounts.capacity_of(
        ResourceAmounts(
            tflops=_number(annotations.get(GPU_PEAK_TFLOPS)),
            vram_bytes=_number(annotations.get(GPU_PEAK_VRAM)),
        )
    )


def _number(text: str | None) -> Decimal | None:
    """Return a plain number that the controller wrote itself; None where it is not there."""
    try:
        # Not by Decimal alone: a few letters of an exponent would be a number of gigabytes.
        number = parse_quantity(text or "")
    except InvalidValueError:
        return None
    return number if number > 0 else None


def _largest(amounts: Sequence[GpuAmounts]) -> GpuAmounts:
    return reduce(GpuAmounts.at_least, amounts)


def _annotations(pod: Object) -> Mapping[str, str]:
    return pod["metadata"].get("annotations") or {}
