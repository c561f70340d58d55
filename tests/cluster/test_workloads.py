"""Workloads of a real cluster: whom they belong to, what they say, when they go."""

from __future__ import annotations

import json

import pytest

from autoscaler.api.names import API_VERSION, GENERATED_FROM
from tests.cluster.gpu_pools import running_pool
from tests.cluster.spaces import owning
from tests.cluster.webhook_process import enabled_pod
from tests.components.processes import until

AMOUNTS = {"tflops_request": "10", "tflops_limit": "20", "vram_request": "4Gi", "vram_limit": "8Gi"}
DEADLINE_S = 30.0


@pytest.fixture(scope="module")
def pool(control_plane, controller_process, tmp_path_factory):
    """Have a node with four GPUs and a kubelet."""
    with running_pool(control_plane, tmp_path_factory.mktemp("kubelet"), gpus=4) as running:
        yield running


def pod(pool, name="chat", **annotations):
    return enabled_pod(name, gpupool=pool.name, **{**AMOUNTS, **annotations})


def deployment(pool, name="chat", *, replicas=1, **annotations):
    made = owning("Deployment", name, pod(pool, name, **annotations))
    made["spec"]["replicas"] = replicas
    return made


def shown(space, name="chat", condition=lambda _: True):
    """Wait until a workload is as a condition says, and return it."""

    def found():
        got = space.kubectl("get", "tensorfusionworkload", name, "-o", "json")
        if got.code != 0:
            return None
        try:
            return got.json if condition(got.json) else None
        except LookupError:
            return None

    return until(found, what=f"workload {name} is as expected", deadline_s=DEADLINE_S)


def is_gone(space, name="chat"):
    listed = space.kubectl("get", "tensorfusionworkload", "-o", "json").json
    return name not in [each["metadata"]["name"] for each in listed["items"]]


def owners(obj):
    return [(each["kind"], each["name"]) for each in obj["metadata"].get("ownerReferences") or ()]


def profile(**spec):
    return {
        "apiVersion": API_VERSION,
        "kind": "WorkloadProfile",
        "metadata": {"name": "small"},
        "spec": spec,
    }


def patch(space, kind, name, **change):
    space.kubectl("patch", kind, name, "--type=merge", "-p", json.dumps(change)).well()


def reason_of(obj, kind):
    return next(each["reason"] for each in obj["status"]["conditions"] if each["type"] == kind)


def test_a_workload_says_what_was_declared_and_where_each_value_came_from(space, pool):
    enrolled = {"autoSetRequests": {"enable": True, "percentileForAutoRequests": 0.9}}
    space.apply(
        profile(qos="high", autoScalingConfig=enrolled),
        deployment(pool, workload_profile="small", auto_limits="true"),
    ).well()

    obj = shown(space, condition=lambda found: found["status"]["phase"] == "Running")

    assert obj["metadata"]["annotations"][GENERATED_FROM] == "Deployment.apps/chat"
    assert obj["spec"] == {
        "poolName": pool.name,
        "replicas": 1,
        "resources": {
            "requests": {"tflops": "10", "vram": "4Gi"},
            "limits": {"tflops": "20", "vram": "8Gi"},
        },
        "qos": "high",
        "isLocalGPU": True,
        "noStandaloneWorkerMode": True,
        "gpuCount": 1,
        "autoScalingConfig": {**enrolled, "autoSetLimits": {"enable": True}},
    }
    effective = obj["status"]["effective"]
    assert effective["qos"] == {"value": "high", "source": "profile small"}
    assert effective["tflops-limit"]["source"] == "annotation tensor-fusion.ai/tflops-limit"
    assert effective["autoScalingConfig.autoSetRequests.percentileForAutoRequests"] == {
        "value": "0.9",
        "source": "profile small",
    }


def test_a_changed_profile_changes_the_settings_of_running_workloads_and_no_amount(space, pool):
    space.apply(profile(), deployment(pool, workload_profile="small")).well()
    before = shown(space)["spec"]
    enrolled = {"autoSetLimits": {"enable": True}}
    patch(
        space,
        "workloadprofile",
        "small",
        spec={"autoScalingConfig": enrolled, "resources": {"limits": {"tflops": "99"}}},
    )

    after = shown(space, condition=lambda found: "autoScalingConfig" in found["spec"])["spec"]

    assert after == {**before, "autoScalingConfig": enrolled}


def test_a_rollout_changes_the_amounts_and_takes_none_of_the_workload_s_place(space, pool):
    space.apply(deployment(pool)).well()
    uid = shown(space)["metadata"]["uid"]
    space.apply(deployment(pool, tflops_limit="40")).well()
    after = shown(space, condition=lambda obj: obj["spec"]["resources"]["limits"]["tflops"] == "40")
    assert after["metadata"]["uid"] == uid


