"""Controllers come, go, are killed and follow one another: nothing is given twice, nothing lost."""

from __future__ import annotations

from contextlib import ExitStack
from decimal import Decimal

import pytest

from autoscaler.api.names import PLACEMENT_GATE
from autoscaler.workloads.pod_state import gates_of
from tests.cluster.controller_process import release_lease
from tests.cluster.gpu_bookings import pods_of_pool, tflops_by_gpu
from tests.cluster.gpu_pools import running_pool
from tests.cluster.spaces import annotation, owning
from tests.cluster.webhook_process import enabled_pod, is_asked
from tests.components.processes import until

DEADLINE_S = 60.0
TFLOPS = 100


@pytest.fixture
def controllers(installation):
    """Start controllers by name; all of them end with the test."""
    release_lease(installation.plane)
    with ExitStack() as stack:

        def start(*arguments):
            controller = installation.leading(*arguments)
            until(lambda: is_asked(installation.plane), what="the API server asks the webhook")
            stack.callback(controller.process.stop)
            return controller

        yield start


@pytest.fixture
def standby(installation):
    """Start further controllers, which do not lead."""
    with ExitStack() as stack:

        def start(*arguments):
            controller = installation.started(*arguments)
            stack.callback(controller.process.stop)
            return controller

        yield start


@pytest.fixture
def pool(control_plane, tmp_path):
    with running_pool(
        control_plane, tmp_path / "kubelet", nodes=2, gpus=2, tflops=str(TFLOPS)
    ) as running:
        yield running


def deployment(pool, name, replicas, tflops="10"):
    pod = enabled_pod(
        name, gpupool=pool.name, tflops_request=tflops, tflops_limit=tflops, vram_limit="1Gi"
    )
    owner = owning("Deployment", name, pod)
    return {**owner, "spec": {**owner["spec"], "replicas": replicas}}


def waiting(pods):
    return [pod for pod in pods if PLACEMENT_GATE in gates_of(pod)]


def all_run(plane, pool, count):
    """Wait until so many pods of the pool run, and return them."""

    def found():
        pods = pods_of_pool(plane, pool.name)
        return (
            len(pods) == count
            and all(pod["status"].get("phase") == "Running" for pod in pods)
            and pods
        )

    return until(found, what=f"{count} pods of {pool.name} run", deadline_s=DEADLINE_S)


def test_a_standby_takes_over_at_once_from_a_leader_that_ends(
    controllers, standby, space, pool, control_plane
):
    leader = controllers()
    other = standby()
    space.apply(deployment(pool, "a", 2)).well()
    all_run(control_plane, pool, 2)
    assert other.is_ready
    assert not other.is_leader

    leader.process.ask_to_end()
    assert leader.process.wait_and_clear() == 0
    until(lambda: other.is_leader, what="the standby leads", deadline_s=10.0)
    space.apply(deployment(pool, "b", 2)).well()

    all_run(control_plane, pool, 4)
    assert "Traceback" not in leader.log() + other.log()
    assert other.metric("pool_tflops_requested", pool=pool.name) == 40.0


def test_a_controller_that_starts_anew_knows_what_is_held(controllers, space, pool, control_plane):
    first = controllers()
    space.apply(deployment(pool, "a", 4, tflops="60")).well()
    all_run(control_plane, pool, 4)
    first.process.kill()
    release_lease(control_plane)

    second = controllers()
    space.apply(deployment(pool, "b", 1, tflops="60"), deployment(pool, "c", 1, tflops="40")).well()

    all_pods = until(
        lambda: (
            len(pods := pods_of_pool(control_plane, pool.name)) == 6
            and len(waiting(pods)) == 1
            and pods
        ),
        what="one pod is left waiting",
    )
    [left] = waiting(all_pods)
    assert annotation(left, "tflops-request") == "60"
    assert max(tflops_by_gpu(all_pods).values()) == Decimal(TFLOPS)
    assert second.metric("books_drift_total") == 0.0


def test_a_placed_pod_that_the_scheduler_refuses_is_made_anew(
    controllers, space, pool, control_plane
):
    controllers("--release-after=1s")
    owner = deployment(pool, "a", 1)
    # Required of other pods, which placement does not look at.
    owner["spec"]["template"]["spec"]["affinity"] = {
        "podAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": [
                {
                    "labelSelector": {"matchLabels": {"app": "companion"}},
                    "topologyKey": "kubernetes.io/hostname",
                }
            ]
        }
    }
    space.apply(owner).well()
    first = space.awaited_pods(1, "app=a")[0]["metadata"]["uid"]

    until(
        lambda: [pod for pod in space.pods("app=a") if pod["metadata"]["uid"] != first],
        what="the pod is made anew",
        deadline_s=DEADLINE_S,
    )

    until(
        lambda: (
            "PlacementReleased"
            in {
                each["reason"]
                for each in space.kubectl("get", "events.events.k8s.io", "-o", "json").json["items"]
            }
        ),
        what="an event tells of it",
    )
