"""What users edit and delete under the controller, on a real API server: said, kept, and mended."""

from __future__ import annotations

import json

import pytest

from autoscaler.api.names import API_VERSION, IN_FORCE, PREFIX
from tests.cluster.gpu_pools import running_pool
from tests.cluster.spaces import owning
from tests.cluster.telling import (
    DEADLINE_S,
    is_said,
    is_told,
    is_true,
    message_of,
    shows,
)
from tests.cluster.test_controller import pod_of, running_pods
from tests.components.processes import until


@pytest.fixture
def pool(control_plane, controller_process, tmp_path):
    """Have one node with one GPU of 100 TFLOPS and 16 GiB."""
    with running_pool(control_plane, tmp_path / "kubelet", tflops="100", vram="16Gi") as running:
        yield running


def quota(**total):
    return {
        "apiVersion": API_VERSION,
        "kind": "GPUResourceQuota",
        "metadata": {"name": "team"},
        "spec": {"total": total},
    }


def in_force(pod):
    return {key: pod["metadata"]["annotations"].get(key) for key in IN_FORCE}


def test_a_total_below_what_is_used_takes_nothing_and_lets_nothing_in(space, pool, control_plane):
    space.apply(quota(maxWorkers=5, requests={"tflops": "50"})).well()
    space.create(pod_of(pool)).well()
    [before] = running_pods(space, 1)

    space.apply(quota(maxWorkers=5, requests={"tflops": "5"})).well()

    shown = shows(space, "gpuresourcequota", "team", lambda obj: is_true(obj, "QuotaExceeded"))
    assert "spec.total.requests.tflops: 10 of 5 in use" in message_of(shown, "QuotaExceeded")
    is_told(space, "GPUResourceQuota", "QuotaExceeded", "10 of 5")
    space.create(pod_of(pool, "other")).well()
    is_said(space, "other", "Placed", "QuotaExceeded", "team", "requests.tflops")
    is_told(space, "Pod", "QuotaExceeded", "team", "at most 5")
    assert in_force(space.get("pod", "chat")) == in_force(before)

    space.apply(quota(maxWorkers=5, requests={"tflops": "50"})).well()
    running_pods(space, 2)
    shows(space, "gpuresourcequota", "team", lambda obj: not is_true(obj, "QuotaExceeded"))


@pytest.mark.parametrize(
    ("total", "words"),
    [
        ({"requests": {"tflops": "much"}}, "spec.total.requests.tflops"),
        ({"maxWorkers": -1}, "maxWorkers"),
        ({"alertThresholdPercent": 300}, "alertThresholdPercent"),
    ],
)
def test_a_quota_of_nonsense_is_refused_with_the_field(total, words, space, pool):
    assert words in space.apply(quota(**total)).err


def test_an_annotation_that_is_made_unreadable_is_named_and_the_workload_stays(
    space, pool, control_plane
):
    space.create(pod_of(pool)).well()
    [before] = running_pods(space, 1)
    spec = shows(space, "tfw", "chat", lambda obj: obj["status"]["readyWorkers"] == 1)["spec"]

    space.kubectl("annotate", "pod", "chat", f"{PREFIX}auto-limits=perhaps").well()

    is_said(space, "chat", "Ready", "WorkloadReady", "auto-limits", "perhaps")
    is_told(space, "TensorFusionWorkload", "InvalidWorker", "perhaps")
    assert space.get("tfw", "chat")["spec"] == spec
    assert in_force(space.get("pod", "chat")) == in_force(before)

    space.kubectl("annotate", "pod", "chat", f"{PREFIX}auto-limits=true", "--overwrite").well()
    shows(
        space,
        "tfw",
        "chat",
        lambda obj: obj["spec"]["autoScalingConfig"]["autoSetLimits"]["enable"],
    )
    shows(space, "tfw", "chat", lambda obj: "perhaps" not in message_of(obj, "Ready"))


