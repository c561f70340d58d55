"""``tfa controller`` with its own rights, beside the real scheduler and Kubernetes' controllers."""

from __future__ import annotations

import json
from contextlib import closing

import pytest

from autoscaler.api.names import (
    MODE,
    PLACEMENT_GATE,
    WORKLOAD_LABEL,
    EventReason,
    FieldManager,
)
from autoscaler.errors import ConflictError
from autoscaler.kube.api_server import ApiServer
from autoscaler.kube.resource import WORKLOADS
from autoscaler.kube.status_apply import StatusOwner, apply_status
from tests.cluster.gpu_pools import running_pool
from tests.cluster.gpus import gpu_name, uuid_of
from tests.cluster.spaces import annotation, owning
from tests.cluster.test_admission_in_force import switched
from tests.cluster.webhook_process import enabled_pod
from tests.components.processes import until

AMOUNTS = {
    "tflops_request": "10",
    "tflops_limit": "20",
    "vram_request": "4Gi",
    "vram_limit": "8Gi",
}
ENROLLED = {"auto_requests": "true", "auto_limits": "true"}
AUTOSCALER = StatusOwner(
    field_manager=FieldManager.AUTOSCALER,
    fields=frozenset({"recommendation", "desiredResources", "guard"}),
)
DEADLINE_S = 60.0
"""The garbage collector learns of a new kind within half a minute."""


@pytest.fixture(scope="module")
def pool(control_plane, controller_process, tmp_path_factory):
    """Have two nodes with two GPUs each, of 312 TFLOPS and 80 GiB."""
    with running_pool(
        control_plane, tmp_path_factory.mktemp("kubelet"), nodes=2, gpus=2
    ) as running:
        yield running


def pod_of(pool, name="chat", **annotations):
    return enabled_pod(name, gpupool=pool.name, **{**AMOUNTS, **annotations})


def running_pods(space, count, selector=""):
    """Wait until so many pods run, and return them."""

    def found():
        pods = [pod for pod in space.pods(selector) if pod["status"].get("phase") == "Running"]
        return len(pods) == count and pods

    return until(found, what=f"{count} pods run in {space.name}", deadline_s=DEADLINE_S)


def is_on_its_gpus(pod):
    """Return whether a pod is bound to the node whose GPUs it was given."""
    node = pod["spec"]["nodeName"]
    return set(annotation(pod, "gpu-ids").split(",")) <= {uuid_of(node, 0), uuid_of(node, 1)}


def workload_shows(space, name, condition):
    def found():
        listed = space.kubectl("get", "tfw", name, "-o", "json")
        if listed.code != 0:
            return None
        obj = listed.json
        try:
            return condition(obj) and obj
        except LookupError:
            return None

    return until(found, what=f"workload {name} is as expected", deadline_s=DEADLINE_S)


def condition_of(obj, kind):
    found = {each["type"]: each for each in obj["status"]["conditions"]}[kind]
    return found["status"], found["reason"]


def requested(controller_process, pool):
    return controller_process.metric("pool_tflops_requested", pool=pool.name)


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet", "Job", "DaemonSet"])
def test_pods_of_every_kind_of_owner_are_placed_and_bound(kind, space, pool):
    owner = owning(kind, "chat", pod_of(pool))
    if kind == "DaemonSet":
        owner["spec"]["template"]["spec"]["nodeSelector"] = {
            "kubernetes.io/hostname": pool.nodes[0]
        }
    space.apply(owner).well()

    [pod] = running_pods(space, 1)

    assert is_on_its_gpus(pod)
    name = pod["metadata"]["labels"][WORKLOAD_LABEL]
    shown = workload_shows(space, name, lambda obj: obj["status"]["phase"] == "Running")
    assert shown["status"]["workerCount"] == 1
    assert condition_of(shown, "Ready") == ("True", "WorkloadReady")


def test_a_bare_pod_is_placed_and_its_workload_goes_with_it(space, pool):
    space.create(pod_of(pool)).well()

    [pod] = running_pods(space, 1)
    assert is_on_its_gpus(pod)
    assert pod["metadata"]["annotations"][MODE] == "embedded"
    workload_shows(space, "chat", lambda obj: obj["status"]["readyWorkers"] == 1)

    space.kubectl("delete", "pod", "chat").well()
    until(
        lambda: space.kubectl("get", "tfw", "chat").code != 0,
        what="the workload is gone",
        deadline_s=DEADLINE_S,
    )


