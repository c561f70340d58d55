"""What becomes of decisions, pods and books when writes fail, or nobody knows whether they did."""

from contextlib import suppress

import pytest

from autoscaler.api.names import PREFIX
from autoscaler.errors import (
    ApiUnavailableError,
    ConflictError,
    ForbiddenError,
    InvalidError,
    KubeError,
    NotFoundError,
    ThrottledError,
)
from autoscaler.kube.resource import PODS, WORKLOADS
from autoscaler.kube.writer import NotLeadingError
from autoscaler.workloads.adjusting.amounts_writing import LONGEST_REQUEST_S
from autoscaler.workloads.adjusting.refused_wish import AGAIN_S
from autoscaler.workloads.books.gpu_amounts import GpuAmounts
from autoscaler.workloads.books.observed_claims import observed_claims
from autoscaler.workloads.counts import AdjustOutcome, Direction
from autoscaler.workloads.work import WorkKind
from tests.autoscaler.workloads.adjusting_world import ENROLLED, AdjustingWorld, amounts, decided
from tests.autoscaler.workloads.objects import GIB, gpu, workload

MORE = decided(requests=amounts("12", "6Gi"), limits=amounts("24", "12Gi"))
HAD = GpuAmounts(microtflops=10_000_000, vram_bytes=4 * GIB)
HAS = GpuAmounts(microtflops=12_000_000, vram_bytes=6 * GIB)
IN_FORCE = ("12", "24", "6Gi", "12Gi")
AS_DECLARED = ("10", "20", "4Gi", "8Gi")


@pytest.fixture
def world():
    world = AdjustingWorld()
    world.run("job")
    world.decide(MORE)
    return world


def failing(error, *, methods=("PATCH",), name="job"):
    """Return what answers requests for a pod by an error."""

    def answer(method, path):
        if method in methods and path.endswith(f"/pods/{name}"):
            raise error

    return answer


def nothing(method, path):
    """Let a request be carried out."""


def assert_books_are_true(world):
    world.show()
    pods = world.api.all(PODS)
    assert world.books.drift(observed_claims(pods, world.books.card)) == ()
    assert world.books.snapshot().in_flight == 0


def test_a_pod_that_changed_meanwhile_is_adjusted_when_the_cache_shows_it_and_others_are_done(
    world,
):
    world.run("other")
    world.api.edit(
        PODS, "team", "job", lambda pod: pod["metadata"]["annotations"].update(of="user")
    )
    with pytest.raises(ConflictError):
        world.adjust()
    assert world.amounts() == AS_DECLARED
    assert world.amounts("other") == IN_FORCE
    assert world.books.used("gpu-1") == HAD + HAS
    world.show()
    assert world.adjust().applied["workers"] == 2
    assert world.amounts() == IN_FORCE
    assert_books_are_true(world)


def test_a_pod_that_is_gone_is_left_out(world):
    world.run("other")
    world.api.remove(PODS, "team", "job")
    assert world.adjust().applied["workers"] == 1
    assert world.amounts("other") == IN_FORCE
    assert_books_are_true(world)


@pytest.mark.parametrize("error", [InvalidError("no such value"), ForbiddenError("not yours")])
def test_a_change_that_the_api_server_refuses_is_told_and_tried_again_later(world, error):
    world.api.before = failing(error)
    adjusted = world.adjust()
    assert adjusted.applied["capped"] == [
        {"worker": "job", "reason": "WriteRefused", "message": str(error)}
    ]
    assert (("workload", "team", "job"), AGAIN_S) in world.box.work.delayed
    assert world.books.used("gpu-1") == HAD
    counts = world.tools.counts.snapshot().adjusts
    assert counts[Direction.UP, AdjustOutcome.FAILED] == 1
    world.api.before = nothing
    assert world.settle() == adjusted
    assert world.amounts() == AS_DECLARED
    world.box.advance(AGAIN_S)
    world.settle()
    assert world.amounts() == IN_FORCE
    assert_books_are_true(world)


def change_the_pod(world):
    world.annotate(PODS, "job", {"of": "user"})


def decide_anew(world):
    world.decide({**MORE, "sequence": 8, "limits": amounts("25", "12Gi")})


@pytest.mark.parametrize("change", [change_the_pod, decide_anew])
def test_a_refused_change_is_tried_again_when_pod_or_decision_change(world, change):
    world.api.before = failing(InvalidError("no such value"))
    world.adjust()
    world.api.before = nothing
    change(world)
    world.settle()
    assert world.amounts()[0] == "12"
    assert_books_are_true(world)


def test_refused_changes_of_two_workloads_do_not_bring_each_other_without_end(world):
    world.run("other", workload="other")
    other = workload("other", autoScalingConfig=ENROLLED)
    world.api.add(WORKLOADS, {**other, "status": {"desiredResources": MORE}})
    world.show()
    asked = []

    def refuse(method, path):
        if method == "PATCH":
            asked.append(path.rpartition("/")[2])
            raise ForbiddenError("a policy says no")

    world.api.before = refuse
    woken = {"job", "other"}
    for _ in range(20):
        world.woken()
        for name in sorted(woken):
            world.adjust(name)
        woken = world.woken()
    assert (sorted(asked), woken) == (["job", "other"], set())


@pytest.mark.parametrize(
    "error", [ConflictError("it changed"), ThrottledError("wait"), NotFoundError("it is gone")]
)
def test_what_a_failed_write_gives_back_brings_its_own_workload_a_bit_later(world, error):
    world.box.work.added.clear()
    world.api.before = failing(error)
    with suppress(KubeError):
        world.adjust()
    at_once = {key.kind for key, _ in world.box.work.added}
    assert WorkKind.WORKLOAD not in at_once
    assert world.woken() == {"job"}


