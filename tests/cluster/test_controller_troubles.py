"""What breaks under the controller, on a real API server: said with names, kept, and mended."""

from __future__ import annotations

import json

import pytest

from autoscaler.api.names import API_VERSION, IN_FORCE, POOL_LABEL, PREFIX
from autoscaler.kube.resource import GPUS
from tests.cluster.gpu_pools import POOL_OF_NODE, running_pool
from tests.cluster.gpus import A100, add_gpus, gpu_name, set_gpu_status, uuid_of
from tests.cluster.nodes import HOSTNAME, add_node, remove_node
from tests.cluster.rest import Rest
from tests.cluster.spaces import annotation, owning
from tests.cluster.test_controller import (
    DEADLINE_S,
    pod_of,
    running_pods,
    workload_shows,
)
from tests.components.processes import until


@pytest.fixture
def pool(control_plane, controller_process, tmp_path):
    """Have one node with one GPU of 100 TFLOPS and 16 GiB."""
    with running_pool(control_plane, tmp_path / "kubelet", tflops="100", vram="16Gi") as running:
        yield running


def gpu_status(node, index=0, **facts):
    return {
        "phase": "Running",
        "vendor": "NVIDIA",
        "gpuModel": A100,
        "model": "A100",
        "uuid": uuid_of(node, index),
        "index": index,
        "nodeSelector": {HOSTNAME: node},
        "capacity": {"tflops": "100", "vram": "16Gi"},
        **facts,
    }


def conditions_of(obj):
    return {each["type"]: each for each in obj["status"]["conditions"]}


def status_of(obj, kind):
    return conditions_of(obj)[kind]["status"]


def message_of(obj, kind):
    return conditions_of(obj)[kind]["message"]


def is_said(space, name, kind, reason, *words):
    """Wait until a condition of a workload gives a reason with these words."""

    def says(obj):
        said = conditions_of(obj)[kind]
        return said["reason"] == reason and all(word in said["message"] for word in words)

    return workload_shows(space, name, says)


def is_told(plane, namespace, kind, reason, *words):
    """Wait until an event about an object of a kind tells these words."""

    def told():
        listed = plane.kubectl("-n", namespace, "get", "events.events.k8s.io", "-o", "json").json
        return [
            each
            for each in listed["items"]
            if (each["regarding"]["kind"], each["reason"]) == (kind, reason)
            and all(word in each["note"] for word in words)
        ]

    return until(told, what=f"an event {reason} tells {words}", deadline_s=DEADLINE_S)


def pool_shows(plane, name, condition):
    def found():
        obj = plane.kubectl("get", "gpupool", name, "-o", "json").json
        try:
            return condition(obj) and obj
        except LookupError:
            return None

    return until(found, what=f"pool {name} is as expected", deadline_s=DEADLINE_S)


def pool_object(name, labels, **spec):
    return {
        "apiVersion": API_VERSION,
        "kind": "GPUPool",
        "metadata": {"name": name},
        "spec": {"nodeSelector": labels, **spec},
    }


def apply(plane, *objects):
    for obj in objects:
        plane.kubectl("apply", "-f", "-", stdin=json.dumps(obj)).well()


def quota(name="team", **total):
    return {
        "apiVersion": API_VERSION,
        "kind": "GPUResourceQuota",
        "metadata": {"name": name},
        "spec": {"total": total},
    }


def quota_shows(space, condition, name="team"):
    def found():
        obj = space.get("gpuresourcequota", name)
        try:
            return condition(obj) and obj
        except LookupError:
            return None

    return until(found, what=f"quota {name} is as expected", deadline_s=DEADLINE_S)


def in_force(pod):
    return {key: pod["metadata"]["annotations"].get(key) for key in IN_FORCE}


