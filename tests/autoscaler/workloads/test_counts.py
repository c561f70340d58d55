from bisect import bisect_left

from hypothesis import given
from hypothesis import strategies as st

from autoscaler.workloads.counts import (
    PLACEMENT_BUCKETS_S,
    AdjustOutcome,
    ControllerCounts,
    Direction,
    ReconcileOutcome,
    WorkerPodAction,
)
from autoscaler.workloads.work import WorkKind


def test_what_never_happened_is_counted_as_zero():
    counted = ControllerCounts().snapshot()

    assert set(counted.reconciles) == {(k, o) for k in WorkKind for o in ReconcileOutcome}
    assert set(counted.adjusts) == {(d, o) for d in Direction for o in AdjustOutcome}
    assert set(counted.worker_pods) == set(WorkerPodAction)
    assert {*counted.reconciles.values(), *counted.adjusts.values()} == {0}


def test_each_kind_of_thing_is_counted_on_its_own():
    counts = ControllerCounts()
    counts.reconciled(WorkKind.GPU, ReconcileOutcome.RETRIED, duration_s=0.5)
    counts.released()
    counts.adjusted(Direction.UP, AdjustOutcome.CAPPED)
    counts.worker_pod(WorkerPodAction.REPLACED)
    counts.drifted(3)
    counts.preempted("medium")

    counted = counts.snapshot()
    assert counted.reconciles[WorkKind.GPU, ReconcileOutcome.RETRIED] == 1
    assert sum(counted.reconciles.values()) == 1
    assert counted.reconcile_times[WorkKind.GPU].sum_s == 0.5
    assert counted.releases == 1
    assert counted.adjusts[Direction.UP, AdjustOutcome.CAPPED] == 1
    assert counted.worker_pods[WorkerPodAction.REPLACED] == 1
    assert counted.drifts == 3
    assert counted.preempted == {"low": 0, "medium": 1, "high": 0}


def test_a_snapshot_does_not_change_any_more():
    counts = ControllerCounts()
    before = counts.snapshot()
    counts.drifted(1)
    counts.placed(waited_s=1.0)

    assert before.drifts == 0
    assert sum(before.placements.buckets) == 0


@given(st.lists(st.floats(0, 1e5), max_size=30))
def test_every_time_is_in_the_bucket_that_ends_at_or_after_it(waits_s):
    counts = ControllerCounts()
    for waited_s in waits_s:
        counts.placed(waited_s=waited_s)

    expected = [0] * (len(PLACEMENT_BUCKETS_S) + 1)
    for waited_s in waits_s:
        expected[bisect_left(PLACEMENT_BUCKETS_S, waited_s)] += 1
    assert list(counts.snapshot().placements.buckets) == expected
