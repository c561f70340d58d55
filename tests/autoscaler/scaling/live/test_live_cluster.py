"""The loop's cluster: what its changes become, and what others do in between."""

import pytest

from autoscaler.api.names import PAUSED
from autoscaler.errors import ApiUnavailableError, ForbiddenError
from autoscaler.kube.resource import DEPLOYMENTS, GPUS, PODS, WORKLOADS
from autoscaler.scaling.cluster import Guard, amounts
from autoscaler.scaling.live.replicas.replica_guard import ReplicaGuard
from autoscaler.scaling.live.status.status_parts import guard_from
from tests.autoscaler.scaling.live.live_objects import A100, GIB, L4, gpu, worker
from tests.autoscaler.scaling.live.writing_world import KEY, WritingWorld, change
from tests.autoscaler.workloads.objects import TEAM

MORE = {"request": {"tflops": 12.0}}
SCALE = "/apis/apps/v1/namespaces/team/deployments/chat/scale"


@pytest.fixture
def world():
    world = WritingWorld()
    world.add(workers=2)
    yield world
    world.close()


def test_a_statement_has_its_place_in_the_order_of_decisions(world):
    process = world.process(epoch=7)
    process.tick(change(**MORE))
    process.tick(change(**MORE))
    world.advance(15)
    process.tick(change(limit={"tflops": 30.0}))

    stated = world.status()["desiredResources"]
    assert (stated["epoch"], stated["sequence"], stated["time"]) == (7, 2, "2026-01-01T00:00:15Z")


def test_the_guard_is_written_with_the_decision(world):
    process = world.process()
    guard = Guard(changes=1, last_change_s=1_767_225_600, previous_request=amounts({"tflops": 9.0}))

    process.tick(change(**MORE, guard=guard))

    assert guard_from(world.status(), A100) == guard
    [view] = process.cluster.snapshot()
    assert view.guard == guard


def test_what_is_stated_already_says_what_became_of_it(world):
    process = world.process()
    process.tick(change(**MORE))
    capped = {"type": "DesiredApplied", "status": "False", "reason": "Capped", "message": "less"}
    world.api.edit(WORKLOADS, TEAM, "chat", lambda obj: obj["status"].update(conditions=[capped]))
    process.see()

    [outcome] = process.tick(change(**MORE))

    assert (outcome.applied, outcome.reason) == (False, "stated already: less")


def test_a_workload_that_is_gone_or_was_made_anew_gets_nothing(world):
    process = world.process()
    gone, anew = process.tick(change("other", **MORE), change(uid="before", **MORE))

    assert (gone.applied, gone.reason) == (False, "the workload is gone")
    assert anew.reason == "the workload was created anew under its name"
    assert world.writes() == []


def test_a_workload_on_two_gpu_models_is_written_once_for_both(world):
    world.api.add(GPUS, gpu("GPU-2", gpu_model=L4, model="L4", tflops="121"))
    world.api.add(PODS, worker("chat-on-l4", gpus=("GPU-2",)))
    process = world.process()

    found = process.tick(change(**MORE), change(request={"tflops": 6.0}, gpu_model=L4))

    assert [each.applied for each in found] == [True, True]
    assert len(world.writes()) == 1
    assert world.desired() == {
        "byGPUModel": {A100: {"requests": {"tflops": "12"}}, L4: {"requests": {"tflops": "6"}}}
    }


def test_replicas_are_set_after_the_status_says_so(world):
    process = world.process()
    [outcome] = process.tick(change(replicas=4, reason="demand is twice the target"))

    assert (outcome.applied, world.replicas()) == (True, 4)
    assert [path.rsplit("/", 1)[1] for path in world.writes()] == ["status", "scale"]
    assert world.status()["guard"]["replicas"] == {"stated": 2, "scaled": 4}
    assert process.told() == [("ReplicasScaled", "2 -> 4: demand is twice the target")]


def test_amounts_and_replicas_of_one_workload_take_one_status_write(world):
    process = world.process()
    found = process.tick(change(**MORE), change(replicas=4))

    assert [each.applied for each in found] == [True, True]
    assert len(world.writes()) == 2


