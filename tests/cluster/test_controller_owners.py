"""Pods of every kind of owner: they end, are made anew and join.

Their GPUs have no more room than they need: one that kept its own would keep another one waiting.
"""

from __future__ import annotations

import json

import pytest

from autoscaler.api.names import PLACEMENT_GATE, WORKLOAD_LABEL
from autoscaler.workloads.pod_state import gates_of, has_ended
from tests.cluster.gpu_pools import POOL_OF_NODE, running_pool
from tests.cluster.gpus import temporary_gpus, uuid_of
from tests.cluster.kubelet import FakeKubelet
from tests.cluster.nodes import temporary_node
from tests.cluster.spaces import annotation, owning
from tests.cluster.webhook_process import enabled_pod
from tests.components.processes import until

HOSTNAME = "kubernetes.io/hostname"
HALF, TFLOPS = "50", "100"
DEADLINE_S = 120.0


@pytest.fixture
def pool(control_plane, controller_process, tmp_path):
    """Have two nodes with a GPU each, and room for two workers on each."""
    with running_pool(control_plane, tmp_path / "kubelet", nodes=2, tflops=TFLOPS) as running:
        yield running


def pod_of(pool, name="chat", **annotations):
    amounts = {"tflops_request": HALF, "tflops_limit": TFLOPS, "vram_limit": "1Gi"}
    return enabled_pod(name, gpupool=pool.name, **{**amounts, **annotations})


def staying(space, selector=""):
    return [pod for pod in space.pods(selector) if "deletionTimestamp" not in pod["metadata"]]


def running(space, number, selector=""):
    """Wait until so many pods run, and return them by name; others may wait or have ended."""

    def found():
        pods = [pod for pod in staying(space, selector) if pod["status"]["phase"] == "Running"]
        return len(pods) == number and {pod["metadata"]["name"]: pod for pod in pods}

    return until(found, what=f"{number} pods run in {space.name}", deadline_s=DEADLINE_S)


def waiting(space, number):
    """Wait until so many pods wait for room alone, and return them."""

    def found():
        pods = [pod for pod in staying(space) if gates_of(pod) == (PLACEMENT_GATE,)]
        return len(pods) == number and pods

    return until(found, what=f"{number} pods wait for a GPU", deadline_s=DEADLINE_S)


def is_on_the_gpu_of_its_node(pod):
    return annotation(pod, "gpu-ids") == uuid_of(pod["spec"]["nodeName"], 0)


def shown(space, name, condition):
    """Wait until a workload is as a condition says, and return it."""

    def found():
        listed = space.kubectl("get", "tfw", name, "-o", "json")
        if listed.code != 0:
            return None
        try:
            return listed.json if condition(listed.json) else None
        except LookupError:
            return None

    return until(found, what=f"workload {name} is as expected", deadline_s=DEADLINE_S)


def has_workers(number):
    return lambda obj: obj["status"]["readyWorkers"] == obj["status"]["workerCount"] == number


def test_a_pod_of_a_stateful_set_that_is_made_anew_under_its_name_gets_a_gpu_again(space, pool):
    owner = owning("StatefulSet", "chat", pod_of(pool))
    owner["spec"] |= {"replicas": 4, "podManagementPolicy": "Parallel"}
    space.apply(owner).well()
    before = running(space, 4)
    assert set(before) == {f"chat-{number}" for number in range(4)}

    space.kubectl("delete", "pod", "chat-1", "chat-2", "--wait=false").well()

    def are_new():
        pods = running(space, 4)
        uids = {pod["metadata"]["uid"] for pod in pods.values()}
        return len(uids & {pod["metadata"]["uid"] for pod in before.values()}) == 2 and pods

    after = until(are_new, what="two pods are made anew", deadline_s=DEADLINE_S)
    assert all(map(is_on_the_gpu_of_its_node, after.values()))
    shown(space, "chat-statefulset", has_workers(4))


def test_a_daemon_set_gets_a_gpu_of_each_node_also_of_one_that_joins(
    space, pool, control_plane, tmp_path
):
    owner = owning("DaemonSet", "chat", pod_of(pool))
    owner["spec"]["template"]["spec"]["nodeSelector"] = {POOL_OF_NODE: pool.name}
    space.apply(owner).well()
    pods = running(space, 2)
    assert {pod["spec"]["nodeName"] for pod in pods.values()} == set(pool.nodes)

    joining = f"{pool.name}-joining"
    with (
        temporary_node(control_plane, joining, labels={POOL_OF_NODE: pool.name}),
        FakeKubelet(control_plane, [joining], tmp_path / "joining"),
    ):
        [pod] = waiting(space, 1)
        assert pod["metadata"]["name"] not in pods
        with temporary_gpus(control_plane, joining, tflops=TFLOPS):
            pods = running(space, 3)

            assert pods[pod["metadata"]["name"]]["spec"]["nodeName"] == joining
            assert all(map(is_on_the_gpu_of_its_node, pods.values()))
            shown(space, "chat-daemonset", has_workers(3))