def test_the_number_of_replicas_is_the_owner_s_and_can_be_read_by_scalers(space, pool):
    space.apply(deployment(pool, replicas=2)).well()
    shown(space, condition=lambda obj: obj["status"]["readyWorkers"] == 2)
    path = f"/apis/{API_VERSION}/namespaces/{space.name}/tensorfusionworkloads/chat/scale"
    scale = space.kubectl("get", "--raw", path).json
    assert (scale["spec"]["replicas"], scale["status"]["replicas"]) == (2, 2)
    assert scale["status"]["selector"] == (
        "tensor-fusion.ai/component=worker,tensor-fusion.ai/workload=chat"
    )

    space.kubectl("scale", "deployment", "chat", "--replicas=0").well()
    obj = shown(
        space,
        condition=lambda found: (
            (found["spec"]["replicas"], found["status"]["workerCount"]) == (0, 0)
        ),
    )
    assert reason_of(obj, "Ready") == "ScaledToZero"


@pytest.mark.parametrize("kind", ["Deployment", "StatefulSet", "Job"])
def test_a_workload_goes_with_the_owner_of_its_pods(kind, space, pool):
    space.apply(owning(kind, "chat", pod(pool))).well()
    name = "chat" if kind == "Deployment" else f"chat-{kind.lower()}"
    assert owners(shown(space, name)) == [(kind, "chat")]
    space.kubectl("delete", kind.lower(), "chat").well()
    until(lambda: not space.pods(), what="the pods are gone", deadline_s=DEADLINE_S)
    until(lambda: is_gone(space, name), what="the workload is gone", deadline_s=DEADLINE_S)


def test_a_shared_workload_follows_its_first_owner_and_goes_with_the_last(space, pool):
    space.apply(deployment(pool, "first", workload="shared")).well()
    shown(space, "shared")
    space.apply(deployment(pool, "second", workload="shared", tflops_limit="40")).well()
    both = shown(space, "shared", lambda obj: obj["status"]["workerCount"] == 2)
    assert owners(both) == [("Deployment", "first"), ("Deployment", "second")]
    assert both["spec"]["resources"]["limits"]["tflops"] == "20"
    assert both["spec"]["replicas"] == 2

    space.kubectl("delete", "deployment", "first").well()
    one = shown(
        space,
        "shared",
        lambda obj: owners(obj) == [("Deployment", "second")] and obj["spec"]["replicas"] == 1,
    )
    assert one["spec"]["resources"]["limits"]["tflops"] == "40"

    space.kubectl("delete", "deployment", "second").well()
    until(lambda: is_gone(space, "shared"), what="the workload is gone", deadline_s=DEADLINE_S)


def test_a_workload_that_a_user_wrote_keeps_its_spec_and_outlives_its_pods(space, pool):
    spec = {"poolName": pool.name, "qos": "low", "resources": {"requests": {"tflops": "5"}}}
    written = {
        "apiVersion": API_VERSION,
        "kind": "TensorFusionWorkload",
        "metadata": {"name": "mine"},
        "spec": {**spec, "replicas": 1},
    }
    annotations = {"workload": "mine", "generate_workload": "false"}
    space.apply(written, deployment(pool, **annotations)).well()
    obj = shown(space, "mine", lambda found: found["status"]["readyWorkers"] == 1)
    assert obj["spec"] == written["spec"]
    assert [owner["name"] for owner in obj["status"]["owners"]] == ["chat"]

    space.kubectl("delete", "deployment", "chat", "--wait").well()
    obj = shown(space, "mine", lambda found: found["status"]["workerCount"] == 0)
    assert owners(obj) == []


def test_a_workload_that_is_deleted_under_its_pods_is_made_again(space, pool):
    space.apply(deployment(pool)).well()
    uid = shown(space)["metadata"]["uid"]
    space.kubectl("delete", "tensorfusionworkload", "chat").well()
    anew = shown(space, condition=lambda obj: obj["metadata"]["uid"] != uid)
    assert anew["spec"]["resources"]["limits"]["tflops"] == "20"


def test_a_quiet_workload_is_not_written(space, pool):
    space.apply(deployment(pool)).well()
    before = shown(space, condition=lambda obj: reason_of(obj, "Ready") == "WorkloadReady")
    patch(space, "deployment", "chat", metadata={"labels": {"touched": "true"}})
    patch(space, "gpupool", pool.name, metadata={"annotations": {"touched": "true"}})
    space.apply(deployment(pool, "other")).well()
    shown(space, "other", lambda obj: reason_of(obj, "Ready") == "WorkloadReady")
    version = space.get("tensorfusionworkload", "chat")["metadata"]["resourceVersion"]
    assert version == before["metadata"]["resourceVersion"]