def test_what_a_user_writes_over_a_generated_workload_is_put_back(space, pool):
    space.create(pod_of(pool)).well()
    before = shows(space, "tfw", "chat", lambda obj: obj["status"]["readyWorkers"] == 1)
    change = {"spec": {"replicas": 7, "qos": "critical", "resources": {"limits": {"vram": "5Gi"}}}}

    space.kubectl("patch", "tfw", "chat", "--type=merge", "-p", json.dumps(change)).well()
    shows(
        space,
        "tfw",
        "chat",
        lambda obj: (
            obj["metadata"]["generation"] > before["metadata"]["generation"] + 1
            and obj["spec"] == before["spec"]
        ),
    )
    space.kubectl(
        "patch",
        "tfw",
        "chat",
        "--type=json",
        "-p",
        '[{"op": "remove", "path": "/metadata/ownerReferences"}]',
    ).well()
    shows(
        space,
        "tfw",
        "chat",
        lambda obj: obj["metadata"]["ownerReferences"] == before["metadata"]["ownerReferences"],
    )


def test_pods_of_two_owners_whose_workloads_have_one_name_are_told_apart(
    space, pool, control_plane
):
    space.apply(owning("StatefulSet", "a", pod_of(pool))).well()
    first = shows(space, "tfw", "a-statefulset", lambda obj: obj["status"]["readyWorkers"] == 1)
    other = owning("Deployment", "a-statefulset", pod_of(pool, tflops_limit="40"))

    space.apply(other).well()

    shown = shows(
        space,
        "tfw",
        "a-statefulset",
        lambda obj: is_true(obj, "OwnerConflict"),
    )
    text = message_of(shown, "OwnerConflict")
    assert "StatefulSet a " in text
    assert "Deployment a-statefulset" in text
    assert f"{PREFIX}workload" in text
    assert shown["spec"]["resources"] == first["spec"]["resources"]
    is_told(space, "TensorFusionWorkload", "OwnerConflict", "a-statefulset")

    other["spec"]["template"]["metadata"]["annotations"][f"{PREFIX}workload"] = "b"
    space.apply(other).well()
    shows(space, "tfw", "b", lambda obj: obj["spec"]["resources"]["limits"]["tflops"] == "40")
    shows(
        space,
        "tfw",
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
        lambda: (
            controller_process.metric("pool_vram_requested_bytes", pool=pool.name) == 16 * 2**30
        ),
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


def test_a_profile_of_nonsense_is_refused_and_one_that_is_gone_leaves_its_settings(space, pool):
    profile = {
        "apiVersion": API_VERSION,
        "kind": "WorkloadProfile",
        "metadata": {"name": "small"},
        "spec": {"autoScalingConfig": {"autoSetLimits": {"enable": True}}},
    }
    space.apply(profile, pod_of(pool, workload_profile="small")).well()
    spec = shows(space, "tfw", "chat", lambda obj: obj["status"]["readyWorkers"] == 1)["spec"]

    wrong = {"autoSetLimits": {"enable": True, "evaluationPeriod": "soon"}}
    refused = space.apply({**profile, "spec": {"autoScalingConfig": wrong}})
    assert "spec.autoScalingConfig.autoSetLimits.evaluationPeriod" in refused.err
    assert "soon" in refused.err
    space.kubectl("delete", "workloadprofile", "small").well()

    is_said(space, "chat", "Ready", "WorkloadReady", "there is no WorkloadProfile 'small'")
    is_told(space, "TensorFusionWorkload", "InvalidWorker", "WorkloadProfile 'small'")
    assert space.get("tfw", "chat")["spec"] == spec
    space.apply({**profile, "spec": {"autoScalingConfig": {}}}).well()
    shows(space, "tfw", "chat", lambda obj: "autoScalingConfig" not in obj["spec"])
    shows(space, "tfw", "chat", lambda obj: "small" not in message_of(obj, "Ready"))
