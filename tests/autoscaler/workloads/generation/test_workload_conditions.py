"""What the conditions of a workload say."""

import pytest

from autoscaler.api.names import EventReason
from autoscaler.workloads.generation.workload_conditions import Said, placement, readiness
from autoscaler.workloads.generation.workload_workers import WorkerCounts
from autoscaler.workloads.placement.shortage import Shortage
from autoscaler.workloads.worker_pods.worker_pods_result import WorkersProblem
from tests.autoscaler.workloads.objects import placed, worker


def counts(*, live=0, ready=0, failed=0, succeeded=0):
    return WorkerCounts(live=live, ready=ready, failed=failed, succeeded=succeeded)


def no_gpu(message, reason=EventReason.NO_GPU_AVAILABLE):
    return Shortage(reason=reason, message=message, missing_gpus=1, gpu_model="")


@pytest.mark.parametrize(
    ("found", "wanted", "phase", "is_true", "reason", "message"),
    [
        (counts(live=2, ready=2), 2, "Running", True, "WorkloadReady", "All workers are running"),
        (counts(live=3, ready=3), 2, "Running", True, "WorkloadReady", "All workers are running"),
        (counts(live=2, ready=1), 2, "Pending", False, "WaitingForWorkers", "Ready workers: 1/2"),
        (
            counts(live=1, ready=1, failed=1),
            2,
            "Failed",
            False,
            "WorkerFailed",
            "Failed workers: 1; ready workers: 1/2",
        ),
        (
            counts(live=2, ready=2, failed=5),
            2,
            "Running",
            True,
            "WorkloadReady",
            "All workers are running",
        ),
        (counts(), 0, "Pending", False, "ScaledToZero", "Workload is scaled to zero"),
        (
            counts(succeeded=2, failed=1),
            0,
            "Pending",
            False,
            "WorkersEnded",
            "Workers that have ended: 2",
        ),
        (
            counts(failed=1),
            0,
            "Failed",
            False,
            "WorkerFailed",
            "Failed workers: 1; no worker is left",
        ),
    ],
)
def test_a_workload_is_ready_when_as_many_workers_are_as_it_is_to_have(
    found, wanted, phase, is_true, reason, message
):
    expected = phase, Said(is_true=is_true, reason=reason, message=message)
    assert readiness(found, wanted, None) == expected


def test_a_workload_whose_workers_cannot_be_made_is_not_ready():
    problem = WorkersProblem("WorkersNotCreated", "spec.containers[0].image: Required value")
    phase, said = readiness(counts(live=2, ready=2), 2, problem)
    assert (phase, said.is_true, said.reason, said.message) == ("Pending", False, *problem)


def test_workers_with_gpus_are_placed():
    said = placement([placed("a"), placed("b")], lambda _: None)
    assert said == Said(is_true=True, reason="Placed", message="All workers have their GPUs")


def test_without_a_worker_nothing_is_said_of_gpus():
    ended = [worker("a", phase="Failed"), worker("b", metadata={"deletionTimestamp": "x"})]
    assert placement(ended, lambda _: no_gpu("none")) is None


def test_a_gated_worker_that_nobody_looked_at_waits():
    said = placement([placed("a"), worker("b")], lambda _: None)
    message = "1 of 2 workers wait for their GPUs"
    assert said == Said(is_true=False, reason="WaitingForPlacement", message=message)


def test_equal_shortages_are_told_once_with_their_number():
    said = placement(
        [worker("a"), worker("b"), placed("c")], _short(a="pool p has no GPUs", b=None)
    )
    assert said.message == (
        "1 of 3 workers lack their GPUs: pool p has no GPUs; 1 more are yet to be looked at"
    )
    said = placement([worker("a"), worker("b"), placed("c")], _short(a="full", b="full"))
    assert said.message == "2 of 3 workers lack their GPUs: full"


def test_different_shortages_are_told_the_most_frequent_first_and_not_all():
    texts = dict(
        zip("abcdefgh", ("x", "x", "one", "two", "three", "four", "five", "six"), strict=True)
    )
    said = placement([worker(name) for name in texts], _short(**texts))
    assert said.message == (
        "8 of 8 workers lack their GPUs: 2 x x; 1 x five; 1 x four; 1 x one; 1 x six; "
        "and 2 other reasons"
    )


def test_the_reason_is_the_most_frequent_one():
    exceeded = no_gpu("quota q", EventReason.QUOTA_EXCEEDED)
    found = {"a": exceeded, "b": exceeded, "c": no_gpu("full")}
    said = placement([worker(name) for name in found], lambda uid: found[uid[-1]])
    assert said.reason == "QuotaExceeded"


def test_a_placed_worker_whose_gpu_is_lost_is_not_placed():
    lost = no_gpu("GPU gpu-1 is gone", EventReason.GPU_LOST)
    said = placement([placed("a")], lambda _: lost)
    assert (said.is_true, said.reason) == (False, "GPULost")


def _short(**texts):
    """Return the shortages of workers by their names."""
    found = {f"uid-of-pod-{name}": no_gpu(text) for name, text in texts.items() if text is not None}
    return found.get
