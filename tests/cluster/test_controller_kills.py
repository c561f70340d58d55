"""Controllers that are killed under load, and an API server that goes away meanwhile."""

from __future__ import annotations

import gc
import random
import threading
from collections import Counter
from contextlib import closing, contextmanager, suppress

import pytest

from autoscaler.api.names import COMPONENT, WORKLOAD_LABEL, Component
from autoscaler.kube.resource import DEPLOYMENTS, GPUS, NAMESPACES, WORKLOADS
from tests.cluster.control_plane import start_control_plane
from tests.cluster.controller_process import release_lease
from tests.cluster.gpu_ledger import GpuLedger
from tests.cluster.gpu_pools import running_pool
from tests.cluster.gpus import gpu_name
from tests.cluster.rest import MERGE_PATCH, Rest, UnreachableError
from tests.cluster.serving import SCALED, installed_with_workers
from tests.cluster.spaces import Space, owning
from tests.cluster.webhook_process import enabled_pod, is_asked
from tests.components.fixtures import needed_program
from tests.components.processes import until
from tests.components.programs import CLUSTER_PROGRAMS

SEED = 6
KILLS = 10
OUTAGE_AFTER = 5
"""So many kills come before the API server is stopped and started again the first time."""
MOST_BETWEEN = 6
"""At most so many pods are placed between two kills."""
NODES, GPUS_OF_A_NODE, TFLOPS = 2, 2, 100
EACH = 10
"""TFLOPS of a worker: forty fit on all GPUs."""
SHARED, WORKERS = "llm", 10
NAMES = tuple(f"w{number}" for number in range(10))
FINALLY = {**dict.fromkeys(NAMES, 3), SHARED: WORKERS}
"""Replicas at the end: they need all that the GPUs have, so that nothing may have leaked."""
MOST_REPLICAS = 5
UNSETTLED = "waits, starts or terminates"
PACE_S = 0.2
FLAGS = ("--standalone-workers", "--resync=1h", "--write-rate=1000")
"""Nothing may rely on the regular look at everything."""
DEADLINE_S = 120.0


@pytest.fixture(scope="module")
def plane(tmp_path_factory):
    """Run a whole control plane that the test may stop."""
    for name in CLUSTER_PROGRAMS:
        needed_program(name)
    with start_control_plane(tmp_path_factory.mktemp("kills")) as running:
        yield running
    gc.collect()


@pytest.fixture
def installation(plane, tmp_path):
    with installed_with_workers(plane, tmp_path) as running:
        yield running


@pytest.fixture
def pool(plane, tmp_path):
    component = {
        "worker": {
            "image": "worker",
            "podTemplate": {"spec": {"containers": [{"name": "worker"}]}},
        }
    }
    with running_pool(
        plane,
        tmp_path / "kubelet",
        nodes=NODES,
        gpus=GPUS_OF_A_NODE,
        tflops=str(TFLOPS),
        spec={"componentConfig": component},
    ) as running:
        yield running


@pytest.fixture
def ledger(plane, pool):
    with GpuLedger(plane, pool.name) as running:
        yield running


@pytest.fixture
def rest(plane):
    with closing(Rest(plane)) as client:
        yield client


@pytest.fixture
def space(plane, rest):
    rest.request("POST", NAMESPACES.path(), {"metadata": {"name": "load"}})
    return Space(plane=plane, name="load")


class Reign:
    """The controller that leads, and those that did."""

    def __init__(self, installation):
        self._installation = installation
        self.controllers = []
        self.begin()

    @property
    def controller(self):
        return self.controllers[-1]

    def begin(self):
        release_lease(self._installation.plane)
        self.controllers.append(self._installation.leading(*FLAGS))

    def kill(self):
        self.controller.process.kill()
        self.begin()

    def outlive(self):
        """Begin anew where the process gave up by itself, as a kubelet would restart it."""
        if not self.controller.process.is_running:
            self.begin()

    @property
    def log(self):
        return "".join(controller.log() for controller in self.controllers)


def applied_workloads(space, pool):
    """Apply ten Deployments of workers without pods yet, and one that shares worker pods."""
    amounts = {"tflops_request": str(EACH), "tflops_limit": str(EACH), "vram_limit": "1Gi"}
    embedded = {"is_local_gpu": "true", "no_standalone_worker_mode": "true"}
    owners = [
        owning("Deployment", name, enabled_pod(name, gpupool=pool.name, **amounts, **embedded))
        for name in NAMES
    ]
    for owner in owners:
        owner["spec"]["replicas"] = 0
    clients = owning("Deployment", SHARED, enabled_pod(SHARED, gpupool=pool.name, **SCALED))
    space.apply(*owners, clients).well()