@pytest.mark.parametrize("code", [0, 1])
def test_pods_of_a_job_that_end_give_their_room_to_those_that_wait(code, space, pool):
    owner = owning("Job", "chat", pod_of(pool))
    owner["spec"] |= {"parallelism": 6, "completions": 6, "backoffLimit": 0}
    if code:
        # So that failed pods are not made anew, and the others go on.
        owner["spec"] |= {"completionMode": "Indexed", "backoffLimitPerIndex": 0}
        del owner["spec"]["backoffLimit"]
    space.apply(owner).well()
    first = running(space, 4)
    waiting(space, 2)

    for name in list(first)[:2]:
        pool.kubelet.end_container(space.name, name, code=code)

    last = running(space, 4)
    assert len(set(last) - set(first)) == 2
    for name in last:
        pool.kubelet.end_container(space.name, name, code=code)
    until(
        lambda: [has_ended(pod) for pod in space.pods()] == [True] * 6,
        what="all have ended",
        deadline_s=DEADLINE_S,
    )
    counted = "Failed" if code else "WorkersEnded"
    shown(space, "chat-job", lambda obj: counted in (obj["status"]["phase"], reason(obj, "Ready")))


def test_the_jobs_of_a_cron_job_share_one_workload_that_outlives_them(space, pool):
    owner = owning("CronJob", "chat", pod_of(pool))
    owner["spec"] |= {"suspend": True}
    space.apply(owner).well()
    for name in ("first", "second"):
        space.kubectl("create", "job", name, "--from=cronjob/chat").well()

    pods = running(space, 2)

    assert {pod["metadata"]["labels"][WORKLOAD_LABEL] for pod in pods.values()} == {"chat-cronjob"}
    obj = shown(space, "chat-cronjob", has_workers(2))
    assert [(each["kind"], each["name"]) for each in obj["metadata"]["ownerReferences"]] == [
        ("CronJob", "chat")
    ]
    space.kubectl("delete", "job", "first", "second").well()
    after = shown(space, "chat-cronjob", has_workers(0))
    assert after["metadata"]["uid"] == obj["metadata"]["uid"]


@pytest.mark.parametrize("others", [["example.test/a"], ["example.test/a", "example.test/b"]])
def test_a_pod_with_other_gates_is_placed_when_ours_is_the_last_and_never_before(
    others, space, pool
):
    pod = pod_of(pool, "gated")
    pod["spec"]["schedulingGates"] = [{"name": name} for name in others]
    space.create(pod).well()

    gates = [*others, PLACEMENT_GATE]
    while gates != [PLACEMENT_GATE]:
        probe = pod_of(pool, f"probe-{len(gates)}")
        # Whoever comes later is looked at later.
        space.create(probe).well()
        running(space, 1)
        found = space.get("pod", "gated")
        assert sorted(gates_of(found)) == sorted(gates)
        assert annotation(found, "gpu-ids") is None
        space.kubectl("delete", "pod", probe["metadata"]["name"]).well()
        gates.pop(0)
        patch = {"spec": {"schedulingGates": [{"name": name} for name in gates]}}
        space.kubectl("patch", "pod", "gated", "--type=merge", "-p", json.dumps(patch)).well()

    assert is_on_the_gpu_of_its_node(running(space, 1)["gated"])


@pytest.mark.parametrize("selector", ["hostname", "label"])
def test_a_users_node_selector_is_kept_and_met(selector, space, pool, control_plane):
    node = pool.nodes[1]
    wanted = {HOSTNAME: node}
    if selector == "label":
        wanted = {"example.test/fast": node}
        control_plane.kubectl("label", "node", node, f"example.test/fast={node}").well()
    pods = [pod_of(pool, name) for name in ("a", "b", "c")]
    for pod in pods:
        pod["spec"]["nodeSelector"] = wanted
    space.apply(*pods).well()

    placed = running(space, 2)

    [left] = waiting(space, 1)
    assert {pod["spec"]["nodeName"] for pod in placed.values()} == {node}
    assert [pod["spec"]["nodeSelector"] for pod in placed.values()] == [
        {**wanted, HOSTNAME: node}
    ] * 2
    assert left["spec"]["nodeSelector"] == wanted
    name = left["metadata"]["name"]
    shown(space, name, lambda obj: reason(obj, "Placed") == "NoGPUAvailable")
    space.kubectl("delete", "pod", next(iter(placed)), "--wait=false").well()
    assert name in until(
        lambda: name in (pods := running(space, 2)) and pods,
        what="who waited is placed where room came",
        deadline_s=DEADLINE_S,
    )


def test_a_node_selector_of_a_node_without_gpus_is_named(space, pool, control_plane):
    name = f"{pool.name}-bare"
    pod = pod_of(pool)
    pod["spec"]["nodeSelector"] = {HOSTNAME: name}
    with temporary_node(control_plane, name):
        space.create(pod).well()

        obj = shown(space, "chat", lambda found: reason(found, "Placed") == "NoGPUAvailable")

        assert f"{HOSTNAME}={name}" in message(obj, "Placed")
        assert gates_of(space.get("pod", "chat")) == (PLACEMENT_GATE,)


def condition_of(obj, kind):
    [found] = [each for each in obj["status"]["conditions"] if each["type"] == kind]
    return found


def reason(obj, kind):
    return condition_of(obj, kind)["reason"]


def message(obj, kind):
    return condition_of(obj, kind)["message"]