@pytest.mark.parametrize("error", [ThrottledError("slow down"), NotLeadingError("not the leader")])
def test_what_was_surely_not_written_is_given_back_and_comes_again(world, error):
    world.api.before = failing(error)
    with pytest.raises(type(error)):
        world.adjust()
    assert world.books.used("gpu-1") == HAD
    assert world.books.snapshot().in_flight == 0


def test_a_write_whose_answer_got_lost_is_found_by_looking_at_the_pod(world):
    world.api.after = failing(ApiUnavailableError("the connection broke"))
    with pytest.raises(ApiUnavailableError):
        world.adjust()
    world.api.after = nothing
    assert world.books.used("gpu-1") == HAS
    assert world.adjust().applied["workers"] == 1
    assert len(world.patches()) == 1
    assert_books_are_true(world)


def test_a_write_that_may_still_come_through_stays_held_and_is_made_again(world):
    world.api.before = failing(ApiUnavailableError("no answer in time"))
    with pytest.raises(ApiUnavailableError):
        world.adjust()
    assert world.books.used("gpu-1") == HAS
    assert world.books.snapshot().in_flight == 1
    world.api.before = failing(ThrottledError("slow down"))
    with pytest.raises(ThrottledError):
        world.adjust()
    assert world.books.used("gpu-1") == HAS
    world.api.before = nothing
    assert world.adjust().applied["workers"] == 1
    assert_books_are_true(world)


def test_a_write_that_came_through_late_is_recognised_by_its_conflict(world):
    world.api.after = failing(ApiUnavailableError("no answer in time"), methods=("PATCH", "GET"))
    with pytest.raises(ApiUnavailableError):
        world.adjust()
    world.api.after = nothing
    assert world.books.used("gpu-1") == HAS
    with pytest.raises(ConflictError):
        world.adjust()
    assert world.books.used("gpu-1") == HAS
    assert world.adjust().applied["workers"] == 1
    assert_books_are_true(world)


def test_what_became_of_a_write_is_clear_when_the_cache_shows_a_later_version(world):
    world.api.before = failing(ApiUnavailableError("no answer in time"))
    with pytest.raises(ApiUnavailableError):
        world.adjust()
    world.api.before = nothing
    world.withdraw()
    world.api.edit(
        PODS, "team", "job", lambda pod: pod["metadata"]["annotations"].update(of="user")
    )
    world.show()
    assert world.books.used("gpu-1") == HAS
    world.adjust()
    assert world.books.used("gpu-1") == HAD
    assert_books_are_true(world)


def test_a_write_that_never_came_is_given_back_when_no_server_works_on_it_any_more(world):
    world.api.before = failing(ApiUnavailableError("no answer in time"))
    with pytest.raises(ApiUnavailableError):
        world.adjust()
    world.api.before = nothing
    world.withdraw()
    ((key, delay_s),) = world.box.work.delayed
    assert (key, delay_s) == (("workload", "team", "job"), LONGEST_REQUEST_S)
    world.adjust()
    assert world.books.used("gpu-1") == HAS
    world.box.advance(int(delay_s))
    world.adjust()
    assert world.books.used("gpu-1") == HAD
    assert_books_are_true(world)


def test_a_write_of_unknown_outcome_is_looked_at_again_until_it_is_over(world):
    world.api.before = failing(ApiUnavailableError("no answer"))
    with pytest.raises(ApiUnavailableError):
        world.adjust()
    world.api.before = nothing
    world.decide(decided(requests=amounts("10", "4Gi"), limits=amounts("20", "8Gi"), sequence=8))
    world.box.work.delayed.clear()
    world.box.advance(LONGEST_REQUEST_S - 1)
    world.adjust()
    assert world.books.used("gpu-1") == HAS
    [(key, left_s)] = world.box.work.delayed
    assert (key.name, round(left_s, 3)) == ("job", 1.0)
    world.box.advance(left_s)
    world.adjust()
    assert_books_are_true(world)
    assert world.books.used("gpu-1") == HAD


def test_a_pod_that_was_made_anew_under_its_name_is_not_taken_for_the_old_one(world):
    def make_anew(method, path):
        if method == "PATCH" and path.endswith("/pods/job"):
            old = world.api.find(PODS, "team", "job")
            world.api.remove(PODS, "team", "job")
            metadata = {**old["metadata"], "uid": "another"}
            world.api.add(PODS, {**old, "metadata": metadata})
            raise ApiUnavailableError("no answer in time")

    world.api.before = make_anew
    with pytest.raises(ApiUnavailableError):
        world.adjust()
    world.api.before = nothing
    assert world.books.used("gpu-1") == HAD
    world.show()
    world.settle()
    assert world.amounts() == IN_FORCE
    assert_books_are_true(world)


def test_a_gated_pod_whose_write_fails_holds_nothing():
    world = AdjustingWorld(gpus=(gpu(),))
    world.run("job", gpus=(), is_bound=False, gates=("tensor-fusion.ai/gpu-placement",))
    world.decide(MORE)
    world.api.before = failing(ApiUnavailableError("no answer in time"))
    with pytest.raises(ApiUnavailableError):
        world.adjust()
    assert world.books.snapshot().in_flight == 0
    world.api.before = nothing
    world.settle()
    annotations = world.api.find(PODS, "team", "job")["metadata"]["annotations"]
    assert annotations[f"{PREFIX}tflops-request"] == "12"
