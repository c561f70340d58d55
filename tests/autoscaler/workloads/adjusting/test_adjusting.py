from dataclasses import replace
from functools import partial

import pytest

from autoscaler.api.condition_reasons import AppliedReason
from autoscaler.api.names import PAUSED, PREFIX, QOS
from autoscaler.kube.resource import PODS, POOLS, WORKLOADS
from autoscaler.workloads.adjusting.adjusted import UNDECIDED, Adjusted, AppliedState
from autoscaler.workloads.adjusting.adjusting import MOST_WRITES
from autoscaler.workloads.books.gpu_amounts import GpuAmounts
from autoscaler.workloads.books.nominations import Nomination
from tests.autoscaler.workloads.adjusting_world import (
    DECISION,
    ENROLLED,
    AdjustingWorld,
    amounts,
    decided,
)
from tests.autoscaler.workloads.objects import GIB, gpu, placed, quota, worker

LOW, HIGH = 0, 2
AS_DECLARED = ("10", "20", "4Gi", "8Gi")
MORE = decided(requests=amounts("12", "6Gi"), limits=amounts("24", "12Gi"))
LESS = decided(requests=amounts("5", "4Gi"), limits=amounts("15", "8Gi"))


@pytest.fixture
def world():
    return AdjustingWorld()


def test_a_decision_comes_into_force_and_is_held(world):
    world.run("job")
    world.decide(MORE)
    assert world.adjust() == Adjusted(
        applied={**DECISION, "workers": 1},
        state=AppliedState(
            is_true=True, reason=AppliedReason.APPLIED, message="in force for 1 of 1 workers"
        ),
        replicas_with_all=1,
        has_more=False,
        has_raised=True,
    )
    assert world.amounts() == ("12", "24", "6Gi", "12Gi")
    assert world.books.used("gpu-1") == GpuAmounts(microtflops=12_000_000, vram_bytes=6 * GIB)
    world.show()
    assert world.books.used("gpu-1") == GpuAmounts(microtflops=12_000_000, vram_bytes=6 * GIB)
    assert world.books.snapshot().in_flight == 0


def test_what_is_in_force_is_not_written_again_also_before_the_cache_shows_it(world):
    world.run("job")
    world.decide(MORE)
    first = world.adjust()
    assert world.adjust() == replace(first, has_raised=False)
    world.show()
    assert world.adjust() == replace(first, has_raised=False)
    assert len(world.patches()) == 1


def test_an_equal_amount_in_another_spelling_is_left_as_it_is_spelt(world):
    world.run("job", amounts={"tflops-request": "10000m", "tflops-limit": "20"})
    world.decide(decided(requests=amounts("10"), limits=amounts("30")))
    world.adjust()
    assert world.amounts() == ("10000m", "30", None, None)


def test_nothing_happens_without_a_decision(world):
    world.run("job")
    assert world.adjust() == UNDECIDED
    world.decide(MORE)
    world.settle()
    world.withdraw()
    assert world.adjust() == UNDECIDED
    assert world.amounts() == ("12", "24", "6Gi", "12Gi")


def held_back(world):
    """Return reason and message of why nothing was done."""
    adjusted = world.adjust()
    assert world.amounts() == AS_DECLARED
    assert adjusted.state.is_true is False
    assert adjusted.has_more is False
    return adjusted.state.reason, adjusted.state.message


def test_an_installation_that_only_recommends_changes_nothing():
    world = AdjustingWorld(mode="recommend")
    world.run("job")
    world.decide(MORE)
    assert held_back(world) == (
        "RecommendOnly",
        "mode of ConfigMap tensor-fusion-control: recommend: workers keep what they have",
    )


def pause_everything(world):
    world.control(mode="apply", paused="true")


def pause_object(resource, name, world):
    world.annotate(resource, name, {PAUSED: "true"})


@pytest.mark.parametrize(
    ("pause", "what"),
    [
        (pause_everything, "paused of ConfigMap tensor-fusion-control"),
        (partial(pause_object, POOLS, "pool"), f"annotation {PAUSED} of GPUPool pool"),
        (
            partial(pause_object, WORKLOADS, "job"),
            f"annotation {PAUSED} of TensorFusionWorkload job",
        ),
    ],
)
def test_a_pause_keeps_everything_as_it_is(world, pause, what):
    world.run("job")
    world.decide(MORE, applied={"epoch": 3, "sequence": 6, "workers": 1})
    pause(world)
    assert held_back(world) == ("Paused", f"{what}: workers keep what they have")
    assert world.adjust().applied == {"epoch": 3, "sequence": 6, "workers": 1}


