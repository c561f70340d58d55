"""GPUs, nodes and pools that go or say nonsense, on a real API server: said, kept, and mended."""

from __future__ import annotations

import pytest

from autoscaler.api.names import API_VERSION, IN_FORCE, MANAGED_BY, POOL_LABEL
from autoscaler.kube.resource import GPUS
from tests.cluster.gpu_pools import POOL_OF_NODE, pool_object, running_pool
from tests.cluster.gpus import add_gpus, gpu_name, gpu_status, set_gpu_status, uuid_of
from tests.cluster.nodes import remove_node
from tests.cluster.rest import Rest
from tests.cluster.spaces import annotation, listed, owning
from tests.cluster.telling import is_said, is_told, is_true, message_of, shows
from tests.cluster.test_controller import pod_of, running_pods


@pytest.fixture
def pool(control_plane, controller_process, tmp_path):
    """Have one node with one GPU of 100 TFLOPS and 16 GiB."""
    with running_pool(control_plane, tmp_path / "kubelet", tflops="100", vram="16Gi") as running:
        yield running


def apply(plane, *objects):
    plane.kubectl("apply", "-f", "-", stdin=listed(*objects)).well()


def status_of_gpu(node, **facts):
    return gpu_status(node, **{"capacity": {"tflops": "100", "vram": "16Gi"}, **facts})


def in_force(pod):
    return {key: pod["metadata"]["annotations"].get(key) for key in IN_FORCE}


def is_placed_again(space):
    return shows(space, "tfw", "chat", lambda obj: is_true(obj, "Placed"))


def test_a_gpu_that_vanishes_under_a_worker_is_named_and_counts_again_when_it_is_back(
    space, pool, control_plane
):
    node = pool.nodes[0]
    name = gpu_name(node, 0)
    space.create(pod_of(pool)).well()
    [before] = running_pods(space, 1)
    is_placed_again(space)

    control_plane.kubectl("delete", "gpu", name).well()

    is_said(space, "chat", "Placed", "GPULost", name, "is gone")
    is_told(space, "Pod", "GPULost", name)
    shows(control_plane, "gpupool", pool.name, lambda obj: not is_true(obj, "Ready"))
    space.create(pod_of(pool, "other")).well()
    is_said(space, "other", "Placed", "NoGPUAvailable", pool.name)

    add_gpus(control_plane, node, tflops="100", vram="16Gi")

    is_placed_again(space)
    running_pods(space, 2)
    after = space.get("pod", "chat")
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    assert in_force(after) == in_force(before)
    both = {"tflops": "80", "vram": "8Gi"}
    shows(control_plane, "gpu", name, lambda obj: obj["status"]["available"] == both)


def test_a_gpu_that_does_not_run_is_named_until_it_does(space, pool, control_plane):
    node = pool.nodes[0]
    space.create(pod_of(pool)).well()
    running_pods(space, 1)

    set_gpu_status(control_plane, gpu_name(node, 0), status_of_gpu(node, phase="Unknown"))

    is_said(space, "chat", "Placed", "GPULost", gpu_name(node, 0), "Unknown")
    set_gpu_status(control_plane, gpu_name(node, 0), status_of_gpu(node))
    is_placed_again(space)


def test_a_node_that_is_deleted_takes_its_gpus_along_and_its_pods_get_others(
    space, control_plane, controller_process, tmp_path
):
    with running_pool(control_plane, tmp_path / "kubelet", nodes=2) as pool:
        space.apply(owning("Deployment", "chat", pod_of(pool))).well()
        [pod] = running_pods(space, 1)
        gone = pod["spec"]["nodeName"]

        remove_node(control_plane, gone)

        is_said(space, "chat", "Placed", "GPULost", gpu_name(gone, 0))
        space.kubectl("delete", "pod", pod["metadata"]["name"], "--force").well()
        [other] = running_pods(space, 1)
        assert other["spec"]["nodeName"] in set(pool.nodes) - {gone}
        is_placed_again(space)


def test_a_pool_that_is_deleted_in_use_is_named_and_takes_nothing_away(space, pool, control_plane):
    space.create(pod_of(pool)).well()
    [before] = running_pods(space, 1)
    obj = pool_object(pool.name, {POOL_OF_NODE: pool.name})
    workload = shows(space, "tfw", "chat", lambda found: found["status"]["readyWorkers"] == 1)

    control_plane.kubectl("delete", "gpupool", pool.name).well()

    is_said(space, "chat", "Ready", "WorkloadReady", pool.name)
    is_told(space, "TensorFusionWorkload", "InvalidWorker", pool.name)
    gpu = gpu_name(pool.nodes[0], 0)
    shows(control_plane, "gpu", gpu, lambda obj: POOL_LABEL not in obj["metadata"]["labels"])
    assert space.get("tfw", "chat")["spec"] == workload["spec"]
    assert in_force(space.get("pod", "chat")) == in_force(before)

    apply(control_plane, obj)
    is_placed_again(space)
    shows(space, "tfw", "chat", lambda found: pool.name not in message_of(found, "Ready"))
    shows(
        control_plane,
        "gpupool",
        pool.name,
        lambda found: found["status"]["totals"]["available"] == {"tflops": "90", "vram": "12Gi"},
    )


