from autoscaler.api.names import EventReason
from autoscaler.workloads.placement.placement_problems import (
    MOST_MODELS,
    OTHER,
    PlacementProblem,
    PlacementProblems,
)
from autoscaler.workloads.placement.shortage import Shortage

LATER = "2026-01-02T00:00:00Z"


def problem(name="job", *, uid=None, reason=EventReason.NO_GPU_AVAILABLE, missing_gpus=1, **fields):
    shortage = Shortage(
        reason=reason, message="none", missing_gpus=missing_gpus, gpu_model=fields.pop("model", "")
    )
    facts = {"namespace": "team", "pool": "pool", "qos": "medium", **fields}
    facts.setdefault("created", "2026-01-01T00:00:00Z")
    return PlacementProblem(uid=uid or f"uid-of-{name}", name=name, shortage=shortage, **facts)


def test_what_is_wrong_is_found_by_uid_until_it_is_forgotten():
    problems = PlacementProblems()

    assert problems.note(problem())
    assert not problems.note(problem())
    assert problems.shortage_of("uid-of-job") == problem().shortage
    assert problems.forget("team", "job")
    assert not problems.forget("team", "job")
    assert problems.shortage_of("uid-of-job") is None


def test_a_pod_of_the_same_name_has_the_problem_of_its_own():
    problems = PlacementProblems()
    problems.note(problem(uid="old"))
    problems.note(problem(uid="new"))

    assert problems.shortage_of("old") is None
    assert problems.shortage_of("new") is not None


def test_the_most_important_pods_come_first_and_then_the_oldest():
    problems = PlacementProblems()
    for each in (
        problem("d", qos="low"),
        problem("c", qos="medium", created=LATER),
        problem("b", qos="medium"),
        problem("a", qos="critical", created=LATER),
        problem("e", qos="unreadable"),
    ):
        problems.note(each)

    assert [each.name for each in problems.waiting()] == ["a", "b", "c", "d", "e"]


def test_a_pod_that_lost_its_gpu_does_not_wait():
    problems = PlacementProblems()
    problems.note(problem(reason=EventReason.GPU_LOST))

    assert problems.waiting() == ()
    assert problems.snapshot().pods == {}


def test_pods_and_missing_gpus_are_counted_by_pool():
    problems = PlacementProblems()
    problems.note(problem("a", missing_gpus=2, model="A100"))
    problems.note(problem("b", missing_gpus=1, model="A100"))
    problems.note(problem("c", missing_gpus=4))
    problems.note(problem("d", missing_gpus=0, reason=EventReason.QUOTA_EXCEEDED, pool="other"))

    counted = problems.snapshot()

    assert counted.pods == {("pool", "NoGPUAvailable"): 3, ("other", "QuotaExceeded"): 1}
    assert counted.missing_gpus == {("pool", "A100"): 3, ("pool", ""): 4}


def test_whatever_users_call_their_models_there_are_few_numbers():
    problems = PlacementProblems()
    for number in range(MOST_MODELS + 50):
        name = f"model-{number:03}"
        problems.note(problem(name, missing_gpus=1, model=name))

    counted = problems.snapshot().missing_gpus

    assert len(counted) == MOST_MODELS + 1
    assert sum(counted.values()) == MOST_MODELS + 50
    assert counted["pool", OTHER] == 50