@pytest.mark.parametrize("applied", [(3, 8), (4, 0)])
def test_an_older_decision_than_the_one_applied_is_ignored(world, applied):
    epoch, sequence = applied
    world.run("job")
    world.decide(MORE, applied={"epoch": epoch, "sequence": sequence, "workers": 1})
    assert held_back(world) == (
        "StaleDecision",
        f"epoch 3, sequence 7 is older than what was applied: epoch {epoch}, sequence {sequence}",
    )


def test_a_decision_that_cannot_be_read_is_told_and_changes_nothing(world):
    world.run("job")
    world.decide(decided(requests=amounts("twelve")))
    reason, message = held_back(world)
    assert reason == "InvalidDecision"
    assert "status.desiredResources.requests.tflops: 'twelve' is not valid" in message


@pytest.mark.parametrize(
    ("config", "expected", "reason"),
    [
        ({"autoSetRequests": {"enable": True}}, ("12", "20", "6Gi", "8Gi"), "Applied"),
        ({"autoSetLimits": {"enable": True}}, ("10", "24", "4Gi", "12Gi"), "Applied"),
        ({**ENROLLED, "mode": "initial"}, AS_DECLARED, "AtStart"),
        ({**ENROLLED, "mode": "recommend"}, AS_DECLARED, "NotEnrolled"),
        ({}, AS_DECLARED, "NotEnrolled"),
    ],
)
def test_only_layers_that_are_enrolled_and_may_apply_change_a_running_worker(
    config, expected, reason
):
    world = AdjustingWorld(config=config)
    world.run("job")
    world.decide(MORE)
    state = world.adjust().state
    assert world.amounts() == expected
    assert (state.reason, state.is_true) == (reason, reason != "NotEnrolled")


def test_the_decision_for_its_gpu_model_counts_and_what_is_for_the_next_start_does_not(world):
    world.run("job")
    world.decide(
        decided(
            requests=amounts("11", "5Gi"),
            nextStart={"requests": amounts("1", "6Gi")},
            byGPUModel={"A100": {"requests": amounts("13")}, "H100": {"requests": amounts("14")}},
        )
    )
    world.adjust()
    assert world.amounts() == ("13", "20", "5Gi", "8Gi")


def test_a_pod_that_started_with_less_vram_is_not_raised_to_what_older_ones_have(world):
    world.run("job")
    world.decide(
        decided(requests=amounts("12", "8Gi"), nextStart={"requests": amounts(vram="3Gi")})
    )
    world.settle()
    assert world.amounts() == ("12", "20", "4Gi", "8Gi")
    assert world.adjust().state.reason == "Applied"


def test_percent_stay_percent_and_are_held_as_tflops_of_the_card(world):
    world.run("job", amounts={"compute-percent-request": "10", "compute-percent-limit": "20"})
    world.decide(decided(requests=amounts(compute="15"), limits=amounts(compute="30")))
    world.settle()
    annotations = world.api.find(PODS, "team", "job")["metadata"]["annotations"]
    assert annotations[f"{PREFIX}compute-percent-request"] == "15"
    assert annotations[f"{PREFIX}compute-percent-limit"] == "30"
    assert world.books.used("gpu-1").microtflops == 15_000_000


def test_a_decision_in_another_unit_than_the_worker_s_is_told(world):
    world.run("job")
    world.decide(decided(requests=amounts(compute="15")))
    assert held_back(world)[0] == "InvalidDecision"


def test_a_worker_that_waits_for_its_gpus_starts_with_the_newest_decision(world):
    world.add(worker())
    world.decide({**MORE, "nextStart": {"requests": amounts(vram="5Gi")}})
    assert world.adjust().applied == {**DECISION, "workers": 1}
    assert world.amounts() == ("12", "24", "5Gi", "12Gi")
    assert world.books.claim(world.api.find(PODS, "team", "job")["metadata"]["uid"]) is None
    assert world.events() == []
    world.show()
    world.decide(decided(sequence=8))
    world.adjust()
    assert world.amounts() == AS_DECLARED


