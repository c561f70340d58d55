"""Our kinds and the templates of other kinds, as kubectl answers whoever writes them."""

from __future__ import annotations

import json

import pytest

from autoscaler.api.names import API_VERSION, ENABLED, PREFIX
from tests.cluster.spaces import OWNING_KINDS, owning
from tests.cluster.webhook_process import enabled_pod
from tests.components.processes import until

DENIED = 'admission webhook "objects.tensor-fusion.ai" denied the request: '
AMOUNTS = {
    "is_local_gpu": "true",
    "tflops_request": "10",
    "tflops_limit": "20",
    "vram_limit": "4Gi",
}
BOTH_GENERATIONS = {
    "autoScalingConfig": {
        "autoSetRequests": {"enable": True, "targetResource": "vram"},
        "autoSetResources": {"enable": True, "targetResource": "vram"},
    }
}
LIMIT_BELOW_REQUEST = {"resources": {"requests": {"vram": "8Gi"}, "limits": {"vram": "4Gi"}}}
MISTAKES = {
    "a limit below its request": (
        "WorkloadProfile",
        LIMIT_BELOW_REQUEST,
        ["spec.resources", "requests.vram (8Gi) is above limits.vram (4Gi)"],
    ),
    "both generations": (
        "WorkloadProfile",
        BOTH_GENERATIONS,
        ["spec.autoScalingConfig", "autoSetResources", "autoSetRequests"],
    ),
    "a workload with a share above all": (
        "TensorFusionWorkload",
        {"autoScalingConfig": {"autoSetRequests": {"percentileForAutoRequests": "195%"}}},
        ["percentileForAutoRequests", "195%"],
    ),
    "a worker template with a volume of the host": (
        "WorkloadProfile",
        {"workerPodTemplate": {"spec": {"volumes": [{"name": "a", "hostPath": {"path": "/"}}]}}},
        ["spec.workerPodTemplate", "volumes"],
    ),
    "a quota whose default is above its maximum": (
        "GPUResourceQuota",
        {"single": {"maxLimits": {"vram": "4Gi"}, "defaultLimits": {"vram": "8Gi"}}},
        ["defaultLimits.vram", "maxLimits.vram"],
    ),
    "a pool whose rule has both generations": (
        "GPUPool",
        {"rules": [{"name": "all", "podSelector": {}, **BOTH_GENERATIONS}]},
        ["spec.rules", "autoSetResources", "autoSetRequests"],
    ),
}


def obj(kind, spec, name="it"):
    return {"apiVersion": API_VERSION, "kind": kind, "metadata": {"name": name}, "spec": spec}


@pytest.mark.usefixtures("webhook")
@pytest.mark.parametrize("mistake", MISTAKES)
def test_an_object_that_means_nothing_is_refused_with_its_fields(mistake, space):
    kind, spec, words = MISTAKES[mistake]

    ended = space.create(obj(kind, spec))

    assert ended.code == 1
    assert [word for word in words if word not in ended.err] == []


@pytest.mark.usefixtures("webhook")
def test_an_update_is_looked_at_like_a_new_object(space):
    space.create(obj("WorkloadProfile", {"resources": {"limits": {"vram": "4Gi"}}})).well()

    patch = json.dumps({"spec": {"resources": {"limits": {"vram": "lots"}}}})
    ended = space.kubectl("patch", "workloadprofile", "it", "--type=merge", "-p", patch)

    assert ended.code == 1
    assert "spec.resources.limits.vram" in ended.err
    assert space.get("workloadprofile", "it")["spec"]["resources"] == {"limits": {"vram": "4Gi"}}


@pytest.mark.usefixtures("webhook")
def test_an_unknown_pool_and_a_second_default_are_warned_about(space):
    ended = space.create(obj("WorkloadProfile", {"poolName": "missing"}), "--dry-run=server")
    assert "spec.poolName: there is no GPUPool 'missing' now; known pools: " in ended.err

    pool = obj("GPUPool", {"nodeSelector": {"a": "b"}}, name="second")
    pool["metadata"]["annotations"] = {f"{PREFIX}is-default-pool": "true"}
    ended = space.create(pool, "--dry-run=server")
    assert ended.code == 0
    assert "default-pool" in ended.err


@pytest.mark.usefixtures("webhook")
@pytest.mark.parametrize("kind", OWNING_KINDS)
def test_whoever_applies_a_template_sees_what_its_pods_will_meet(kind, space):
    refused = owning(kind, "chat", enabled_pod("chat", **AMOUNTS, qos="urgent"))
    ended = space.create(refused, "--dry-run=server")
    assert ended.code == 0
    assert "Warning: pods of this template will be refused: " in ended.err
    assert "'urgent'" in ended.err

    misspelt = owning(kind, "chat", enabled_pod("chat", **AMOUNTS, qoss="low"))
    ended = space.create(misspelt, "--dry-run=server")
    assert f"did you mean {PREFIX}qos?" in ended.err

    right = owning(kind, "chat", enabled_pod("chat", **AMOUNTS))
    assert space.create(right, "--dry-run=server").err == ""


@pytest.mark.usefixtures("webhook")
def test_the_controllers_of_kubernetes_ask_nothing_about_templates(webhook, space):
    """A Deployment's status changes all the time; only what people write is looked at."""

    def asked():
        return sum(
            webhook.metric("admission_requests_total", webhook="templates", outcome=outcome)
            for outcome in ("allowed", "refused", "patched")
        )

    before = asked()
    space.apply(owning("Deployment", "chat", enabled_pod("chat", **AMOUNTS))).well()
    space.awaited_pods()
    until(
        lambda: space.get("deployment", "chat")["status"].get("replicas") == 1,
        what="the Deployment has counted its pods",
    )

    assert asked() == before + 1


@pytest.mark.usefixtures("webhook")
def test_annotations_without_the_label_are_warned_about(space):
    deployment = owning("Deployment", "chat", enabled_pod("chat", **AMOUNTS))
    del deployment["spec"]["template"]["metadata"]["labels"][ENABLED]

    ended = space.create(deployment, "--dry-run=server")

    assert f"no effect without the label {ENABLED}: 'true'" in ended.err