def test_replicas_that_somebody_set_in_between_are_left_alone(world):
    process = world.process()
    process.cluster.snapshot()
    world.api.edit(DEPLOYMENTS, TEAM, "chat", lambda obj: obj["spec"].update(replicas=3))

    [outcome] = process.cluster.apply([change(replicas=4)])

    assert (outcome.applied, outcome.reason) == (False, "the replicas were changed meanwhile")
    assert world.replicas() == 3


def test_replicas_that_are_there_already_or_are_held_are_not_asked_for(world):
    world.add("batch", workers=1)
    owner = [{"apiVersion": "batch/v1", "kind": "Job", "name": "batch", "uid": "u"}]
    world.api.edit(WORKLOADS, TEAM, "batch", lambda obj: obj["status"].update(owners=owner))
    process = world.process()

    same, held = process.tick(change(replicas=2), change("batch", replicas=2))

    assert same.reason == "it has so many replicas already"
    assert "Job" in held.reason
    assert world.writes() == []


def test_a_missing_right_is_remembered_and_said(world):
    process = world.process()

    def forbid(method, path):
        if path == SCALE and method == "PATCH":
            raise ForbiddenError("deployments/scale is forbidden", http_status=403)

    world.api.before = forbid
    [outcome] = process.tick(change(replicas=4))

    assert outcome.reason == "this process lacks the right to scale Deployment chat"
    [view] = process.cluster.snapshot()
    assert view.replicas_held == outcome.reason
    [again] = process.tick(change(replicas=4))
    assert again.reason == outcome.reason


def test_a_number_whose_answer_got_lost_is_still_ours(world):
    process = world.process()

    def lose(method, path):
        if path == SCALE and method == "PATCH":
            raise ApiUnavailableError("the connection was closed")

    world.api.after = lose
    [outcome] = process.tick(change(replicas=4))
    world.api.after = lambda method, path: None
    world.follow()
    process.see()
    world.advance(600)
    process.tick()

    assert outcome.reason == "Deployment chat was not scaled: the connection was closed"
    assert world.replicas() == 4
    [view] = process.cluster.snapshot()
    assert (view.replicas, view.stated_replicas) == (4, 2)
    assert process.told() == []


def test_an_owner_that_is_gone_is_said(world):
    process = world.process()
    world.api.remove(DEPLOYMENTS, TEAM, "chat")

    [outcome] = process.tick(change(replicas=4))

    assert (outcome.applied, outcome.reason) == (False, "Deployment chat is gone")


def test_replicas_down_to_zero_are_set_as_any_other_number(world):
    process = world.process()
    process.tick(change(replicas=0))
    world.follow()
    process.see()

    assert world.replicas() == 0
    [again] = process.tick(change(replicas=1))
    assert (again.applied, world.replicas()) == (True, 1)


def test_a_remote_workload_is_scaled_itself(world):
    world.add("far", isLocalGPU=False)
    process = world.process()

    [outcome] = process.tick(change("far", replicas=3))

    assert outcome.applied
    assert world.workload("far")["spec"]["replicas"] == 3
    assert world.replicas("far") == 1


def test_a_number_that_others_set_is_told_and_becomes_the_stated_one(world):
    process = world.process()
    process.tick(change(replicas=4))
    world.follow()
    process.see()
    process.tick()
    world.set_replicas(3)
    process.see()

    [view] = process.cluster.snapshot()

    assert (view.replicas, view.stated_replicas, view.replicas_held) == (3, 3, "")
    assert process.told()[-1] == (
        "ReplicasReset",
        "somebody else set 3 replicas, where the autoscaler set 4",
    )


def test_after_three_resets_in_an_hour_replicas_are_left_alone(world):
    process = world.process()
    for _ in range(3):
        [outcome] = process.tick(change(replicas=4))
        assert outcome.applied
        world.follow()
        process.see()
        process.tick()
        world.set_replicas(2)
        process.see()
        process.tick()

    [view] = process.cluster.snapshot()
    [outcome] = process.tick(change(replicas=4))

    assert "three times within an hour" in view.replicas_held
    assert (outcome.applied, outcome.reason) == (False, view.replicas_held)
    world.advance(3600)
    process.tick()
    assert process.cluster.snapshot()[0].replicas_held == ""


