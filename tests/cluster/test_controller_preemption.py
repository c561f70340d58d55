"""Workers make room for more important ones, beside the real controllers of Kubernetes."""

from __future__ import annotations

import pytest

from autoscaler.api.names import EventReason
from tests.cluster.gpu_pools import running_pool
from tests.cluster.spaces import annotation, owning
from tests.cluster.test_admission_in_force import switched
from tests.cluster.test_controller import DEADLINE_S, running_pods
from tests.cluster.webhook_process import enabled_pod
from tests.components.processes import until

WHOLE = "312"
HALF = "156"


@pytest.fixture
def pool(control_plane, controller_process, tmp_path):
    """Have one GPU of 312 TFLOPS whose workers may be evicted for more important ones."""
    with (
        switched(control_plane, mode="apply"),
        running_pool(
            control_plane, tmp_path / "kubelet", spec={"placement": {"preemption": "LowerQoS"}}
        ) as running,
    ):
        yield running


def deployed(space, pool, name, qos, tflops=WHOLE):
    """Apply a Deployment of one worker."""
    pod = enabled_pod(
        name,
        gpupool=pool.name,
        qos=qos,
        tflops_request=tflops,
        tflops_limit=tflops,
        vram_limit="1Gi",
    )
    space.apply(owning("Deployment", name, pod)).well()


def events(space):
    listed = space.kubectl("get", "events.events.k8s.io", "-o", "json").json["items"]
    return [each for each in listed if each["reason"] == EventReason.PREEMPTED]


def test_a_low_worker_makes_room_for_a_high_one_and_waits_itself(space, pool, controller_process):
    before = controller_process.metric("preempted_workers_total", qos="low")
    deployed(space, pool, "batch", "low")
    [victim] = running_pods(space, 1, "app=batch")

    deployed(space, pool, "chat", "high")
    [pod] = running_pods(space, 1, "app=chat")

    assert annotation(pod, "gpu-ids") == annotation(victim, "gpu-ids")
    [again] = space.awaited_pods(1, "app=batch")
    assert again["metadata"]["uid"] != victim["metadata"]["uid"]
    assert again["spec"]["schedulingGates"]
    assert controller_process.metric("preempted_workers_total", qos="low") == before + 1
    told = until(lambda: len(found := events(space)) == 2 and found, what="both are told")
    assert {each["regarding"]["name"] for each in told} == {
        victim["metadata"]["name"],
        pod["metadata"]["name"],
    }


def test_a_disruption_budget_keeps_its_worker_and_another_one_goes(space, pool):
    deployed(space, pool, "batch", "low", HALF)
    running_pods(space, 1, "app=batch")
    deployed(space, pool, "kept", "low", HALF)
    [kept] = running_pods(space, 1, "app=kept")
    space.apply(
        {
            "apiVersion": "policy/v1",
            "kind": "PodDisruptionBudget",
            "metadata": {"name": "kept"},
            "spec": {"minAvailable": 1, "selector": {"matchLabels": {"app": "kept"}}},
        }
    ).well()
    until(
        lambda: space.get("pdb", "kept").get("status", {}).get("currentHealthy") == 1,
        what="the budget counts its pod",
        deadline_s=DEADLINE_S,
    )

    deployed(space, pool, "chat", "medium", HALF)
    running_pods(space, 1, "app=chat")

    [same] = running_pods(space, 1, "app=kept")
    assert same["metadata"]["uid"] == kept["metadata"]["uid"]