def test_pods_that_end_or_have_ended_and_clients_are_left_alone(world):
    world.run("ended", phase="Succeeded")
    world.run("ending", metadata={"deletionTimestamp": "2026-01-01T00:00:00Z"})
    world.add(worker("free", gates=()))
    world.add(placed("client", labels={f"{PREFIX}component": "client"}))
    world.decide(MORE)
    assert world.adjust().applied == {**DECISION, "workers": 0}
    assert world.patches() == []


def test_a_request_that_does_not_fit_is_capped_with_the_reason_and_never_loops():
    world = AdjustingWorld(gpus=(gpu(vram="16Gi"),))
    world.run("job")
    world.run("other", workload="other", amounts={"tflops-request": "80", "vram-request": "6Gi"})
    world.decide(decided(requests=amounts("30", "12Gi"), limits=amounts("40", "14Gi")))
    adjusted = world.settle()
    assert world.amounts() == ("20", "40", "10Gi", "14Gi")
    assert adjusted.applied == {
        **DECISION,
        "workers": 0,
        "capped": [
            {
                "worker": "job",
                "reason": "GPUFull",
                "message": "tflops-request: 30 wanted, 20 granted; GPU gpu-1 lacks 10 TFLOPS; "
                "vram-request: 12Gi wanted, 10Gi granted; GPU gpu-1 lacks 2Gi",
            }
        ],
    }
    assert (adjusted.state.is_true, adjusted.state.reason) == (False, "Capped")
    assert adjusted.state.message.startswith("in force for 0 of 1 workers; less for worker job: ")
    written = len(world.patches())
    for _ in range(3):
        assert world.settle() == replace(adjusted, has_raised=False)
    assert len(world.patches()) == written == 1


def test_a_capped_worker_gets_the_rest_when_room_is_freed():
    world = AdjustingWorld(gpus=(gpu(vram="16Gi"),))
    world.run("job")
    world.run("other", workload="other", amounts={"tflops-request": "80", "vram-request": "6Gi"})
    world.decide(decided(requests=amounts("30", "12Gi"), limits=amounts("40", "14Gi")))
    world.settle()
    assert world.adjusting.capped_workloads_on({"gpu-1"}, set()) == {("team", "job")}
    assert world.adjusting.capped_workloads_on({"gpu-2"}, {"team"}) == set()
    world.woken()
    world.remove("other")
    assert "job" in world.woken()
    assert world.settle().applied == {**DECISION, "workers": 1}
    assert world.amounts() == ("30", "40", "12Gi", "14Gi")
    assert world.adjusting.capped_workloads_on({"gpu-1"}, set()) == set()


def test_room_that_is_freed_while_a_worker_is_written_is_not_missed():
    world = AdjustingWorld(gpus=(gpu(tflops="100"),))
    world.run("job")
    world.run("other", workload="other", amounts={"tflops-request": "80"})
    world.decide(decided(requests=amounts("30"), limits=amounts("40")))

    def free(method, path):
        if method == "PATCH":
            world.api.before = lambda method, path: None
            world.woken()
            world.remove("other")

    world.api.before = free
    world.adjust()
    assert world.amounts()[0] == "20"
    assert "job" in world.woken()


def test_what_lowers_goes_first_and_makes_room_once_the_cache_shows_it():
    world = AdjustingWorld(gpus=(gpu(tflops="30"),))
    world.run("a", amounts={"tflops-request": "5", "tflops-limit": "20"})
    world.run("b", amounts={"tflops-request": "25", "tflops-limit": "30"})
    world.decide(decided(requests=amounts("15")))
    adjusted = world.adjust()
    assert [path.rpartition("/")[2] for path in world.patches()] == ["b"]
    assert adjusted.applied["workers"] == 1
    world.woken()
    world.show()
    assert "job" in world.woken()
    assert world.settle().applied == {**DECISION, "workers": 2}


def test_a_workload_may_be_partly_applied_and_workers_get_room_by_name():
    world = AdjustingWorld(gpus=(gpu(tflops="40"),))
    world.run("c", "a", "b")
    world.decide(decided(requests=amounts("15"), limits=amounts("20")))
    adjusted = world.settle()
    assert [world.amounts(name)[0] for name in "abc"] == ["15", "15", "10"]
    assert adjusted.applied["workers"] == 2
    assert [entry["worker"] for entry in adjusted.applied["capped"]] == ["c"]


