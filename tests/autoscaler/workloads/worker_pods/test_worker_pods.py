"""Worker pods come, are replaced and go as their workload, their pool and their clients ask."""

from autoscaler.api.names import (
    COMPONENT,
    GPU_COUNT,
    INJECT_CONTAINER,
    PLACEMENT_GATE,
    PREFIX,
    WORKLOAD_LABEL,
)
from autoscaler.kube.resource import CONNECTIONS, PODS, WORKLOADS
from autoscaler.workloads.counts import WorkerPodAction
from tests.autoscaler.workloads.objects import TEAM
from tests.autoscaler.workloads.serving import NAME, TEMPLATE, ServingWorld

WITH_ROOM = {**TEMPLATE, "strategy": {"rollingUpdate": {"maxSurge": 2, "maxUnavailable": 1}}}


def test_a_made_worker_is_admitted_as_an_embedded_worker_of_its_workload():
    world = ServingWorld(replicas=1, gpuCount=2)
    result = world.look()
    assert (result.wanted, result.problem, result.again_s) == (1, None, None)
    [worker] = world.workers()
    metadata, spec = worker["metadata"], worker["spec"]
    assert metadata["labels"][COMPONENT] == "worker"
    assert metadata["labels"][WORKLOAD_LABEL] == NAME
    assert metadata["labels"]["pod-template-hash"] == result.template_hash
    assert metadata["annotations"][INJECT_CONTAINER] == "worker"
    assert metadata["annotations"][GPU_COUNT] == "2"
    assert metadata["annotations"][f"{PREFIX}vram-request"] == "4Gi"
    assert spec["schedulingGates"] == [{"name": PLACEMENT_GATE}]
    assert [each["image"] for each in spec["containers"]] == ["worker:1"]
    assert [each["name"] for each in spec["initContainers"]] == ["tf-limiter"]
    [owner] = metadata["ownerReferences"]
    assert (owner["kind"], owner["controller"], owner["blockOwnerDeletion"]) == (
        "TensorFusionWorkload",
        True,
        False,
    )


def test_as_many_workers_are_made_as_are_stated_and_no_more_at_a_second_look():
    world = ServingWorld(replicas=3)
    world.look()
    first = world.names()
    assert len(first) == 3
    world.look()
    assert world.names() == first
    assert (
        "TensorFusionWorkload",
        NAME,
        "WorkerCreated",
        "worker pods made: 3",
    ) in world.box.told()


def test_a_cache_that_lags_makes_no_worker_twice_and_deletes_none_twice():
    world = ServingWorld(replicas=2)
    world.look()
    world.look(is_shown=False)
    assert len(world.names()) == 2
    world.box.show()
    world.set_spec(replicas=1)
    world.run()
    world.look()
    deleted = [each for each in world.api.writes() if each[0] == "DELETE"]
    world.box.tools.cluster.store(WORKLOADS).put(world.api.find(WORKLOADS, TEAM, NAME))
    world.look(is_shown=False)
    assert [each for each in world.api.writes() if each[0] == "DELETE"] == deleted
    assert len(deleted) == 1


def test_another_controller_with_an_old_cache_makes_no_further_worker():
    world = ServingWorld(replicas=2)
    world.box.show()
    world.look(is_shown=False)
    other = type(world.worker_pods)(world.box.tools)
    cluster = world.box.tools.cluster
    result = other.reconcile(
        cluster.store(WORKLOADS).get(TEAM, NAME), cluster.pods_of_workload(TEAM, NAME)
    )
    assert len(world.workers()) == 2
    assert result.problem is None
    assert result.again_s == 1.0


def test_without_a_stated_count_each_client_gets_a_worker_and_a_client_that_ended_none():
    world = ServingWorld()
    assert world.look().wanted == 0
    world.client("a")
    world.client("b")
    world.look()
    assert len(world.names()) == 2
    world.api.edit(PODS, TEAM, "a", lambda each: each.update(status={"phase": "Succeeded"}))
    world.look()
    assert len(world.names()) == 1
    world.api.remove(PODS, TEAM, "a")
    world.api.remove(PODS, TEAM, "b")
    assert world.look().wanted == 0
    assert world.names() == []


def test_beside_local_clients_there_is_a_worker_each_whatever_replicas_repeats():
    world = ServingWorld(is_local=True, replicas=5)
    world.client("a")
    assert world.look().wanted == 1


def test_a_scale_down_takes_workers_that_serve_nobody_first_then_those_that_serve_fewest():
    world = ServingWorld(replicas=4)
    world.look()
    placed_ready, busy, _waiting, idle = world.names()
    world.run(placed_ready, busy, idle)
    for i, worker in enumerate([busy, busy, placed_ready]):
        world.client(f"c{i}")
        world.connect(f"c{i}")
        status = {"status": {"workerName": worker}}
        world.api.merge_patch(CONNECTIONS, f"c{i}", status, TEAM, subresource="status")
    left = []
    for replicas in (3, 2, 1, 0):
        world.set_spec(replicas=replicas)
        world.look()
        world.end_deleted()
        left.append(world.names())
    assert left == [
        sorted([placed_ready, busy, idle]),
        sorted([placed_ready, busy]),
        [busy],
        [],
    ]


def test_autoscaled_amounts_replace_nothing_and_another_image_replaces_one_by_one():
    world = ServingWorld(replicas=3)
    world.settle()
    before = world.look().template_hash
    world.set_spec(resources={"requests": {"tflops": "20"}})
    assert world.look().template_hash == before
    world.set_pool(image="worker:2")
    counts = world.settle()
    images = {each["spec"]["containers"][0]["image"] for each in world.workers()}
    assert images == {"worker:2"}
    assert min(counts) >= 3
    assert max(counts) == 4


def test_a_worker_that_never_becomes_ready_stops_the_replacement_after_the_surge():
    world = ServingWorld(replicas=3)
    world.settle()
    old = world.names()
    world.set_pool(image="broken:1")
    for _ in range(5):
        world.look()
        world.end_deleted()
    assert set(old) <= set(world.names())
    assert len(world.names()) == 4


def test_the_pool_says_how_many_may_be_missing_while_workers_are_replaced():
    world = ServingWorld(replicas=4, template=WITH_ROOM)
    world.settle()
    world.set_pool(image="worker:2")
    counts = world.settle()
    assert min(counts) >= 3
    assert max(counts) <= 6
    assert len(world.names()) == 4


def test_a_workload_that_turns_to_embedded_pods_keeps_its_workers_while_it_has_clients():
    world = ServingWorld()
    world.client("a")
    world.settle()
    world.set_spec(isLocalGPU=True, noStandaloneWorkerMode=True)
    world.look()
    assert len(world.names()) == 1
    world.api.remove(PODS, TEAM, "a")
    world.look()
    assert world.names() == []


def test_a_workload_that_is_going_makes_nothing():
    world = ServingWorld(replicas=2)
    going = {"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}}
    world.api.edit(WORKLOADS, TEAM, NAME, lambda each: each["metadata"].update(going["metadata"]))
    world.look()
    assert world.workers() == []


def test_many_workers_are_made_in_several_looks():
    world = ServingWorld(replicas=120)
    counts = []
    while not counts or world.look().again_s == 0:
        counts.append(len(world.names()))
    assert counts == [0, 50, 100]
    assert len(world.names()) == 120
    counted = world.box.tools.counts.snapshot().worker_pods
    assert counted[WorkerPodAction.CREATED] == 120
