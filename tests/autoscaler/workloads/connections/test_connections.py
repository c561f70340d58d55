"""Clients get a worker each, keep it while it is there, and start where it runs."""

import pytest

from autoscaler.api.names import PLACEMENT_GATE
from autoscaler.errors import ApiUnavailableError, ConflictError
from autoscaler.kube.resource import CONNECTIONS, PODS, WORKLOADS
from autoscaler.workloads.nodes.node_fit import HOSTNAME
from tests.autoscaler.workloads.objects import TEAM
from tests.autoscaler.workloads.serving import NAME, ServingWorld


def serving(*, clients=("a",), **spec):
    """Return a world with clients and ready workers."""
    world = ServingWorld(**spec)
    for name in clients:
        world.client(name)
    world.look()
    world.run()
    return world


def test_a_client_gets_a_connection_that_goes_with_it_and_names_worker_and_address():
    world = serving(replicas=1)
    [worker] = world.workers()
    status = world.connect()["a"]
    assert status["phase"] == "Running"
    assert status["workerName"] == worker["metadata"]["name"]
    uid = worker["metadata"]["uid"][:8]
    assert status["connectionURL"] == f"native+10.0.0.1+8000+{status['workerName']}-{uid}"
    [connection] = world.api.all(CONNECTIONS)
    assert connection["spec"] == {"workloadName": NAME, "clientPod": "a"}
    [owner] = connection["metadata"]["ownerReferences"]
    assert owner["uid"] == world.api.get(PODS, "a", TEAM)["metadata"]["uid"]


def test_a_second_look_writes_nothing():
    world = serving(replicas=1)
    world.connect()
    writes = len(world.api.requests)
    world.connect()
    assert len(world.api.requests) == writes


def test_clients_are_spread_over_shared_workers_even_before_the_cache_shows_it():
    world = serving(replicas=2, clients=[f"c{i}" for i in range(6)])
    world.box.show()
    for i in range(6):
        world.connect(f"c{i}", is_shown=False)
    chosen = [each["workerName"] for each in world.connect().values()]
    assert sorted(map(chosen.count, world.names())) == [3, 3]


def test_a_client_without_a_ready_worker_waits_and_says_so():
    world = ServingWorld(replicas=1)
    world.client("a")
    world.look()
    status = world.connect()["a"]
    assert status["phase"] == "Pending"
    assert "workerName" not in status
    [condition] = status["conditions"]
    assert (condition["status"], condition["reason"]) == ("False", "WaitingForWorker")
    world.run()
    assert world.connect()["a"]["phase"] == "Running"


def test_a_client_keeps_its_worker_when_another_one_has_fewer_clients():
    world = serving(replicas=1, clients=["a", "b", "c"])
    first = {name: each["workerName"] for name, each in world.connect().items()}
    world.set_spec(replicas=3)
    world.look()
    world.run()
    assert {name: each["workerName"] for name, each in world.connect().items()} == first


def test_a_worker_that_is_unready_for_a_while_keeps_its_client_without_an_address():
    world = serving(replicas=2)
    worker = world.connect()["a"]["workerName"]
    world.run(worker, is_ready=False)
    status = world.connect()["a"]
    assert (status["phase"], status["workerName"]) == ("Pending", worker)
    assert "connectionURL" not in status


@pytest.mark.parametrize("end", ["fail", "delete", "remove"])
def test_a_client_gets_another_worker_when_its_own_goes(end):
    world = serving(replicas=2)
    worker = world.connect()["a"]["workerName"]
    if end == "fail":
        world.fail(worker)
    elif end == "delete":
        world.api.delete(PODS, worker, TEAM)
    else:
        world.api.remove(PODS, TEAM, worker)
    status = world.connect()["a"]
    assert status["phase"] == "Running"
    assert status["workerName"] in set(world.names()) - {worker}


def test_a_client_with_a_worker_of_its_own_shares_it_with_nobody():
    world = serving(clients=["a", "b"])
    [first, second] = world.names()
    world.run(second, is_ready=False)
    statuses = world.connect()
    assert sorted(each["phase"] for each in statuses.values()) == ["Pending", "Running"]
    world.run(second)
    assert {each["workerName"] for each in world.connect().values()} == {first, second}