def test_a_limit_ends_at_the_capacity_of_the_card_and_bounds_its_request(world):
    world.run("job")
    world.decide(decided(requests=amounts("90", "90Gi"), limits=amounts("120", "100Gi")))
    adjusted = world.settle()
    assert world.amounts() == ("90", "100", "80Gi", "80Gi")
    assert adjusted.applied["capped"][0]["reason"] == "AboveGPU"


def test_a_worker_on_several_gpus_is_bounded_by_the_fullest_one():
    world = AdjustingWorld(gpus=(gpu("GPU-1"), gpu("GPU-2", index=1)))
    world.run("job", gpus=("GPU-1", "GPU-2"))
    world.run("other", workload="other", gpus=("GPU-2",), amounts={"tflops-request": "75"})
    world.decide(decided(requests=amounts("18"), limits=amounts("20")))
    adjusted = world.settle()
    assert world.amounts()[0] == "18"
    world.decide(decided(requests=amounts("30"), limits=amounts("30"), sequence=8))
    adjusted = world.settle()
    assert world.amounts()[0] == "25"
    assert "GPU gpu-2 lacks 5 TFLOPS" in adjusted.applied["capped"][0]["message"]


def test_totals_of_quotas_bind_and_count_every_gpu():
    world = AdjustingWorld(gpus=(gpu("GPU-1"), gpu("GPU-2", index=1)))
    world.limit(quota(total={"requests": {"tflops": "25"}, "limits": {"vram": "20Gi"}}))
    world.run("job", gpus=("GPU-1", "GPU-2"))
    world.decide(MORE)
    adjusted = world.settle()
    assert world.amounts() == ("12", "24", "6Gi", "10Gi")
    (entry,) = adjusted.applied["capped"]
    assert entry["reason"] == "QuotaExceeded"
    assert entry["message"] == (
        "vram-limit: 12Gi wanted, 10Gi granted; "
        "GPUResourceQuota quota spec.total.limits.vram lacks 2Gi"
    )
    assert world.adjusting.capped_workloads_on(set(), {"team"}) == {("team", "job")}


def test_what_a_quota_allows_one_worker_bounds_a_raise_and_takes_nothing_away(world):
    world.run("job")
    world.limit(quota(single={"maxRequests": {"tflops": "8"}, "maxLimits": {"vram": "9Gi"}}))
    world.decide(MORE)
    adjusted = world.settle()
    assert world.amounts() == ("10", "24", "6Gi", "9Gi")
    assert (
        "GPUResourceQuota quota spec.single.maxRequests.tflops lacks 2 TFLOPS"
        in (adjusted.applied["capped"][0]["message"])
    )


def test_a_quota_that_cannot_be_read_allows_nothing_more(world):
    world.run("job")
    world.add(worker("gated"))
    world.limit(quota(single={"maxRequests": {"tflops": "many"}}))
    world.decide(MORE)
    adjusted = world.settle()
    assert world.amounts() == AS_DECLARED
    assert world.amounts("gated") == AS_DECLARED
    assert [entry["reason"] for entry in adjusted.applied["capped"]] == ["QuotaExceeded"] * 2
    world.decide({**LESS, "sequence": 8})
    world.settle()
    assert world.amounts() == ("5", "15", "4Gi", "8Gi")


def test_a_worker_whose_gpu_is_gone_is_lowered_and_not_raised():
    world = AdjustingWorld()
    world.run("job", gpus=("GPU-9",))
    world.decide(MORE)
    (entry,) = world.settle().applied["capped"]
    assert world.amounts() == AS_DECLARED
    assert entry["reason"] == "GPULost"
    world.decide({**LESS, "sequence": 8})
    world.settle()
    assert world.amounts() == ("5", "15", "4Gi", "8Gi")


def test_percent_of_a_gpu_that_is_gone_are_those_of_its_written_peak():
    world = AdjustingWorld()
    percent = {"compute-percent-request": "10", "compute-percent-limit": "20"}
    world.run("job", gpus=("GPU-9",), amounts=percent)
    world.decide(decided(requests=amounts(compute="15"), limits=amounts(compute="15")))
    (entry,) = world.settle().applied["capped"]
    assert entry["reason"] == "GPULost"
    assert "compute-percent-request: 15 wanted, 10 granted" in entry["message"]
    annotations = world.api.find(PODS, "team", "job")["metadata"]["annotations"]
    assert annotations[f"{PREFIX}compute-percent-request"] == "10"
    assert annotations[f"{PREFIX}compute-percent-limit"] == "15"


