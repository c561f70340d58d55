from autoscaler.api.condition_reasons import CapReason
from autoscaler.workloads.adjusting.adjust_plan import Capped
from autoscaler.workloads.adjusting.adjust_report import (
    MOST_CAPPED,
    MOST_LETTERS,
    WorkerOutcome,
    adjusted_of,
)
from recommender.policy.model import Mode

FULL = Capped(CapReason.GPU_FULL, "vram-request: 9Gi wanted, 8Gi granted; GPU g lacks 1Gi")


def outcomes(count, *capped):
    return [
        WorkerOutcome(worker=f"w{number:03}", current={}, changes={}, capped=capped)
        for number in range(count)
    ]


def reported(found, decided=None, warnings=(), *, modes=frozenset({Mode.APPLY})):
    decided = {"epoch": 1, "sequence": 2} if decided is None else decided
    return adjusted_of(found, decided, warnings, modes=modes)


def test_the_status_names_a_hundred_capped_workers_by_name_and_counts_all():
    found = [
        *reversed(outcomes(MOST_CAPPED + 5, FULL)),
        WorkerOutcome(worker="z", current={}, changes={}),
    ]
    adjusted = reported(found)
    assert [each["worker"] for each in adjusted.applied["capped"]] == [
        f"w{number:03}" for number in range(MOST_CAPPED)
    ]
    assert (adjusted.applied["workers"], adjusted.replicas_with_all) == (1, 1)
    assert adjusted.state.message == (
        f"in force for 1 of {MOST_CAPPED + 6} workers; less for worker w000 and 104 more: "
        f"{FULL.message}"
    )


def test_long_messages_are_cut():
    long = Capped(CapReason.WRITE_REFUSED, "x" * 5000)
    adjusted = reported(outcomes(1, long))
    assert len(adjusted.applied["capped"][0]["message"]) == MOST_LETTERS + len("...")
    assert adjusted.state.message.endswith("...")


def test_all_that_caps_a_worker_stands_in_one_entry():
    other = Capped(CapReason.QUOTA_EXCEEDED, "tflops-request: 9 wanted, 8 granted; q lacks 1")
    adjusted = reported(outcomes(1, FULL, other))
    assert adjusted.applied["capped"] == [
        {"worker": "w000", "reason": "GPUFull", "message": f"{FULL.message}; {other.message}"}
    ]


def test_a_decision_without_numbers_is_reported_without_them():
    assert reported(outcomes(2), {"requests": {}}).applied == {"workers": 2}


def test_what_is_left_out_of_a_decision_is_told_before_all_else():
    state = reported(outcomes(1, FULL), warnings=["a", "b"], modes=frozenset()).state
    assert (state.is_true, state.reason, state.message) == (False, "InvalidDecision", "a; b")


def test_a_workload_without_workers_has_what_was_decided():
    state = reported([]).state
    assert (state.is_true, state.message) == (True, "in force for 0 of 0 workers")
