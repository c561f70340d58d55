"""Pods whose node becomes unfit between their placement and their binding.

The scheduler is stopped meanwhile: what it meets at its next start is certain then.
"""

from __future__ import annotations

from contextlib import contextmanager

import pytest

from autoscaler.api.names import GPU_IDS, WORKLOAD_LABEL, EventReason
from tests.cluster.controller_process import release_lease
from tests.cluster.gpu_pools import running_pool
from tests.cluster.gpus import uuid_of
from tests.cluster.spaces import annotation, owning
from tests.cluster.webhook_process import enabled_pod, is_asked
from tests.components.processes import until

TFLOPS = "100"
DEADLINE_S = 120.0


@pytest.fixture(scope="module")
def controller(installation):
    """Run a controller that lets refused pods go after a second."""
    release_lease(installation.plane)
    running = installation.leading("--release-after=1s")
    until(lambda: is_asked(installation.plane), what="the API server asks the webhook")
    return running


@pytest.fixture
def pool(control_plane, controller, tmp_path):
    """Have two nodes with a GPU each, which one worker fills."""
    with running_pool(control_plane, tmp_path / "kubelet", nodes=2, tflops=TFLOPS) as running:
        yield running


def pod_of(pool):
    return enabled_pod(
        "chat", gpupool=pool.name, tflops_request=TFLOPS, tflops_limit=TFLOPS, vram_limit="1Gi"
    )


@contextmanager
def no_scheduler(plane):
    plane.process("kube-scheduler").stop()
    try:
        yield
    finally:
        plane.start_scheduler()


def placed_pod(space):
    """Wait until the one pod has its GPU, and return it; nobody binds it."""

    def found():
        pods = [pod for pod in space.pods() if annotation(pod, "gpu-ids")]
        return len(pods) == 1 and pods[0]

    return until(found, what="the pod is placed", deadline_s=DEADLINE_S)


def cordoned_when_placed(space, plane, obj):
    """Apply an object of one pod, and return the pod, whose node is cordoned before its binding."""
    with no_scheduler(plane):
        space.apply(obj).well()
        pod = placed_pod(space)
        plane.kubectl("cordon", pod["spec"]["nodeSelector"]["kubernetes.io/hostname"]).well()
        assert "nodeName" not in space.get("pod", pod["metadata"]["name"])["spec"]
    return pod


def running_pod(space):
    def found():
        pods = space.pods()
        return [pod["status"].get("phase") for pod in pods] == ["Running"] and pods[0]

    return until(found, what="one pod runs", deadline_s=DEADLINE_S)


def notes_of(space, reason, uid):
    events = space.kubectl("get", "events.events.k8s.io", "-o", "json").json["items"]
    return [
        each["note"]
        for each in events
        if (each["reason"], each["regarding"]["uid"]) == (reason, uid)
    ]


def requested(controller, pool):
    return controller.metric("pool_tflops_requested", pool=pool.name)


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet", "Job"])
def test_a_pod_whose_node_is_cordoned_before_its_binding_is_made_anew_on_another(
    kind, control_plane, controller, pool, space
):
    released = controller.metric("placement_releases_total")
    refused = cordoned_when_placed(space, control_plane, owning(kind, "chat", pod_of(pool)))

    pod = running_pod(space)

    node = pod["spec"]["nodeName"]
    assert pod["metadata"]["uid"] != refused["metadata"]["uid"]
    assert {node, refused["spec"]["nodeSelector"]["kubernetes.io/hostname"]} == set(pool.nodes)
    assert annotation(pod, "gpu-ids") == uuid_of(node, 0)
    assert (
        pod["metadata"]["labels"][WORKLOAD_LABEL] == refused["metadata"]["labels"][WORKLOAD_LABEL]
    )
    [note] = until(
        lambda: notes_of(space, EventReason.PLACEMENT_RELEASED, refused["metadata"]["uid"]),
        what="an event of the pod tells why it went",
    )
    assert "unschedulable" in note
    assert controller.metric("placement_releases_total") == released + 1
    until(
        lambda: requested(controller, pool) == float(TFLOPS),
        what="only the pod that runs holds a GPU",
    )


def test_a_bare_pod_whose_node_is_cordoned_keeps_its_gpu_until_it_may_be_bound(
    control_plane, controller, pool, space
):
    refused = cordoned_when_placed(space, control_plane, pod_of(pool))
    [note] = until(
        lambda: notes_of(space, EventReason.UNSCHEDULABLE, refused["metadata"]["uid"]),
        what="an event of the pod tells that it is refused",
        deadline_s=DEADLINE_S,
    )
    assert "which it keeps" in note
    assert requested(controller, pool) == float(TFLOPS)

    control_plane.kubectl(
        "uncordon", refused["spec"]["nodeSelector"]["kubernetes.io/hostname"]
    ).well()

    pod = running_pod(space)
    assert pod["metadata"]["uid"] == refused["metadata"]["uid"]
    assert pod["metadata"]["annotations"][GPU_IDS] == annotation(refused, "gpu-ids")
    until(
        lambda: condition_of(space.get("tfw", "chat"), "Placed")["status"] == "True",
        what="the workload does not tell of it any more",
        deadline_s=DEADLINE_S,
    )


def condition_of(obj, kind):
    [found] = [each for each in obj["status"]["conditions"] if each["type"] == kind]
    return found
