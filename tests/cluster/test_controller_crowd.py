"""Two hundred workloads that come at once, and need all that the GPUs have."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import pytest

from autoscaler.api.names import WORKLOAD_LABEL
from autoscaler.kube.resource import DEPLOYMENTS, WORKLOADS
from tests.cluster.controller_process import release_lease
from tests.cluster.gpu_ledger import GpuLedger
from tests.cluster.gpu_pools import running_pool
from tests.cluster.gpus import suppress_absence, uuid_of
from tests.cluster.rest import Rest
from tests.cluster.spaces import annotation, owning
from tests.cluster.webhook_process import enabled_pod, is_asked
from tests.components.processes import until

COUNT = 200
NODES, GPUS_OF_A_NODE, TFLOPS = 5, 4, 100
EACH = NODES * GPUS_OF_A_NODE * TFLOPS // COUNT
"""TFLOPS of a worker: ten fit on a GPU, and 200 on all of them, exactly."""
USERS = 4
DEADLINE_S = 240.0


@pytest.fixture(scope="module")
def controller(installation):
    release_lease(installation.plane)
    # Where tests share a machine every write is slow, and the usual rate would fall to its least.
    running = installation.leading("--write-rate=1000")
    until(lambda: is_asked(installation.plane), what="the API server asks the webhook")
    return running


@pytest.fixture
def pool(control_plane, controller, tmp_path):
    with running_pool(
        control_plane, tmp_path / "kubelet", nodes=NODES, gpus=GPUS_OF_A_NODE, tflops=str(TFLOPS)
    ) as running:
        yield running


@pytest.fixture
def ledger(control_plane, pool):
    with GpuLedger(control_plane, pool.name) as running:
        yield running


@pytest.fixture
def rest(control_plane):
    # All Deployments are deleted in one request.
    with closing(Rest(control_plane, timeout_s=DEADLINE_S)) as client:
        yield client


def deployment(number, pool):
    name = f"w{number}"
    pod = enabled_pod(
        name, gpupool=pool.name, tflops_request=str(EACH), tflops_limit="50", vram_limit="1Gi"
    )
    return owning("Deployment", name, pod)


def create_at_once(rest, pool, namespace):
    with ThreadPoolExecutor(USERS) as executor:
        made = [
            executor.submit(rest.request, "POST", DEPLOYMENTS.path(namespace), body)
            for body in (deployment(number, pool) for number in range(COUNT))
        ]
    for each in made:
        each.result()


def bound(ledger):
    return [pod for pod in ledger.pods if pod["spec"].get("nodeName")]


def is_running(rest, namespace, workload):
    with suppress_absence():
        shown = rest.get(WORKLOADS.path(namespace, workload))
        return shown.get("status", {}).get("phase") == "Running"
    return False


def test_workloads_that_come_at_once_get_all_of_the_gpus_and_no_more(
    rest, ledger, pool, space, controller
):
    gpus = {uuid_of(node, index): node for node in pool.nodes for index in range(GPUS_OF_A_NODE)}
    create_at_once(rest, pool, space.name)

    until(lambda: len(bound(ledger)) == COUNT, what="all are bound", deadline_s=DEADLINE_S)

    pods = bound(ledger)
    workers = Counter(pod["metadata"]["labels"][WORKLOAD_LABEL] for pod in pods)
    assert workers == dict.fromkeys((f"w{number}" for number in range(COUNT)), 1)
    assert [gpus[annotation(pod, "gpu-ids")] for pod in pods] == [
        pod["spec"]["nodeName"] for pod in pods
    ]
    assert ledger.most_tflops == dict.fromkeys(gpus, TFLOPS)
    for name in workers:
        until(
            lambda name=name: is_running(rest, space.name, name),
            what=f"workload {name} runs",
            deadline_s=DEADLINE_S,
        )
    assert controller.metric("pool_tflops_requested", pool=pool.name) == EACH * COUNT

    rest.request("DELETE", DEPLOYMENTS.path(space.name))
    until(
        lambda: (
            not ledger.pods and controller.metric("pool_tflops_requested", pool=pool.name) == 0.0
        ),
        what="all is given back",
        deadline_s=DEADLINE_S,
    )
    until(
        lambda: not rest.get(WORKLOADS.path(space.name))["items"],
        what="no workload is left",
        deadline_s=DEADLINE_S,
    )
    assert ledger.most_tflops == dict.fromkeys(gpus, TFLOPS)
    assert controller.metric("books_drift_total") == 0.0
    assert "Traceback" not in controller.log()