def test_a_worker_without_a_port_is_named_as_what_is_wrong():
    world = serving(replicas=1, template={})
    [condition] = world.connect()["a"]["conditions"]
    assert condition["reason"] == "NoPort"
    assert "containerPort" in condition["message"]


def test_a_connection_of_an_earlier_pod_of_the_name_is_waited_out():
    world = serving(replicas=1)
    world.connect()
    world.api.remove(PODS, TEAM, "a")
    world.client("a")
    world.connect("a")
    [(key, _)] = world.box.work.delayed
    assert (str(key.kind), key.namespace, key.name) == ("connection", TEAM, "a")
    [old] = world.api.all(CONNECTIONS)
    world.api.remove(CONNECTIONS, TEAM, "a")
    world.connect("a")
    [new] = world.api.all(CONNECTIONS)
    assert new["metadata"]["uid"] != old["metadata"]["uid"]
    assert new["status"]["phase"] == "Running"


def test_the_choice_outlives_a_write_that_failed():
    world = serving(replicas=2)
    world.connect()
    [first] = [each["workerName"] for each in world.connect().values()]
    world.api.remove(PODS, TEAM, first)

    def fail(method, path):
        if path.endswith("/status"):
            raise ApiUnavailableError("no answer")

    world.api.before = fail
    with pytest.raises(ApiUnavailableError):
        world.connect("a")
    world.api.before = lambda method, path: None
    world.client("b")
    statuses = world.connect("b", "a")
    assert {each["workerName"] for each in statuses.values()} == set(world.names())


def test_a_client_of_a_workload_that_is_not_there_yet_waits():
    world = ServingWorld()
    world.client("a")
    world.api.remove(WORKLOADS, TEAM, NAME)
    assert world.connect()["a"]["phase"] == "Pending"


@pytest.mark.parametrize("name", ["gone", "ended", "going"])
def test_a_client_that_needs_no_worker_gets_no_connection(name):
    world = serving(replicas=1, clients=["ended", "going"])
    world.api.edit(PODS, TEAM, "ended", lambda each: each.update(status={"phase": "Failed"}))
    going = {"deletionTimestamp": "2026-01-01T00:00:00Z"}
    world.api.edit(PODS, TEAM, "going", lambda each: each["metadata"].update(going))
    assert world.connect(name) == {}


def test_a_local_client_starts_on_the_node_of_its_worker_once_that_is_bound():
    world = ServingWorld(is_local=True)
    world.client("a")
    world.look()
    world.connect()
    assert world.api.get(PODS, "a", TEAM)["spec"]["schedulingGates"] == [{"name": PLACEMENT_GATE}]
    world.run(node="n7", is_ready=False)
    status = world.connect()["a"]
    spec = world.api.get(PODS, "a", TEAM)["spec"]
    assert "schedulingGates" not in spec
    assert spec["nodeSelector"] == {HOSTNAME: "n7"}
    assert status["phase"] == "Pending"
    world.run(node="n7")
    assert world.connect()["a"]["phase"] == "Running"


def test_a_local_client_with_another_gate_waits_for_it():
    world = serving(is_local=True)
    gates = [{"name": PLACEMENT_GATE}, {"name": "example.com/other"}]
    world.api.edit(PODS, TEAM, "a", lambda each: each["spec"].update(schedulingGates=gates))
    world.connect()
    assert world.api.get(PODS, "a", TEAM)["spec"]["schedulingGates"] == gates


def test_a_local_client_that_started_gets_no_worker_of_another_node():
    world = serving(is_local=True, clients=["a", "b"])
    first, second = world.names()
    world.run(second, node="n2")
    world.connect("a")
    worker = world.connect("a")["a"]["workerName"]
    world.api.remove(PODS, TEAM, worker)
    assert world.connect("a")["a"]["phase"] == "Pending"
    assert worker in {first, second}


def test_a_client_that_changed_meanwhile_is_looked_at_again():
    world = serving(is_local=True)
    world.box.show()
    labels = {"metadata": {"labels": {"a": "b"}}}
    world.api.merge_patch(PODS, "a", labels, TEAM)
    with pytest.raises(ConflictError):
        world.connect("a", is_shown=False)
    world.connect("a")
    assert "schedulingGates" not in world.api.get(PODS, "a", TEAM)["spec"]
