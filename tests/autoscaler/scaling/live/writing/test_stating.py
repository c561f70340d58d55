"""What was decided is written within its tick or not at all; what is shown, when there is time."""

import threading

import pytest

from autoscaler.api.names import PAUSED
from autoscaler.errors import (
    ApiUnavailableError,
    ConflictError,
    ForbiddenError,
    InvalidError,
    NotFoundError,
    ThrottledError,
)
from autoscaler.kube.resource import WORKLOADS
from autoscaler.kube.write_budget import WriteBudget
from autoscaler.scaling.live.writing.write_results import (
    LATER_S,
    LONGEST_LATER_S,
    WriteOutcome,
    failure_of,
)
from tests.autoscaler.scaling.live.writing_world import KEY, WritingWorld, change
from tests.autoscaler.workloads.objects import TEAM
from tests.components.processes import until

MORE = {"request": {"tflops": 12.0}}
STATUS = "/apis/tensor-fusion.ai/v1/namespaces/team/tensorfusionworkloads/chat/status"


@pytest.fixture
def world():
    world = WritingWorld()
    world.add()
    yield world
    world.close()


def outcomes(process):
    return dict(process.stating.snapshot().outcomes)


def test_what_was_decided_is_written_and_the_same_again_is_not(world):
    process = world.process()
    [first], [second] = process.tick(change(**MORE)), process.tick(change(**MORE))

    assert (first.applied, first.reason) == (True, "")
    assert (second.applied, second.reason) == (False, "stated already")
    assert world.writes() == [STATUS]
    assert world.desired() == {"requests": {"tflops": "12"}}


def test_what_was_written_is_known_before_the_cache_shows_it(world):
    process = world.process()
    process.tick(change(**MORE), is_seen=False)
    [again] = process.tick(change(**MORE), is_seen=False)
    [further] = process.tick(change(limit={"tflops": 30.0}))

    assert (again.applied, further.applied) == (False, True)
    assert world.desired() == {"requests": {"tflops": "12"}, "limits": {"tflops": "30"}}


def edit_once(world, edit):
    """Let somebody change the workload right before the next write."""

    def before(method, path):
        if method == "PATCH":
            world.api.before = lambda method, path: None
            world.api.edit(WORKLOADS, TEAM, "chat", edit)

    world.api.before = before


def test_a_word_of_the_controller_in_between_is_no_reason_to_decide_anew(world):
    process = world.process()
    edit_once(world, lambda obj: obj["status"].update(readyWorkers=1))

    [outcome] = process.tick(change(**MORE))

    assert outcome.applied
    assert world.status()["readyWorkers"] == 1
    assert world.desired() == {"requests": {"tflops": "12"}}


def restated(obj):
    obj["status"]["desiredResources"] = {"epoch": 9, "sequence": 1, "limits": {"tflops": "1"}}


@pytest.mark.parametrize(
    "edit",
    [
        lambda obj: obj["metadata"].update(generation=2),
        lambda obj: obj["metadata"]["annotations"].update({PAUSED: "true"}),
        lambda obj: obj["metadata"].update(uid="another"),
        restated,
    ],
)
def test_what_a_decision_depends_on_is_compared_before_it_is_written_again(edit, world):
    process = world.process()
    edit_once(world, edit)
    before = world.desired()

    [outcome] = process.tick(change(**MORE))

    assert (outcome.applied, outcome.reason) == (False, "the workload changed meanwhile")
    assert world.desired() in (before, {"limits": {"tflops": "1"}})
    assert outcomes(process) == {WriteOutcome.CHANGED: 1}


def test_a_workload_that_never_stands_still_is_given_up_for_this_tick(world):
    process = world.process()

    def edit(method, path):
        if method == "PATCH":
            ready = len(world.api.requests) + 1
            world.api.edit(
                WORKLOADS, TEAM, "chat", lambda obj: obj["status"].update(readyWorkers=ready)
            )

    world.api.before = edit
    [outcome] = process.tick(change(**MORE))

    assert outcome.reason == "the workload changed meanwhile"
    assert len([path for path in world.writes() if path == STATUS]) == 4


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ApiUnavailableError("no answer"), "no answer"),
        (ThrottledError("slowly", http_status=429), "slowly"),
        (ForbiddenError("no right", http_status=403), "no right"),
        (InvalidError("nonsense", http_status=422), "nonsense"),
        (NotFoundError("not there", http_status=404), "the workload is gone"),
        (RuntimeError("oops"), "a defect: RuntimeError('oops')"),
    ],
)
def test_an_error_of_one_workload_is_its_own(error, reason, world):
    world.add("other")
    process = world.process()

    def fail(method, path):
        if path == STATUS:
            raise error

    world.api.before = fail
    first, second = process.tick(change(**MORE), change("other", **MORE))

    assert (first.applied, first.reason) == (False, reason)
    assert second.applied
    assert world.desired() == {}