def is_placed_again(space):
    return workload_shows(space, "chat", lambda obj: status_of(obj, "Placed") == "True")


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
    is_told(control_plane, space.name, "Pod", "GPULost", name)
    pool_shows(control_plane, pool.name, lambda obj: status_of(obj, "Ready") == "False")
    space.create(pod_of(pool, "other")).well()
    is_said(space, "other", "Placed", "NoGPUAvailable", pool.name)

    add_gpus(control_plane, node, tflops="100", vram="16Gi")

    is_placed_again(space)
    running_pods(space, 2)
    after = space.get("pod", "chat")
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    assert in_force(after) == in_force(before)
    until(
        lambda: control_plane.kubectl("get", "gpu", name, "-o", "json").json["status"]["available"]
        == {"tflops": "80", "vram": "8Gi"},
        what="both are counted",
        deadline_s=DEADLINE_S,
    )


def test_a_gpu_that_does_not_run_is_named_until_it_does(space, pool, control_plane):
    node = pool.nodes[0]
    space.create(pod_of(pool)).well()
    running_pods(space, 1)

    set_gpu_status(control_plane, gpu_name(node, 0), gpu_status(node, phase="Unknown"))

    is_said(space, "chat", "Placed", "GPULost", gpu_name(node, 0), "Unknown")
    set_gpu_status(control_plane, gpu_name(node, 0), gpu_status(node))
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
        add_node(control_plane, gone, labels={POOL_OF_NODE: pool.name})