def test_a_pod_that_waits_for_a_pool_which_is_gone_is_placed_when_it_is_back(
    space, pool, control_plane
):
    full = {"vram_request": "16Gi", "vram_limit": "16Gi"}
    space.create(pod_of(pool, "first", **full)).well()
    running_pods(space, 1)
    space.create(pod_of(pool, **full)).well()
    is_said(space, "chat", "Placed", "NoGPUAvailable", "16 GiB")

    control_plane.kubectl("delete", "gpupool", pool.name).well()

    is_said(space, "chat", "Placed", "NoGPUAvailable", f"there is no GPUPool {pool.name}")
    space.kubectl("delete", "pod", "first", "--wait=false").well()
    apply(control_plane, pool_object(pool.name, {POOL_OF_NODE: pool.name}))
    running_pods(space, 1)


def test_of_two_pools_that_select_a_node_the_younger_says_so_and_has_it_when_the_older_goes(
    space, pool, control_plane
):
    younger = f"{pool.name}-younger"
    shows(control_plane, "gpupool", pool.name, lambda obj: is_true(obj, "Ready"))
    apply(control_plane, pool_object(younger, {POOL_OF_NODE: pool.name}))
    try:
        shown = shows(
            control_plane,
            "gpupool",
            younger,
            lambda obj: is_true(obj, "NodeConflict"),
        )
        assert pool.name in message_of(shown, "NodeConflict")
        assert pool.nodes[0] in message_of(shown, "NodeConflict")
        is_told(control_plane, "GPUPool", "NodeConflict", pool.name, pool.nodes[0])
        control_plane.kubectl("delete", "gpupool", pool.name).well()
        shows(
            control_plane,
            "gpupool",
            younger,
            lambda obj: not is_true(obj, "NodeConflict") and obj["status"]["totals"]["gpus"] == 1,
        )
    finally:
        control_plane.kubectl("delete", "gpupool", younger).well()


@pytest.mark.parametrize(
    ("capacity", "problem"),
    [
        ({"tflops": "0", "vram": "16Gi"}, "without known TFLOPS"),
        ({"tflops": "100"}, "without known VRAM"),
        ({"tflops": "1e-9", "vram": "1n"}, "without known"),
    ],
)
def test_a_gpu_without_a_usable_capacity_gets_no_worker_and_keeps_those_that_it_has(
    capacity, problem, space, pool, control_plane
):
    node = pool.nodes[0]
    space.create(
        pod_of(
            pool,
            compute_percent_request="10",
            compute_percent_limit="20",
            tflops_request="",
            tflops_limit="",
        )
    ).well()
    [before] = running_pods(space, 1)

    set_gpu_status(control_plane, gpu_name(node, 0), status_of_gpu(node, capacity=capacity))

    shows(
        control_plane,
        "gpupool",
        pool.name,
        lambda obj: (
            gpu_name(node, 0) in message_of(obj, "Ready") and problem in message_of(obj, "Ready")
        ),
    )
    space.create(pod_of(pool, "other")).well()
    is_said(space, "other", "Placed", "NoGPUAvailable", problem)
    assert in_force(space.get("pod", "chat")) == in_force(before)

    set_gpu_status(control_plane, gpu_name(node, 0), status_of_gpu(node))
    running_pods(space, 2)


def test_a_gpu_whose_uuid_is_another_one_s_is_named_and_the_other_is_used(
    space, pool, control_plane
):
    node = pool.nodes[0]
    stray = gpu_name(node, 7)
    metadata = {"name": stray, "labels": {MANAGED_BY: node}}
    gpu = {"apiVersion": API_VERSION, "kind": "GPU", "metadata": metadata}
    Rest(control_plane).request("POST", GPUS.path(), gpu)
    set_gpu_status(control_plane, stray, status_of_gpu(node, uuid=uuid_of(node, 0), index=7))
    try:
        shows(
            control_plane,
            "gpupool",
            pool.name,
            lambda obj: (
                stray in message_of(obj, "Ready") and uuid_of(node, 0) in message_of(obj, "Ready")
            ),
        )
        for name in ("chat", "other"):
            space.create(pod_of(pool, name, vram_request="8Gi", vram_limit="8Gi")).well()
        pods = running_pods(space, 2)
        assert {annotation(pod, "gpu-ids") for pod in pods} == {uuid_of(node, 0)}
        space.create(pod_of(pool, "third")).well()
        is_said(space, "third", "Placed", "NoGPUAvailable", pool.nodes[0])
    finally:
        control_plane.kubectl("delete", "gpu", stray).well()
