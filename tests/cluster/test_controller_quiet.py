"""A cluster in which nothing happens costs no writes, however often it is looked at."""

from __future__ import annotations

import pytest

from autoscaler.api.names import API_VERSION
from tests.cluster.controller_process import release_lease
from tests.cluster.gpu_pools import running_pool
from tests.cluster.spaces import owning
from tests.cluster.test_admission_in_force import switched
from tests.cluster.test_controller import (
    DEADLINE_S,
    ENROLLED,
    decide,
    pod_of,
    running_pods,
    workload_shows,
)
from tests.cluster.webhook_process import enabled_pod, is_asked
from tests.components.processes import until

KINDS = (
    "pods",
    "tensorfusionworkloads",
    "gpus",
    "gpupools",
    "gpuresourcequotas",
)
PROFILE = {
    "autoScalingConfig": {
        "autoSetRequests": {"enable": True, "percentileForAutoRequests": "95"},
        "autoSetReplicas": {"enable": False},
        "cronScalingRules": [
            {
                "enable": True,
                "name": "day",
                "start": "0 8 * * *",
                "end": "0 18 * * *",
                "desiredResources": {"requests": {"tflops": "20"}},
            }
        ],
    },
    "gpuModel": "A100",
    "nodeAffinity": {},
}
QUOTA = {
    "total": {"requests": {"tflops": "1k", "vram": "1Ti"}, "maxWorkers": 9},
    "single": {"maxLimits": {"vram": "80Gi"}},
}


@pytest.fixture(scope="module")
def controller(installation):
    release_lease(installation.plane)
    running = installation.leading("--resync=1s")
    until(lambda: is_asked(installation.plane), what="the API server asks the webhook")
    return running


@pytest.fixture
def pool(control_plane, controller, tmp_path):
    with running_pool(
        control_plane, tmp_path / "kubelet", nodes=2, gpus=2, tflops="100", vram="16Gi"
    ) as running:
        yield running


def looks(controller):
    return controller.metric("controller_reconciles_total", kind="workload")


def writes_of_two_rounds(controller, workloads):
    """Return how much was written while every workload was looked at twice by a resync."""
    written, looked = controller.metric("writes_total"), looks(controller)
    until(
        lambda: looks(controller) >= looked + 3 * workloads,
        what="everything was looked at again",
        deadline_s=DEADLINE_S,
    )
    return controller.metric("writes_total") - written


def versions(space):
    listed = space.kubectl("get", ",".join(KINDS), "-o", "json").json["items"]
    return {
        (each["kind"], each["metadata"]["name"]): each["metadata"]["resourceVersion"]
        for each in listed
    }


def test_a_cluster_in_which_nothing_happens_costs_no_writes(space, pool, controller, control_plane):
    for kind, name, spec in (
        ("WorkloadProfile", "profile", PROFILE),
        ("GPUResourceQuota", "quota", QUOTA),
    ):
        obj = {
            "apiVersion": API_VERSION,
            "kind": kind,
            "metadata": {"name": name},
            "spec": spec,
        }
        space.apply(obj).well()
    share = enabled_pod(
        "share",
        gpupool=pool.name,
        compute_percent_request="10",
        compute_percent_limit="20",
        vram_request="1Gi",
        vram_limit="2Gi",
        gpu_count="2",
    )
    enrolled = owning("Deployment", "chat", pod_of(pool, workload_profile="profile", **ENROLLED))
    with switched(control_plane, mode="apply"):
        space.apply({**enrolled, "spec": {**enrolled["spec"], "replicas": 2}}).well()
        space.apply(owning("StatefulSet", "share", share)).well()
        space.create(pod_of(pool, "alone", auto_limits="true")).well()
        running_pods(space, 4)
        more = {"tflops": "95", "vram": "15Gi"}
        decide(
            control_plane,
            space,
            "chat",
            {"epoch": 1, "sequence": 1, "requests": more, "limits": more},
        )
        workload_shows(space, "chat", lambda obj: obj["status"]["applied"]["capped"])
        # What is said of a raise may follow it by some rounds.
        until(
            lambda: all(writes_of_two_rounds(controller, 3) == 0 for _ in range(3)),
            what="the controller writes nothing more",
            deadline_s=DEADLINE_S,
        )
        before = versions(space)

        assert writes_of_two_rounds(controller, 3) == 0
        assert versions(space) == before
        assert [kind for kind, _ in before].count("TensorFusionWorkload") == 3
