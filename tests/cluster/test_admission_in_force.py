"""What new pods start with once the autoscaler has decided, and what stays as it was declared.

The test writes the decision as the autoscaler will: by server-side apply of the status.
"""

from __future__ import annotations

import json
from contextlib import closing, contextmanager

import pytest

from autoscaler.api.names import (
    API_VERSION,
    CONTROL_CONFIG_MAP,
    IS_DEFAULT_POOL,
    NAMESPACE,
    PAUSED,
    FieldManager,
)
from autoscaler.kube.api_server import ApiServer
from autoscaler.kube.resource import WORKLOADS
from autoscaler.kube.status_apply import StatusOwner, apply_status
from tests.cluster.spaces import annotation, owning
from tests.cluster.webhook_process import enabled_pod
from tests.components.processes import until

DECLARED = {
    "tflops-request": "10",
    "tflops-limit": "20",
    "vram-request": "4Gi",
    "vram-limit": "8Gi",
}
DECIDED = {
    "requests": {"tflops": "15", "vram": "5Gi"},
    "limits": {"tflops": "30", "vram": "6Gi"},
}
AS_DECIDED = {
    "tflops-request": "15",
    "tflops-limit": "30",
    "vram-request": "5Gi",
    "vram-limit": "6Gi",
}
ENROLLED = {"auto_requests": "true", "auto_limits": "true"}
AUTOSCALER = StatusOwner(
    field_manager=FieldManager.AUTOSCALER,
    fields=frozenset({"recommendation", "desiredResources", "guard"}),
)
DEADLINE_S = 15.0


@pytest.fixture(scope="module")
def autoscaler(control_plane):
    """Return the API as the autoscaler uses it; its rights are not shipped yet."""
    with closing(
        ApiServer.from_environment(kubeconfig=control_plane.admin_kubeconfig, user_agent="tests")
    ) as api:
        yield api


@contextmanager
def switched(plane, **data):
    """Have the process-wide switches stand like this."""

    def patch(data):
        words = ("patch", "configmap", CONTROL_CONFIG_MAP, "-n", NAMESPACE, "--type=merge", "-p")
        plane.kubectl(*words, json.dumps({"data": data})).well()

    patch(data)
    try:
        yield
    finally:
        patch(dict.fromkeys(data))


@pytest.fixture
def applying(webhook, control_plane):
    """Have the whole installation in mode ``apply``."""
    with switched(control_plane, mode="apply"):
        yield


def requested(name="chat", **annotations):
    stated = {key.replace("-", "_"): text for key, text in DECLARED.items()}
    return enabled_pod(name, is_local_gpu="true", workload="chat", **stated | annotations)


def in_force(pod):
    return {key: annotation(pod, key) for key in DECLARED}


def declared(pod):
    return {key: annotation(pod, f"declared-{key}") for key in DECLARED}


def decide(api, space, desired, **status):
    """Write what was decided for workload ``chat``, which the controller makes."""
    workload = {"apiVersion": API_VERSION, "kind": WORKLOADS.kind, "metadata": {"name": "chat"}}
    space.apply({**workload, "spec": {}}).well()
    stamp = {"epoch": 1, "sequence": 1, "time": "2026-01-01T00:00:00Z"}
    parts = {"desiredResources": {**stamp, **desired}, **status} if desired else status
    apply_status(api, WORKLOADS, api.get(WORKLOADS, "chat", space.name), parts, AUTOSCALER)


def is_given(space, expected, **annotations):
    """Wait until new pods get these amounts; return one of them."""

    def given():
        pod = space.create(requested(**annotations), "--dry-run=server").json
        return pod if in_force(pod) == expected else None

    return until(given, what=f"new pods get {expected}", deadline_s=DEADLINE_S)


@pytest.mark.usefixtures("applying")
def test_new_pods_of_an_enrolled_workload_get_what_was_decided(space, autoscaler):
    space.apply(owning("Deployment", "chat", requested(**ENROLLED))).well()
    [first] = space.awaited_pods()
    assert in_force(first) == DECLARED
    decide(autoscaler, space, DECIDED)
    is_given(space, AS_DECIDED, **ENROLLED)

    space.kubectl("scale", "deployment", "chat", "--replicas=2").well()

    pods = {pod["metadata"]["name"]: pod for pod in space.awaited_pods(2)}
    assert in_force(pods.pop(first["metadata"]["name"])) == DECLARED
    [second] = pods.values()
    assert in_force(second) == AS_DECIDED
    assert declared(second) == declared(first) == DECLARED
    assert annotation(second, "sources") == annotation(first, "sources")


