"""Worker pods and their clients, with the controller's own rights, on the real API server.

The programs are stand-ins (``worker_image``); all else is as in an installation that runs worker
pods.
"""

from __future__ import annotations

import json

import pytest

from autoscaler.api.names import WORKLOAD_LABEL
from tests.cluster.serving import (
    CLIENTS,
    DEADLINE_S,
    NAME,
    REMOTE,
    SCALED,
    STANDALONE,
    WORKERS,
    clients_of,
    installed_with_workers,
    running,
    served_by,
    serving_pool,
    staying,
)
from tests.cluster.spaces import annotation
from tests.cluster.webhook_process import is_asked
from tests.cluster.worker_image import worker_component
from tests.components.processes import until


@pytest.fixture(scope="module")
def installation(control_plane, tmp_path_factory):
    with installed_with_workers(control_plane, tmp_path_factory.mktemp("installation")) as running:
        yield running


@pytest.fixture(scope="module")
def controller(installation):
    running = installation.leading("--standalone-workers")
    until(lambda: is_asked(installation.plane), what="the API server asks the webhook")
    return running


@pytest.fixture
def pool(control_plane, controller, tmp_path):
    with serving_pool(control_plane, tmp_path, endpoint=controller.health_url) as pool:
        yield pool


def workload(space):
    return space.get("tfw", NAME)


def patch_pool(control_plane, pool, worker):
    patch = json.dumps({"spec": {"componentConfig": {"worker": worker}}})
    control_plane.kubectl("patch", "gpupool", pool.name, "--type=merge", "-p", patch).well()


def test_every_remote_client_gets_a_worker_of_its_own_and_reaches_it(space, pool):
    space.apply(clients_of(pool, 2, **REMOTE)).well()

    answers = served_by(space, pool, 2)

    workers = running(space, WORKERS, 2)
    assert set(answers.values()) == set(workers)
    for pod in workers.values():
        assert annotation(pod, "gpu-ids")
        assert annotation(pod, "tflops-request") == "10"
        assert pod["metadata"]["labels"][WORKLOAD_LABEL] == NAME
    shown = until(
        lambda: (obj := workload(space))["status"].get("readyWorkers") == 2 and obj,
        what="the workload counts its workers",
        deadline_s=DEADLINE_S,
    )
    assert shown["status"]["podTemplateHash"]

    space.kubectl("scale", "deployment", NAME, "--replicas=1").well()
    running(space, WORKERS, 1)


def test_a_stated_count_of_workers_is_shared_and_scaled_through_the_workload(space, pool):
    space.apply(clients_of(pool, 3, **SCALED)).well()
    first = served_by(space, pool, 3)
    assert len(set(first.values())) == 1

    space.kubectl("scale", "tfw", NAME, "--replicas=2").well()
    workers = running(space, WORKERS, 2)

    assert set(first.values()) < set(workers)
    assert served_by(space, pool, 3) == first


def test_another_template_replaces_the_workers_and_clients_follow(space, pool, control_plane):
    space.apply(clients_of(pool, 2, **REMOTE, replicas="2")).well()
    old = set(served_by(space, pool, 2).values())

    patch_pool(control_plane, pool, worker_component(labels={"version": "2"}))

    fewest = []

    def use_new_ones():
        states = [pod["status"].get("phase") for pod in staying(space, WORKERS).values()]
        fewest.append(states.count("Running"))
        found = set(served_by(space, pool, 2).values())
        return not found & old and found

    new = until(use_new_ones, what="clients use new workers", deadline_s=DEADLINE_S)
    assert min(fewest) >= 2
    workers = running(space, WORKERS, 2)
    assert set(new) <= set(workers)
    assert {pod["metadata"]["labels"]["version"] for pod in workers.values()} == {"2"}


def test_a_failed_worker_is_replaced_and_its_client_goes_on_with_another(space, pool):
    space.apply(clients_of(pool, 1, **REMOTE)).well()
    [worker] = served_by(space, pool, 1).values()

    pool.kubelet.fail(space.name, worker)

    until(
        lambda: worker not in staying(space, WORKERS),
        what="the failed worker is gone",
        deadline_s=DEADLINE_S,
    )
    [other] = served_by(space, pool, 1).values()
    assert other != worker


def test_a_local_client_starts_on_the_node_of_its_worker(space, pool):
    space.apply(clients_of(pool, 2, **STANDALONE)).well()

    answers = served_by(space, pool, 2)

    workers, clients = running(space, WORKERS, 2), running(space, CLIENTS, 2)
    assert {client: clients[client]["spec"]["nodeName"] for client in answers} == {
        client: workers[worker]["spec"]["nodeName"] for client, worker in answers.items()
    }


def test_a_template_that_the_api_server_refuses_is_said_and_mended(space, pool, control_plane):
    bad = worker_component()
    bad["podTemplate"]["spec"]["hostNetwork"] = True
    patch_pool(control_plane, pool, bad)
    space.apply(clients_of(pool, 1, **REMOTE)).well()

    def is_said():
        [*found] = space.kubectl("get", "tfw", "-o", "json").json["items"]
        conditions = [each for obj in found for each in obj.get("status", {}).get("conditions", ())]
        return any("hostNetwork" in each["message"] for each in conditions)

    until(is_said, what="the workload says why it has no workers", deadline_s=DEADLINE_S)
    assert staying(space, WORKERS) == {}

    mended = worker_component()
    mended["podTemplate"]["spec"]["hostNetwork"] = None
    patch_pool(control_plane, pool, mended)
    served_by(space, pool, 1)


def test_workers_and_connections_go_with_the_clients(space, pool):
    space.apply(clients_of(pool, 2, **REMOTE)).well()
    served_by(space, pool, 2)

    space.kubectl("delete", "deployment", NAME).well()

    until(
        lambda: not space.pods() and not space.kubectl("get", "tfw,tfc", "-o", "name").out,
        what="nothing is left",
        deadline_s=DEADLINE_S,
    )