def test_a_pool_that_is_deleted_in_use_is_named_and_takes_nothing_away(space, pool, control_plane):
    space.create(pod_of(pool)).well()
    [before] = running_pods(space, 1)
    obj = pool_object(pool.name, {POOL_OF_NODE: pool.name})
    workload = workload_shows(space, "chat", lambda found: found["status"]["readyWorkers"] == 1)

    control_plane.kubectl("delete", "gpupool", pool.name).well()

    is_said(space, "chat", "Ready", "WorkloadReady", pool.name)
    is_told(control_plane, space.name, "TensorFusionWorkload", "InvalidWorker", pool.name)
    until(
        lambda: POOL_LABEL
        not in control_plane.kubectl("get", "gpu", gpu_name(pool.nodes[0], 0), "-o", "json").json[
            "metadata"
        ]["labels"],
        what="the GPU belongs to no pool",
    )
    assert space.get("tfw", "chat")["spec"] == workload["spec"]
    assert in_force(space.get("pod", "chat")) == in_force(before)

    apply(control_plane, obj)
    is_placed_again(space)
    workload_shows(space, "chat", lambda found: pool.name not in message_of(found, "Ready"))
    pool_shows(
        control_plane,
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
    pool_shows(control_plane, pool.name, lambda obj: status_of(obj, "Ready") == "True")
    apply(control_plane, pool_object(younger, {POOL_OF_NODE: pool.name}))
    try:
        shown = pool_shows(
            control_plane,
            younger,
            lambda obj: status_of(obj, "NodeConflict") == "True",
        )
        assert pool.name in message_of(shown, "NodeConflict")
        assert pool.nodes[0] in message_of(shown, "NodeConflict")
        is_told(control_plane, "default", "GPUPool", "NodeConflict", pool.name, pool.nodes[0])
        control_plane.kubectl("delete", "gpupool", pool.name).well()
        pool_shows(
            control_plane,
            younger,
            lambda obj: (
                status_of(obj, "NodeConflict") == "False" and obj["status"]["totals"]["gpus"] == 1
            ),
        )
    finally:
        control_plane.kubectl("delete", "gpupool", younger).well()


def test_a_total_below_what_is_used_takes_nothing_and_lets_nothing_in(space, pool, control_plane):
    space.apply(quota(maxWorkers=5, requests={"tflops": "50"})).well()
    space.create(pod_of(pool)).well()
    [before] = running_pods(space, 1)

    space.apply(quota(maxWorkers=5, requests={"tflops": "5"})).well()

    shown = quota_shows(space, lambda obj: status_of(obj, "QuotaExceeded") == "True")
    assert "spec.total.requests.tflops: 10 of 5 in use" in message_of(shown, "QuotaExceeded")
    is_told(control_plane, space.name, "GPUResourceQuota", "QuotaExceeded", "10 of 5")
    space.create(pod_of(pool, "other")).well()
    is_said(space, "other", "Placed", "QuotaExceeded", "team", "requests.tflops")
    is_told(control_plane, space.name, "Pod", "QuotaExceeded", "team", "at most 5")
    assert in_force(space.get("pod", "chat")) == in_force(before)

    space.apply(quota(maxWorkers=5, requests={"tflops": "50"})).well()
    running_pods(space, 2)
    quota_shows(space, lambda obj: status_of(obj, "QuotaExceeded") == "False")


@pytest.mark.parametrize(
    ("total", "words"),
    [
        ({"requests": {"tflops": "much"}}, "spec.total.requests.tflops"),
        ({"maxWorkers": -1}, "maxWorkers"),
        ({"alertThresholdPercent": 300}, "alertThresholdPercent"),
        ({"requests": {"tflops": "10"}, "limits": {"tflops": "5"}}, "spec.total.limits.tflops"),
    ],
)
def test_a_quota_of_nonsense_is_refused_with_the_field(total, words, space, pool):
    assert words in space.apply(quota(**total)).err


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
    space.create(pod_of(pool, compute_percent_request="10", compute_percent_limit="20",
                        tflops_request="", tflops_limit="")).well()
    [before] = running_pods(space, 1)

    set_gpu_status(control_plane, gpu_name(node, 0), gpu_status(node, capacity=capacity))

    pool_shows(
        control_plane,
        pool.name,
        lambda obj: (
            gpu_name(node, 0) in message_of(obj, "Ready") and problem in message_of(obj, "Ready")
        ),
    )
    space.create(pod_of(pool, "other")).well()
    is_said(space, "other", "Placed", "NoGPUAvailable", problem)
    assert in_force(space.get("pod", "chat")) == in_force(before)

    set_gpu_status(control_plane, gpu_name(node, 0), gpu_status(node))
    running_pods(space, 2)


def test_a_gpu_whose_uuid_is_another_one_s_is_named_and_the_other_is_used(
    space, pool, control_plane
):
    node = pool.nodes[0]
    stray = gpu_name(node, 7)
    metadata = {"name": stray, "labels": {f"{PREFIX}managed-by": node}}
    gpu = {"apiVersion": API_VERSION, "kind": "GPU", "metadata": metadata}
    Rest(control_plane).request("POST", GPUS.path(), gpu)
    set_gpu_status(
        control_plane, stray, gpu_status(node, uuid=uuid_of(node, 0), index=7)
    )
    try:
        pool_shows(
            control_plane,
            pool.name,
            lambda obj: stray in message_of(obj, "Ready") and uuid_of(node, 0) in message_of(obj, "Ready"),
        )
        for name in ("chat", "other"):
            space.create(pod_of(pool, name, vram_request="8Gi", vram_limit="8Gi")).well()
        pods = running_pods(space, 2)
        assert {annotation(pod, "gpu-ids") for pod in pods} == {uuid_of(node, 0)}
        space.create(pod_of(pool, "third")).well()
        is_said(space, "third", "Placed", "NoGPUAvailable", pool.nodes[0])
    finally:
        control_plane.kubectl("delete", "gpu", stray).well()


def test_an_annotation_that_is_made_unreadable_is_named_and_the_workload_stays(
    space, pool, control_plane
):
    space.create(pod_of(pool)).well()
    [before] = running_pods(space, 1)
    spec = workload_shows(space, "chat", lambda obj: obj["status"]["readyWorkers"] == 1)["spec"]

    space.kubectl("annotate", "pod", "chat", f"{PREFIX}auto-limits=perhaps").well()

    is_said(space, "chat", "Ready", "WorkloadReady", "auto-limits", "perhaps")
    is_told(control_plane, space.name, "TensorFusionWorkload", "InvalidWorker", "perhaps")
    assert space.get("tfw", "chat")["spec"] == spec
    assert in_force(space.get("pod", "chat")) == in_force(before)

    space.kubectl("annotate", "pod", "chat", f"{PREFIX}auto-limits=true", "--overwrite").well()
    workload_shows(
        space, "chat", lambda obj: obj["spec"]["autoScalingConfig"]["autoSetLimits"]["enable"]
    )
    workload_shows(space, "chat", lambda obj: "perhaps" not in message_of(obj, "Ready"))


def test_what_a_user_writes_over_a_generated_workload_is_put_back(space, pool):
    space.create(pod_of(pool)).well()
    before = workload_shows(space, "chat", lambda obj: obj["status"]["readyWorkers"] == 1)
    change = {"spec": {"replicas": 7, "qos": "critical", "resources": {"limits": {"vram": "5Gi"}}}}

    space.kubectl("patch", "tfw", "chat", "--type=merge", "-p", json.dumps(change)).well()
    workload_shows(
        space,
        "chat",
        lambda obj: (
            obj["metadata"]["generation"] > before["metadata"]["generation"] + 1
            and obj["spec"] == before["spec"]
        ),
    )
    space.kubectl(
        "patch", "tfw", "chat", "--type=json", "-p", '[{"op": "remove", "path": "/metadata/ownerReferences"}]'
    ).well()
    workload_shows(
        space,
        "chat",
        lambda obj: obj["metadata"]["ownerReferences"] == before["metadata"]["ownerReferences"],
    )


def test_pods_of_two_owners_whose_workloads_have_one_name_are_told_apart(space, pool, control_plane):
    space.apply(owning("StatefulSet", "a", pod_of(pool))).well()
    first = workload_shows(space, "a-statefulset", lambda obj: obj["status"]["readyWorkers"] == 1)
    other = owning("Deployment", "a-statefulset", pod_of(pool, tflops_limit="40"))

    space.apply(other).well()

    shown = workload_shows(
        space,
        "a-statefulset",
        lambda obj: status_of(obj, "OwnerConflict") == "True",
    )
    text = message_of(shown, "OwnerConflict")
    assert "StatefulSet a " in text
    assert "Deployment a-statefulset" in text
    assert f"{PREFIX}workload" in text
    assert shown["spec"]["resources"] == first["spec"]["resources"]
    is_told(control_plane, space.name, "TensorFusionWorkload", "OwnerConflict", "a-statefulset")

    other["spec"]["template"]["metadata"]["annotations"][f"{PREFIX}workload"] = "b"
    space.apply(other).well()
    workload_shows(space, "b", lambda obj: obj["spec"]["resources"]["limits"]["tflops"] == "40")
    workload_shows(
        space,
        "a-statefulset",
        lambda obj: "OwnerConflict" not in {each["type"] for each in obj["status"]["conditions"]},
    )


def test_a_namespace_that_is_deleted_gives_its_gpus_back(control_plane, pool, controller_process):
    name = f"{pool.name}-going"
    control_plane.kubectl("create", "namespace", name).well()
    owner = owning("Deployment", "chat", pod_of(pool))
    owner["spec"]["replicas"] = 6
    control_plane.kubectl("-n", name, "apply", "-f", "-", stdin=json.dumps(owner)).well()
    until(
        lambda: controller_process.metric("pool_vram_requested_bytes", pool=pool.name) == 16 * 2**30,
        what="four run and two wait",
        deadline_s=DEADLINE_S,
    )

    control_plane.kubectl("delete", "namespace", name, "--wait=false").well()

    until(
        lambda: "NotFound" in control_plane.kubectl("get", "namespace", name).err,
        what="the namespace is gone",
        deadline_s=DEADLINE_S,
    )
    until(
        lambda: controller_process.metric("pool_vram_requested_bytes", pool=pool.name) == 0,
        what="nothing is held",
        deadline_s=DEADLINE_S,
    )
    assert controller_process.metric("waiting_pods", pool=pool.name) == 0
    assert "a defect" not in controller_process.log()


def test_pods_that_no_webhook_admitted_are_left_alone(space, pool, control_plane):
    pod = pod_of(pool)
    del pod["metadata"]["labels"]
    space.create(pod).well()
    until(
        lambda: space.get("pod", "chat")["status"].get("phase") == "Running",
        what="it runs without a GPU",
        deadline_s=DEADLINE_S,
    )
    assert space.kubectl("get", "tfw", "chat").code != 0
