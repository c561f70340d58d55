"""What the conditions of a workload say: whether it runs, and whether its workers have GPUs.  Pure.

Their texts hold no times and are in a fixed order, so that the same state is the same text.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import NamedTuple

from autoscaler.api.condition_reasons import WorkloadReason
from autoscaler.api.names import EventReason
from autoscaler.kube.store import Object
from autoscaler.workloads.generation.workload_workers import WorkerCounts
from autoscaler.workloads.placement.shortage import Shortage
from autoscaler.workloads.pod_state import is_gated, is_live
from autoscaler.workloads.worker_pods.worker_pods_result import WorkersProblem

PENDING, RUNNING, FAILED = "Pending", "Running", "Failed"
_MOST_TOLD = 5
"""Different shortages that are told of."""


class Said(NamedTuple):
    """What a condition says."""

    is_true: bool
    reason: str
    message: str


def readiness(
    counts: WorkerCounts, wanted: int, problem: WorkersProblem | None
) -> tuple[str, Said]:
    """Return the phase of a workload that is to have so many workers, and its condition Ready.

    A failed worker counts while another is missing in its place: pods that were evicted, or tries
    of a Job, stay for long beside those that came after them.
    """
    if problem is not None:
        return PENDING, Said(is_true=False, reason=problem.reason, message=problem.message)
    if wanted == 0:
        return _without_workers(counts)
    if counts.ready >= wanted:
        return RUNNING, Said(
            is_true=True, reason=WorkloadReason.WORKLOAD_READY, message="All workers are running"
        )
    if counts.failed:
        return FAILED, Said(
            is_true=False,
            reason=EventReason.WORKER_FAILED,
            message=f"Failed workers: {counts.failed}; ready workers: {counts.ready}/{wanted}",
        )
    return PENDING, Said(
        is_true=False,
        reason=WorkloadReason.WAITING_FOR_WORKERS,
        message=f"Ready workers: {counts.ready}/{wanted}",
    )


def _without_workers(counts: WorkerCounts) -> tuple[str, Said]:
    if counts.failed and not counts.succeeded:
        return FAILED, Said(
            is_true=False,
            reason=EventReason.WORKER_FAILED,
            message=f"Failed workers: {counts.failed}; no worker is left",
        )
    if counts.succeeded:
        return PENDING, Said(
            is_true=False,
            reason=WorkloadReason.WORKERS_ENDED,
            message=f"Workers that have ended: {counts.succeeded}",
        )
    return PENDING, Said(
        is_true=False, reason=WorkloadReason.SCALED_TO_ZERO, message="Workload is scaled to zero"
    )


def placement(
    workers: Sequence[Object], shortage_of: Callable[[str], Shortage | None]
) -> Said | None:
    """Return the condition Placed; None without a worker that lives."""
    live = [pod for pod in workers if is_live(pod)]
    if not live:
        return None
    found = [shortage_of(pod["metadata"]["uid"]) for pod in live]
    shortages = [(str(each.reason), each.message) for each in found if each is not None]
    waiting = sum(is_gated(pod) and each is None for pod, each in zip(live, found, strict=True))
    total = len(live)
    if shortages:
        reason, text = _told(shortages)
        also = f"; {waiting} more are yet to be looked at" if waiting else ""
        message = f"{len(shortages)} of {total} workers lack their GPUs: {text}{also}"
        return Said(is_true=False, reason=reason, message=message)
    if waiting:
        message = f"{waiting} of {total} workers wait for their GPUs"
        return Said(is_true=False, reason=WorkloadReason.WAITING_FOR_PLACEMENT, message=message)
    return Said(is_true=True, reason=EventReason.PLACED, message="All workers have their GPUs")


def _told(shortages: Sequence[tuple[str, str]]) -> tuple[str, str]:
    """Return the most frequent reason, and the texts in order of their frequency."""
    reasons = sorted(Counter(reason for reason, _ in shortages).items(), key=_most_frequent)
    texts = sorted(Counter(message for _, message in shortages).items(), key=_most_frequent)
    told = [text if len(texts) == 1 else f"{count} x {text}" for text, count in texts[:_MOST_TOLD]]
    others = len(texts) - _MOST_TOLD
    return reasons[0][0], "; ".join([*told, *([f"and {others} other reasons"] * (others > 0))])


def _most_frequent(item: tuple[str, int]) -> tuple[int, str]:
    text, count = item
    return -count, text