def test_a_fail_over_goes_on_with_the_same_guard_and_writes_nothing_again(world):
    first = world.process(epoch=1)
    first.tick(change(**MORE, guard=Guard(changes=1)), change(replicas=4))
    world.follow()
    first.end()
    world.writes()

    second = world.process(epoch=2)
    same, scaled = second.tick(change(**MORE), change(replicas=4))
    [view] = second.cluster.snapshot()

    assert (same.reason, scaled.reason) == ("stated already", "it has so many replicas already")
    assert world.writes() == []
    assert (view.stated_replicas, view.guard) == (2, Guard(changes=1))
    world.set_replicas(3)
    second.see()
    assert second.cluster.snapshot()[0].stated_replicas == 3


def test_a_paused_workload_is_seen_as_such_before_anything_is_written(world):
    process = world.process()
    world.api.edit(
        WORKLOADS, TEAM, "chat", lambda obj: obj["metadata"]["annotations"].update({PAUSED: "true"})
    )
    process.see()

    [view] = process.cluster.reread([KEY])

    assert view.is_paused


def test_amounts_in_percent_come_back_as_the_same_tflops(world):
    percent = {"requests": {"compute": "10", "vram": "4Gi"}, "limits": {"compute": "20"}}
    world.add("share", resources=percent)
    process = world.process()

    process.tick(change("share", limit={"tflops": 33.3333}, request={"vram_bytes": 5 * GIB}))
    [again] = process.tick(change("share", limit={"tflops": 33.3333}))

    assert world.desired("share") == {
        "requests": {"vram": "5Gi"},
        "limits": {"compute": "33334m"},
    }
    assert again.reason == "stated already"


def test_a_workload_that_cannot_be_prepared_costs_no_other(world, caplog):
    world.add("bad")
    process = world.process()
    world.api.edit(WORKLOADS, TEAM, "bad", lambda obj: obj["status"].update(applied="nonsense"))
    process.see()

    bad, good = process.tick(change("bad", **MORE), change(**MORE))
    process.tick(change("bad", **MORE))

    assert (bad.applied, bad.reason.partition(":")[0], good.applied) == (False, "a defect", True)
    assert [each.getMessage() for each in caplog.records] == [
        "workload team/bad: its changes cannot be made"
    ]


def test_what_was_paused_after_it_was_read_again_is_left_alone(world):
    process = world.process()
    process.cluster.snapshot()
    world.api.edit(
        WORKLOADS, TEAM, "chat", lambda obj: obj["metadata"]["annotations"].update({PAUSED: "true"})
    )
    process.see()

    [outcome] = process.cluster.apply([change(**MORE)])

    assert (outcome.applied, outcome.reason) == (False, "the workload was paused")
    assert world.desired() == {}


def test_whoever_puts_replicas_back_at_once_is_not_fought(world):
    process = world.process()
    outcomes = []
    for _ in range(4):
        [outcome] = process.tick(change(replicas=4), is_seen=False)
        outcomes.append(outcome.reason)
        world.set_replicas(2)
        process.see()
        world.advance(15)

    put_back = "somebody else set the replicas back"
    assert outcomes == ["", put_back, "", put_back]
    assert (world.replicas(), world.scales()) == (2, 2)


def test_a_number_that_the_controller_has_not_seen_yet_is_set_and_told_once(world):
    process = world.process()
    first = process.tick(change(replicas=4))
    world.advance(600)
    second = process.tick(change(replicas=4))
    third = process.tick(change(replicas=5))
    world.follow()
    process.see()
    process.tick()

    reasons = [outcome.reason for outcome in (*first, *second, *third)]
    assert reasons == ["", "set already", "the replicas were changed meanwhile"]
    assert process.guards.of(world.workload()) == ReplicaGuard(stated=2, scaled=4)
    assert [reason for reason, _ in process.told()] == ["ReplicasScaled"]