def test_annotations_that_cannot_be_read_are_told_and_the_others_are_adjusted():
    world = AdjustingWorld(gpus=(gpu("GPU-1"), gpu("GPU-2", index=1)))
    world.run("bad", amounts={"tflops-request": "ten"})
    world.run("good", gpus=("GPU-2",))
    world.decide(MORE)
    adjusted = world.settle()
    assert world.amounts("good") == ("12", "24", "6Gi", "12Gi")
    assert adjusted.applied["workers"] == 1
    (entry,) = adjusted.applied["capped"]
    assert (entry["worker"], entry["reason"]) == ("bad", "InvalidWorker")
    assert "'ten' is not valid" in entry["message"]


def test_a_pod_that_was_set_back_to_what_was_declared_is_adjusted_again(world):
    world.run("job")
    world.decide(MORE)
    world.settle()
    declared = dict(zip(("tflops-request", "tflops-limit"), AS_DECLARED, strict=False))
    world.annotate(PODS, "job", {f"{PREFIX}{key}": text for key, text in declared.items()})
    world.settle()
    assert world.amounts() == ("12", "24", "6Gi", "12Gi")


def test_a_large_workload_is_adjusted_in_several_looks():
    world = AdjustingWorld(gpus=(gpu(tflops="10000", vram="10Ti"),))
    names = [f"w{i:03}" for i in range(MOST_WRITES + 2)]
    world.run(*names)
    world.decide(MORE)
    first = world.adjust()
    assert (first.has_more, first.state.reason) == (True, "Applying")
    assert first.applied == {**DECISION, "workers": MOST_WRITES}
    assert len(world.patches()) == MOST_WRITES
    second = world.adjust()
    assert (second.has_more, second.state.reason) == (False, "Applied")
    assert len(world.patches()) == len(names)


def test_events_are_told_once_for_each_decision_on_the_workload():
    world = AdjustingWorld(gpus=(gpu(tflops="30", vram="16Gi"),))
    world.run("a", "b")
    world.decide(MORE)
    world.settle()
    world.settle()
    note = (
        "worker a and 1 more: tflops-request 10 to 12, tflops-limit 20 to 24, "
        "vram-request 4Gi to 6Gi, vram-limit 8Gi to 12Gi"
    )
    assert world.events() == [("ResourceScaledUp", note)]
    world.decide({**LESS, "sequence": 8})
    world.settle()
    world.decide(decided(requests=amounts("29"), limits=amounts("29"), sequence=9))
    world.settle()
    world.settle()
    assert [reason for reason, _ in world.events()] == [
        "ResourceScaledUp",
        "ResourceScaledDown",
        "ResourceScaledUp",
        "ResourceCapped",
    ]
    assert {kind for kind, *_ in world.box.told()} == {"TensorFusionWorkload"}


def test_a_workload_that_is_gone_waits_for_nothing():
    world = AdjustingWorld(gpus=(gpu(vram="8Gi"),))
    world.run("job")
    world.decide(decided(requests=amounts(vram="10Gi"), limits=amounts(vram="10Gi")))
    world.settle()
    assert world.adjusting.capped_workloads_on({"gpu-1"}, set()) == {("team", "job")}
    world.api.remove(WORKLOADS, "team", "job")
    world.show()
    assert world.adjusting.capped_workloads_on({"gpu-1"}, set()) == set()


def test_room_that_is_kept_for_a_pod_is_not_given_to_a_worker_that_is_not_more_important(world):
    world.run("job", annotations={QOS: "medium"})
    for rank in (HIGH, LOW):
        nomination = Nomination(
            uid="another",
            rank=rank,
            node="n1",
            gpus=frozenset({"gpu-1"}),
            request=GpuAmounts(microtflops=89_000_000),
            awaited={},
            until_s=300.0,
        )
        world.tools.nominations.put("team", "another", nomination)
        world.decide(MORE)
        world.adjust()
        world.show()
        if rank == HIGH:
            assert world.amounts()[0] == "11"

    assert world.amounts()[0] == "12"