def test_a_pod_with_another_gate_waits_for_it_and_is_placed_then(space, pool):
    pod = pod_of(pool)
    pod["spec"]["schedulingGates"] = [{"name": "example.test/first"}]
    space.create(pod).well()
    workload_shows(space, "chat", lambda obj: obj["status"]["workerCount"] == 1)
    assert annotation(space.get("pod", "chat"), "gpu-ids") is None

    patch = {"spec": {"schedulingGates": [{"name": PLACEMENT_GATE}]}}
    space.kubectl("patch", "pod", "chat", "--type=merge", "-p", json.dumps(patch)).well()

    [pod] = running_pods(space, 1)
    assert is_on_its_gpus(pod)


def test_a_users_node_selector_is_kept(space, pool):
    pod = pod_of(pool)
    pod["spec"]["nodeSelector"] = {"kubernetes.io/hostname": pool.nodes[1]}
    space.create(pod).well()

    [pod] = running_pods(space, 1)
    assert pod["spec"]["nodeName"] == pool.nodes[1]


def test_a_worker_of_two_gpus_gets_them_on_one_node(space, pool):
    space.create(pod_of(pool, gpu_count="2")).well()

    [pod] = running_pods(space, 1)
    assert is_on_its_gpus(pod)
    assert len(annotation(pod, "gpu-ids").split(",")) == 2


def test_what_cannot_be_placed_says_what_is_missing(space, pool, controller_process):
    space.create(pod_of(pool, vram_request="90Gi", vram_limit="90Gi")).well()

    shown = workload_shows(space, "chat", lambda obj: condition_of(obj, "Placed")[0] == "False")

    assert condition_of(shown, "Placed") == ("False", EventReason.NO_GPU_AVAILABLE)
    events = until(
        lambda: [
            each
            for each in space.kubectl("get", "events.events.k8s.io", "-o", "json").json["items"]
            if each["reason"] == EventReason.NO_GPU_AVAILABLE
        ],
        what="an event tells of it",
    )
    assert "90 GiB" in events[0]["note"] or "90Gi" in events[0]["note"]
    assert controller_process.metric("missing_gpus", pool=pool.name) == 1.0


def test_a_decision_is_put_in_force_in_running_workers(space, pool, control_plane):
    owner = owning("Deployment", "chat", pod_of(pool, **ENROLLED))
    space.apply({**owner, "spec": {**owner["spec"], "replicas": 2}}).well()
    before = running_pods(space, 2)
    decided = {
        "epoch": 1,
        "sequence": 1,
        "time": "2026-01-01T00:00:00Z",
        "requests": {"tflops": "15", "vram": "5Gi"},
        "limits": {"tflops": "30", "vram": "9Gi"},
    }
    with switched(control_plane, mode="apply"):
        decide(control_plane, space, "chat", decided)
        shown = workload_shows(space, "chat", lambda obj: obj["status"]["applied"]["workers"] == 2)

    after = space.pods()
    assert shown["status"]["applied"] == {"epoch": 1, "sequence": 1, "workers": 2}
    assert [annotation(pod, "tflops-request") for pod in after] == ["15", "15"]
    assert [annotation(pod, "vram-limit") for pod in after] == ["9Gi", "9Gi"]
    assert [annotation(pod, "declared-tflops-request") for pod in after] == ["10", "10"]
    assert sorted(pod["metadata"]["uid"] for pod in after) == sorted(
        pod["metadata"]["uid"] for pod in before
    )


def decide(plane, space, name, decided):
    """Write a decision as the autoscaler will, None to take one back."""
    parts = {} if decided is None else {"desiredResources": decided}
    with closing(
        ApiServer.from_environment(kubeconfig=plane.admin_kubeconfig, user_agent="tests")
    ) as api:

        def is_written():
            shown = api.get(WORKLOADS, name, space.name)
            try:
                apply_status(api, WORKLOADS, shown, parts, AUTOSCALER)
            except ConflictError:
                return False
            return True

        until(is_written, what="the decision is written")


def test_gpus_and_pool_show_what_is_free(space, pool, control_plane):
    space.create(pod_of(pool, tflops_request="12", tflops_limit="12")).well()
    [pod] = running_pods(space, 1)
    node = pod["spec"]["nodeName"]
    [index] = [i for i in (0, 1) if uuid_of(node, i) == annotation(pod, "gpu-ids")]

    def shows_it():
        gpu = control_plane.kubectl("get", "gpu", gpu_name(node, index), "-o", "json").json
        pods = [p for app in gpu["status"].get("runningApps", ()) for p in app["pods"]]
        return pod["metadata"]["uid"] in {each["uid"] for each in pods}

    until(shows_it, what="the GPU names the worker", deadline_s=DEADLINE_S)
    shown = control_plane.kubectl("get", "gpupool", pool.name, "-o", "json").json
    assert shown["status"]["totals"]["gpus"] == 4
    assert condition_of(shown, "Ready")[0] == "True"