def scale(rest, namespace, name, replicas):
    resource = WORKLOADS if name == SHARED else DEPLOYMENTS
    patch = {"spec": {"replicas": replicas}}
    rest.request("PATCH", resource.path(namespace, name), patch, content_type=MERGE_PATCH)


@contextmanager
def load(plane, space, chance):
    """Scale something up or down all the time."""
    is_ending = threading.Event()

    def run():
        with closing(Rest(plane)) as rest:
            while not is_ending.wait(PACE_S):
                name = chance.choice((*NAMES, SHARED))
                # What is not heard, or not yet allowed after a start, is lost.
                with suppress(UnreachableError):
                    most = WORKERS if name == SHARED else MOST_REPLICAS
                    scale(rest, space.name, name, chance.randint(0, most))

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        is_ending.set()
        thread.join()


def wait_for_placements(plane, ledger, number):
    goal = ledger.placed + number
    until(
        lambda: plane.outlive_scheduler() or ledger.placed >= goal,
        what=f"{number} pods more are placed",
        deadline_s=DEADLINE_S,
    )


def have_outage(plane, ledger, reign):
    wait_for_placements(plane, ledger, 1)
    plane.stop_api_server()
    plane.start_api_server()
    reign.outlive()


def workers(ledger):
    """Return how many worker pods run by workload, and how many there are beside these."""
    pods = [pod for pod in ledger.pods if pod["metadata"]["labels"][COMPONENT] == Component.WORKER]
    return Counter(
        pod["metadata"]["labels"][WORKLOAD_LABEL] if is_settled(pod) else UNSETTLED for pod in pods
    )


def is_settled(pod):
    return pod["status"].get("phase") == "Running" and "deletionTimestamp" not in pod["metadata"]


def is_free(gpu):
    status = gpu["status"]
    return status["available"]["tflops"] == str(TFLOPS) and "runningApps" not in status


# The standard library leaves a socket open whose server dies between accept and handshake.
@pytest.mark.filterwarnings(
    "ignore:Exception ignored in. <ssl.SSLSocket:pytest.PytestUnraisableExceptionWarning"
)
def test_nothing_is_made_twice_given_twice_or_kept_whoever_dies_under_load(
    plane, installation, pool, ledger, rest, space
):
    chance = random.Random(SEED)
    reign = Reign(installation)
    until(lambda: is_asked(plane), what="the API server asks the webhook")
    applied_workloads(space, pool)
    until(lambda: ledger.placed, what="the shared workload has a worker", deadline_s=DEADLINE_S)

    with load(plane, space, random.Random(SEED)):
        for kill in range(KILLS):
            if kill == OUTAGE_AFTER:
                have_outage(plane, ledger, reign)
            wait_for_placements(plane, ledger, chance.randint(1, MOST_BETWEEN))
            reign.kill()
        # Whoever lives through the last one has to put everything right.
        have_outage(plane, ledger, reign)
    for name, replicas in FINALLY.items():
        scale(rest, space.name, name, replicas)

    until(
        lambda: plane.outlive_scheduler() or workers(ledger) == FINALLY,
        what="every workload has its workers",
        deadline_s=DEADLINE_S,
    )
    held = sum(FINALLY.values()) * EACH
    until(
        lambda: (
            ledger.tflops == held == requested(reign, pool)
            and not reign.controller.metric("reservations_in_flight")
        ),
        what="the books say the same as the pods",
        deadline_s=DEADLINE_S,
    )
    for name in FINALLY:
        scale(rest, space.name, name, 0)
    gpus = [gpu_name(node, index) for node in pool.nodes for index in range(GPUS_OF_A_NODE)]
    until(
        lambda: all(is_free(rest.get(GPUS.path(name=gpu))) for gpu in gpus),
        what="every GPU is free",
        deadline_s=DEADLINE_S,
    )
    assert requested(reign, pool) == 0.0
    assert max(ledger.most_tflops.values()) == TFLOPS
    assert reign.controller.metric("books_drift_total") == 0.0
    assert "Traceback" not in reign.log


def requested(reign, pool):
    return reign.controller.metric("pool_tflops_requested", pool=pool.name)