def test_a_process_that_does_not_lead_writes_nothing(world):
    process = world.process()
    process.is_leader = False

    [outcome] = process.tick(change(**MORE))

    assert (outcome.applied, outcome.reason) == (
        False,
        "this process does not lead, so it writes nothing",
    )
    assert world.writes() == []


def test_what_the_budget_does_not_allow_in_this_tick_is_decided_anew(world):
    for name in ("a", "b", "c"):
        world.add(name)
    process = world.process(budget=WriteBudget(2.0), apply_within_s=0.5)
    lower = {"request": {"tflops": 2.0}}

    found = process.tick(*(change(name, **lower) for name in ("a", "b", "c")))

    reasons = [each.reason for each in found if not each.applied]
    assert reasons
    assert set(reasons) == {"no write budget in this tick"}


def hanging(world, process, path, *changes):
    """Return what became of changes, the second of which waits behind a request that hangs."""
    is_stuck, go_on, found = threading.Event(), threading.Event(), []

    def hang(method, at):
        if at == path:
            is_stuck.set()
            go_on.wait(30.0)

    world.api.before = hang
    ticking = threading.Thread(target=lambda: found.extend(process.tick(*changes)))
    ticking.start()
    is_stuck.wait(30.0)
    until(
        lambda: process.stating.snapshot().outcomes.get(WriteOutcome.LATE) == 1,
        what="the second is withdrawn",
    )
    go_on.set()
    ticking.join(30.0)
    process.stating.stop()
    return [(each.applied, each.reason) for each in found]


LATE = (False, "no write budget in this tick")


def test_what_was_not_begun_within_the_tick_is_withdrawn_and_written_never(world):
    world.add("other")
    process = world.process(apply_within_s=0.3)

    found = hanging(world, process, STATUS, change(**MORE), change("other", **MORE))

    assert found == [(True, ""), LATE]
    assert (world.desired(), world.desired("other")) == ({"requests": {"tflops": "12"}}, {})


def test_replicas_whose_statement_was_begun_are_waited_for(world):
    world.add("other")
    process = world.process(apply_within_s=0.3)
    scale = "/apis/apps/v1/namespaces/team/deployments/chat/scale"

    found = hanging(
        world, process, scale, change(**MORE), change("other", **MORE), change(replicas=3)
    )

    assert found == [(True, ""), LATE, (True, "")]
    assert world.replicas() == 3


def test_the_urgent_ones_are_written_first(world):
    names = ("lower", "raised", "saturated", "denied")
    for name in names:
        world.add(name)
    process = world.process()

    process.tick(
        change("lower", request={"tflops": 2.0}),
        change("raised", limit={"tflops": 30.0}),
        change("saturated", limit={"tflops": 30.0}, is_urgent=True),
        change("denied", limit={"vram_bytes": 2.0**34}, is_urgent=True),
    )

    written = [path.split("/")[-2] for path in world.writes()]
    assert written == ["denied", "saturated", "raised", "lower"]


def test_what_is_shown_comes_again_when_the_api_server_answers(world):
    process = world.process()
    with world.down():
        process.stating.show(KEY)
        until(lambda: _has_looked(process), what="it was looked at")
    assert process.stating.snapshot().queue.failing == 0


def _has_looked(process):
    return process.stating.snapshot().queue.handed_out >= 1


@pytest.mark.parametrize(
    ("error", "outcome", "again_s"),
    [
        (NotFoundError("x"), WriteOutcome.GONE, None),
        (ConflictError("x"), WriteOutcome.CHANGED, LATER_S),
        (ThrottledError("x", http_status=429, retry_after_s=7.0), WriteOutcome.UNAVAILABLE, 7.0),
        (ThrottledError("x"), WriteOutcome.LATE, LATER_S),
        (ApiUnavailableError("x", retry_after_s=9e9), WriteOutcome.UNAVAILABLE, LONGEST_LATER_S),
        (InvalidError("x"), WriteOutcome.REFUSED, LONGEST_LATER_S),
        (ZeroDivisionError("x"), WriteOutcome.DEFECT, LONGEST_LATER_S),
    ],
)
def test_every_error_means_something_and_says_when_to_try_again(error, outcome, again_s):
    failure = failure_of(error)
    assert (failure.result.outcome, failure.again_s) == (outcome, again_s)
    assert not failure.result.is_stated
    assert failure.is_told == (outcome in {WriteOutcome.REFUSED, WriteOutcome.DEFECT})
