"""Bad pods as their users see them: kubectl ends with 1 and says what is wrong and what is allowed.

``tests/autoscaler/webhook`` has every reason; here is each kind of mistake once, at the surface.
"""

from __future__ import annotations

import json

import pytest

from autoscaler.api.names import API_VERSION, PREFIX, WORKLOAD_LABEL
from tests.cluster.spaces import annotation
from tests.cluster.webhook_process import enabled_pod

AMOUNTS = {
    "is_local_gpu": "true",
    "tflops_request": "10",
    "tflops_limit": "20",
    "vram_limit": "4Gi",
}
DENIED = 'admission webhook "pods.tensor-fusion.ai" denied the request: '
BY_ANNOTATIONS = {
    "a bad quantity": ({"vram_limit": "4Gx"}, [f"{PREFIX}vram-limit", "'4Gx'", "allowed: "]),
    "a negative quantity": ({"tflops_request": "-1"}, [f"{PREFIX}tflops-request", "'-1'"]),
    "a limit below the request": (
        {"tflops_request": "30"},
        [f"{PREFIX}tflops-limit", "20", f"{PREFIX}tflops-request", "30"],
    ),
    "an unknown level": ({"qos": "urgent"}, ["'urgent'", "low, medium, high, critical"]),
    "no GPU": ({"gpu_count": "0"}, [f"{PREFIX}gpu-count", "'0'", "1 to 128"]),
    "too many GPUs": ({"gpu_count": "129"}, [f"{PREFIX}gpu-count", "'129'", "1 to 128"]),
    "a number in words": ({"gpu_count": "two"}, [f"{PREFIX}gpu-count", "'two'", "1 to 128"]),
    "an unknown profile": (
        {"workload_profile": "missing"},
        [f"{PREFIX}workload-profile", "'missing' is no WorkloadProfile of namespace"],
    ),
    "a profile of another namespace": (
        {"workload_profile": "other/shared"},
        ["'other/shared'", "in the pod's own namespace"],
    ),
    "an unknown pool": ({"gpupool": "missing"}, ["'missing' is no GPUPool", "default-pool"]),
    "an unknown container": (
        {"inject_container": "python"},
        [f"{PREFIX}inject-container: 'python' is no container of this pod; allowed: main"],
    ),
    "a remote GPU where there is none": (
        {"is_local_gpu": "false"},
        ["asks for a remote GPU, and pool default-pool offers none", "'true'"],
    ),
    "a name that is too long": (
        {"workload": "a" * 64},
        [f"{PREFIX}workload", "has 64 characters; allowed: at most 63"],
    ),
    "an annotation of 300 kB": (
        {"note": "a" * 300_000},
        ["metadata.annotations: 300", "allowed: at most 262144 bytes in all", f"{PREFIX}note"],
    ),
    "no amount": (
        {"tflops_request": "", "tflops_limit": "", "vram_limit": ""},
        ["no amount of GPU is stated"],
    ),
}


def requested(**annotations):
    return enabled_pod("chat", **(AMOUNTS | annotations))


def denial(space, pod):
    ended = space.create(pod)
    assert ended.code == 1
    assert DENIED in ended.err
    return ended.err.partition(DENIED)[2]


@pytest.mark.usefixtures("webhook")
@pytest.mark.parametrize("mistake", BY_ANNOTATIONS)
def test_the_message_names_what_was_written_and_what_is_allowed(mistake, space):
    annotations, words = BY_ANNOTATIONS[mistake]

    message = denial(space, requested(**annotations))

    assert [word for word in words if word not in message] == []
    assert space.pods() == []


@pytest.mark.usefixtures("webhook")
def test_all_mistakes_are_named_at_once(space):
    message = denial(space, requested(qos="urgent", gpu_count="0", vram_limit="4Gx"))

    assert message.startswith("3 reasons: (1) ")
    assert [word in message for word in ("'urgent'", "'0'", "'4Gx'")] == [True] * 3


@pytest.mark.usefixtures("webhook")
def test_a_level_that_the_quota_of_the_namespace_forbids_is_refused(space):
    quota = {
        "apiVersion": API_VERSION,
        "kind": "GPUResourceQuota",
        "metadata": {"name": "team"},
        "spec": {"allowedQoS": ["low"], "single": {"maxLimits": {"vram": "8Gi"}}},
    }
    space.apply(quota).well()

    # A quota is no object that a pod names: the webhook hears of it some milliseconds later.
    words = ["qos 'critical' is forbidden by GPUResourceQuota", "team", "low"]
    message = denial(space, requested(qos="critical"))

    assert [word for word in words if word not in message] == []


@pytest.mark.usefixtures("webhook")
def test_a_preloaded_library_from_elsewhere_is_refused(space):
    source = {"configMapKeyRef": {"name": "settings", "key": "preload"}}
    pod = requested()
    pod["spec"]["containers"][0]["env"] = [{"name": "LD_PRELOAD", "valueFrom": source}]

    assert "env LD_PRELOAD takes its value from elsewhere (valueFrom)" in denial(space, pod)


@pytest.mark.usefixtures("webhook")
@pytest.mark.parametrize("containers", [[], None], ids=["empty", "absent"])
def test_a_pod_without_containers_is_refused(containers, space):
    pod = {**requested(), "spec": {"containers": containers}}

    ended = space.create(pod, "--validate=false")

    assert ended.code == 1
    assert "spec.containers: empty; allowed: at least one container" in ended.err


@pytest.mark.usefixtures("webhook")
def test_a_pod_without_a_name_is_named_and_its_workload_after_the_beginning(space):
    pod = requested()
    pod["metadata"] = {**pod["metadata"], "generateName": "batch-", "name": None}

    made = space.create(pod).json

    assert made["metadata"]["name"].startswith("batch-")
    assert made["metadata"]["labels"][WORKLOAD_LABEL] == annotation(made, "workload") == "batch"


@pytest.mark.usefixtures("webhook")
def test_a_long_name_is_cut_for_the_workload(space):
    pod = requested()
    pod["metadata"]["name"] = "a" * 200

    label = space.create(pod).json["metadata"]["labels"][WORKLOAD_LABEL]

    assert len(label) == 63
    assert label.startswith("a" * 54 + "-")


@pytest.mark.usefixtures("webhook")
def test_the_owner_shows_why_its_pods_are_refused(space):
    pod = requested(qos="urgent")
    labels = {**pod["metadata"]["labels"], "app": "chat"}
    replica_set = {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {"name": "chat"},
        "spec": {
            "selector": {"matchLabels": {"app": "chat"}},
            "template": {
                "metadata": {"labels": labels, "annotations": pod["metadata"]["annotations"]},
                "spec": pod["spec"],
            },
        },
    }
    space.kubectl("create", "-f", "-", stdin=json.dumps(replica_set)).well()

    words = ("wait", "replicaset/chat", "--for=condition=ReplicaFailure", "--timeout=30s")
    space.kubectl(*words).well()

    [condition] = space.get("replicaset", "chat")["status"]["conditions"]
    assert condition["reason"] == "FailedCreate"
    assert f"{PREFIX}qos" in condition["message"]