@pytest.mark.usefixtures("applying")
def test_a_copy_of_such_a_pod_still_declares_what_its_user_declared(space, autoscaler):
    decide(autoscaler, space, DECIDED)
    pod = is_given(space, AS_DECIDED, **ENROLLED)
    metadata = {key: pod["metadata"][key] for key in ("name", "labels", "annotations")}

    copy = space.create({**pod, "metadata": metadata}).json

    assert (declared(copy), in_force(copy)) == (DECLARED, AS_DECIDED)
    assert annotation(copy, "sources") == annotation(pod, "sources")


@pytest.mark.usefixtures("applying")
def test_the_next_start_wins_and_a_gpu_model_over_both(space, autoscaler):
    later = {"limits": {"vram": "5Gi"}}
    on_h100 = {"limits": {"tflops": "40"}, "nextStart": {"limits": {"tflops": "45"}}}
    desired = {**DECIDED, "nextStart": later, "byGPUModel": {"H100": on_h100}}

    decide(autoscaler, space, desired)

    is_given(space, AS_DECIDED | {"vram-limit": "5Gi"}, **ENROLLED)
    expected = AS_DECIDED | {"vram-limit": "5Gi", "tflops-limit": "45"}
    is_given(space, expected, gpu_model="H100", **ENROLLED)
    is_given(space, AS_DECIDED | {"vram-limit": "5Gi"}, gpu_model="A100", **ENROLLED)


@pytest.mark.usefixtures("applying")
def test_only_layers_that_are_enrolled_follow_the_decision(space, autoscaler):
    decide(autoscaler, space, DECIDED)

    is_given(space, AS_DECIDED, **ENROLLED)
    requests = {key: AS_DECIDED[key] for key in ("tflops-request", "vram-request")}
    is_given(space, DECLARED | requests, auto_requests="true")
    is_given(space, DECLARED)


@pytest.mark.usefixtures("applying")
def test_what_was_decided_and_is_withdrawn_does_not_count_any_more(space, autoscaler):
    decide(autoscaler, space, DECIDED)
    is_given(space, AS_DECIDED, **ENROLLED)

    decide(autoscaler, space, {})

    is_given(space, DECLARED, **ENROLLED)


@pytest.mark.usefixtures("applying")
def test_a_recommendation_is_no_decision(space, autoscaler):
    decide(
        autoscaler, space, {"limits": {"tflops": "25"}}, recommendation={"limits": {"vram": "1Gi"}}
    )

    is_given(space, DECLARED | {"tflops-limit": "25"}, **ENROLLED)


@pytest.mark.usefixtures("applying")
def test_no_decision_goes_above_the_quota(space, autoscaler):
    quota = {
        "apiVersion": API_VERSION,
        "kind": "GPUResourceQuota",
        "metadata": {"name": "team"},
        "spec": {"single": {"maxLimits": {"tflops": "22"}}},
    }
    space.apply(quota).well()
    decide(autoscaler, space, DECIDED)

    is_given(space, AS_DECIDED | {"tflops-limit": "22"}, **ENROLLED)


def test_an_installation_that_only_recommends_gives_what_is_declared(
    webhook, space, autoscaler, control_plane
):
    decide(autoscaler, space, DECIDED)
    with switched(control_plane, mode="apply"):
        is_given(space, AS_DECIDED, **ENROLLED)

    is_given(space, DECLARED, **ENROLLED)
    with switched(control_plane, mode="recommend"):
        is_given(space, DECLARED, **ENROLLED)


@pytest.mark.parametrize("paused", ["everything", "workload", "pool"])
def test_under_a_pause_new_pods_start_like_their_siblings(
    paused, applying, space, autoscaler, control_plane
):
    decide(autoscaler, space, DECIDED)
    is_given(space, AS_DECIDED, **ENROLLED)
    if paused == "everything":
        with switched(control_plane, paused="true"):
            pod = space.create(requested(**ENROLLED)).json
    else:
        name = ("gpupool", "default-pool") if paused == "pool" else ("tensorfusionworkload", "chat")
        space.kubectl("annotate", *name, f"{PAUSED}=true").well()
        pod = space.create(requested(**ENROLLED)).json
        space.kubectl("annotate", *name, f"{PAUSED}-").well()

    assert in_force(pod) == AS_DECIDED
    assert (
        space.get("gpupool", "default-pool")["metadata"]["annotations"][IS_DEFAULT_POOL] == "true"
    )


@pytest.mark.usefixtures("applying")
def test_a_decision_in_another_unit_is_warned_about_and_left(space, autoscaler):
    decide(autoscaler, space, {"limits": {"compute": "50", "vram": "6Gi"}})
    is_given(space, DECLARED | {"vram-limit": "6Gi"}, **ENROLLED)

    ended = space.create(requested(**ENROLLED), "--dry-run=server")

    assert "states compute-percent-limit, and the pod states compute in tflops" in ended.err
