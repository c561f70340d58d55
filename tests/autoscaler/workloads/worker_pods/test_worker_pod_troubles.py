"""Worker pods that fail, are refused or get lost: each is said, and tried again at its time."""

from dataclasses import replace

import pytest

from autoscaler.errors import ApiUnavailableError, ForbiddenError
from autoscaler.kube.resource import PODS
from tests.autoscaler.workloads.serving import NAME, ServingWorld


def test_a_failed_worker_is_replaced_after_a_wait_that_doubles():
    world = ServingWorld(replicas=1)
    waits = []
    for _ in range(7):
        world.settle()
        [name] = world.names()
        world.fail(name)
        wait_s = world.look().again_s
        waits.append(wait_s)
        assert [each["metadata"]["name"] for each in world.workers()] == [name]
        world.box.advance(int(wait_s) - 1)
        assert world.look().again_s == 1
        world.box.advance(1)
        world.look()
        world.end_deleted()
        assert len(world.names()) == 1
        assert world.names() != [name]
    assert waits == [10, 20, 40, 80, 160, 300, 300]
    assert ("TensorFusionWorkload", NAME, "WorkerFailed", f"{name}: Failed") in world.box.told()


def test_a_worker_that_served_long_begins_the_waits_again():
    world = ServingWorld(replicas=1)
    for lifetime_s in (0, 301):
        world.settle()
        world.box.advance(lifetime_s)
        [name] = world.names()
        world.fail(name)
        wait_s = world.look().again_s
        assert wait_s == 10
        world.box.advance(int(wait_s))


def test_a_failed_worker_that_is_not_wanted_any_more_goes_at_once():
    world = ServingWorld(replicas=1)
    world.settle()
    world.fail(*world.names())
    world.set_spec(replicas=0)
    world.look()
    world.end_deleted()
    assert world.workers() == []


def test_a_refused_worker_is_a_problem_with_the_server_s_words_and_is_tried_later():
    world = ServingWorld(replicas=2)

    def refuse(method, path):
        if method == "POST" and path.endswith("/pods"):
            raise ForbiddenError("exceeded quota: compute")

    world.api.before = refuse
    results = [world.look()]
    tried = len(world.api.requests)
    results.append(world.look())
    assert len(world.api.requests) == tried
    assert [each.again_s for each in results] == [10, 10]
    assert {each.problem.reason for each in results} == {"WorkersNotCreated"}
    assert "exceeded quota: compute" in results[0].problem.message
    world.api.before = lambda method, path: None
    world.box.advance(10)
    assert world.look().problem is None
    assert len(world.names()) == 2


def test_a_problem_is_told_once_while_it_stays_the_same():
    world = ServingWorld(replicas=1, poolName="other")
    for _ in range(3):
        world.look()
    world.set_spec(poolName="third")
    world.look()
    notes = [note for *_, reason, note in world.box.told() if reason == "WorkersNotCreated"]
    assert len(notes) == 2
    assert world.box.events.snapshot().recorded == 2


def test_a_refusal_is_tried_again_at_once_when_the_template_is_another():
    world = ServingWorld(replicas=1, image="Bad Image")
    admit = world.api.admit

    def refuse_image(resource, obj):
        if resource == PODS and obj["spec"]["containers"][0]["image"] == "Bad Image":
            raise ForbiddenError("no such image")
        return admit(resource, obj)

    world.api.admit = refuse_image
    assert world.look().problem is not None
    world.set_pool(image="worker:2")
    assert world.look().problem is None
    assert len(world.names()) == 1


def test_a_pod_that_no_webhook_admitted_is_deleted_and_said():
    world = ServingWorld(replicas=2)
    world.is_webhook_in_force = False
    result = world.look()
    assert result.problem.reason == "WebhookNotInForce"
    assert world.api.all(PODS) == []
    assert world.look().again_s == 10
    world.is_webhook_in_force = True
    world.box.advance(10)
    assert world.look().problem is None
    assert len(world.names()) == 2


@pytest.mark.parametrize("is_in_force", [True, False])
def test_a_worker_whose_answer_got_lost_is_found_again(is_in_force):
    world = ServingWorld(replicas=1)
    world.is_webhook_in_force = is_in_force

    def lose(method, path):
        if method == "POST" and path.endswith("/pods"):
            raise ApiUnavailableError("no answer")

    world.api.after = lose
    world.box.show()
    with pytest.raises(ApiUnavailableError):
        world.look(is_shown=False)
    world.api.after = lambda method, path: None
    result = world.look(is_shown=False)
    assert (result.problem is None) == is_in_force
    assert len(world.api.all(PODS)) == (1 if is_in_force else 0)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"workerPodTemplate": {"spec": {"hostNetwork": True}}}, "hostNetwork"),
        ({"workerPodTemplate": {"spec": {"tolerations": 5}}}, "tolerations"),
        ({"poolName": "other"}, "'other' is no GPUPool"),
    ],
)
def test_what_gives_no_template_is_a_problem_and_the_workers_stay(change, message):
    world = ServingWorld(replicas=2)
    world.settle()
    before = world.names()
    world.set_spec(**change)
    result = world.look()
    assert result.problem.reason == "WorkersNotCreated"
    assert message in result.problem.message
    assert world.names() == before


def test_an_installation_without_worker_pods_says_so():
    world = ServingWorld(replicas=1)
    tools = world.box.tools
    rules = type(tools.rules)(has_standalone_workers=False)
    world.worker_pods = type(world.worker_pods)(replace(tools, rules=rules))
    assert "--standalone-workers" in world.look().problem.message
    assert world.workers() == []
