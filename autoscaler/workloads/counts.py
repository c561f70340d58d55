"""What the controller has done, as plain numbers that every part of it adds to.

Whoever serves metrics takes a snapshot.  What is reserved is ``books``, and the exposition is not
here.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from threading import Lock
from types import MappingProxyType

from autoscaler.workloads.work import WorkKind
from recommender.policy.first_generation import QOS

RECONCILE_BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 10.0)
PLACEMENT_BUCKETS_S = (1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0)
"""Upper ends, included, of all buckets but the last, which has none."""


class ReconcileOutcome(StrEnum):
    """How one look at an object ended."""

    DONE = "done"
    RETRIED = "retried"
    """The API server did not do as asked, or the object had changed; it comes again."""
    REFUSED = "refused"
    """The API server refuses what would be written; it comes again when something changes."""
    NOT_LEADING = "not_leading"
    """This process does not lead, so it wrote nothing."""
    DEFECT = "defect"
    """An error of ours."""


class Direction(StrEnum):
    """Which way the amounts of a worker were to go."""

    UP = "up"
    DOWN = "down"


class AdjustOutcome(StrEnum):
    """What became of the amounts of a worker."""

    APPLIED = "applied"
    CAPPED = "capped"
    """Applied as far as capacity and quota allowed."""
    FAILED = "failed"
    """The API server did not do as asked."""


class WorkerPodAction(StrEnum):
    """What was done to a worker pod of the controller."""

    CREATED = "created"
    DELETED = "deleted"
    """As there were too many."""
    REPLACED = "replaced"
    """As its template had changed, or it had failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Durations:
    """How long something took."""

    buckets: tuple[int, ...]
    """One number per bucket, and the last for all longer ones."""
    sum_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ControllerCountsSnapshot:
    """The counts at one moment; all of them since the process started."""

    reconciles: Mapping[tuple[WorkKind, ReconcileOutcome], int]
    """Every pair, also those that never occurred, as in all mappings here."""
    reconcile_times: Mapping[WorkKind, Durations]
    placements: Durations
    """From the creation of a pod to the removal of its gate, in whole seconds."""
    releases: int
    """Placements that were given back because the scheduler refused them."""
    adjusts: Mapping[tuple[Direction, AdjustOutcome], int]
    worker_pods: Mapping[WorkerPodAction, int]
    drifts: int
    """Cards whose books differed from the pods and were put right."""
    resync_failures: int
    """Regular looks at everything that an error of ours ended."""
    preempted: Mapping[str, int]
    """Workers that were evicted for a more important one, by their own level; never critical."""


class ControllerCounts:
    """Counts what the controller does; any thread may use it."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._reconciles = dict.fromkeys(
            ((kind, outcome) for kind in WorkKind for outcome in ReconcileOutcome), 0
        )
        self._reconcile_times = {kind: _Histogram(RECONCILE_BUCKETS_S) for kind in WorkKind}
        self._placements = _Histogram(PLACEMENT_BUCKETS_S)
        self._releases = 0
        self._adjusts = dict.fromkeys(
            ((direction, outcome) for direction in Direction for outcome in AdjustOutcome), 0
        )
        self._worker_pods = dict.fromkeys(WorkerPodAction, 0)
        self._drifts = 0
        self._resync_failures = 0
        self._preempted = dict.fromkeys(QOS[:-1], 0)

    def reconciled(self, kind: WorkKind, outcome: ReconcileOutcome, *, duration_s: float) -> None:
        """Count one look at an object."""
        with self._lock:
            self._reconciles[kind, outcome] += 1
            self._reconcile_times[kind].observe(duration_s)

    def placed(self, *, waited_s: float) -> None:
        """Count a pod whose gate was removed, so long after its creation."""
        with self._lock:
            self._placements.observe(waited_s)

    def released(self) -> None:
        """Count a placement that was given back because the scheduler refused it."""
        with self._lock:
            self._releases += 1

    def adjusted(self, direction: Direction, outcome: AdjustOutcome) -> None:
        """Count one worker whose amounts were to change."""
        with self._lock:
            self._adjusts[direction, outcome] += 1

    def worker_pod(self, action: WorkerPodAction) -> None:
        """Count one worker pod that was made or deleted."""
        with self._lock:
            self._worker_pods[action] += 1

    def preempted(self, qos: str) -> None:
        """Count a worker that was evicted for a more important one."""
        with self._lock:
            self._preempted[qos] += 1

    def drifted(self, cards: int) -> None:
        """Count cards whose books differed from the pods."""
        with self._lock:
            self._drifts += cards

    def resync_failed(self) -> None:
        """Count a regular look at everything that an error of ours ended."""
        with self._lock:
            self._resync_failures += 1

    def snapshot(self) -> ControllerCountsSnapshot:
        """Return the counts of now."""
        with self._lock:
            return ControllerCountsSnapshot(
                reconciles=MappingProxyType(dict(self._reconciles)),
                reconcile_times=MappingProxyType(
                    {kind: times.durations() for kind, times in self._reconcile_times.items()}
                ),
                placements=self._placements.durations(),
                releases=self._releases,
                adjusts=MappingProxyType(dict(self._adjusts)),
                worker_pods=MappingProxyType(dict(self._worker_pods)),
                drifts=self._drifts,
                resync_failures=self._resync_failures,
                preempted=MappingProxyType(dict(self._preempted)),
            )


class _Histogram:
    def __init__(self, ends_s: Sequence[float]) -> None:
        self._ends_s = ends_s
        self._buckets = [0] * (len(ends_s) + 1)
        self._sum_s = 0.0

    def observe(self, duration_s: float) -> None:
        self._buckets[bisect_left(self._ends_s, duration_s)] += 1
        self._sum_s += duration_s

    def durations(self) -> Durations:
        return Durations(buckets=tuple(self._buckets), sum_s=self._sum_s)
