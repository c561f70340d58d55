"""Admitted pods in namespaces with rules of their own: Pod Security, quotas, ranges; QoS classes.

``test_injected_pods`` has more pods without a webhook process.
"""

from __future__ import annotations

import json

import pytest

from autoscaler.api.injection import INIT_CONTAINER
from tests.cluster.webhook_process import enabled_pod
from tests.components.processes import until

AMOUNTS = {
    "is_local_gpu": "true",
    "tflops_request": "10",
    "tflops_limit": "20",
    "vram_limit": "4Gi",
}
CPU = {"cpu": "100m"}
SMALL = {**CPU, "memory": "64Mi"}
RESTRICTED = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "runAsNonRoot": True,
    "seccompProfile": {"type": "RuntimeDefault"},
}


def requested(name="chat", **container):
    pod = enabled_pod(name, **AMOUNTS)
    pod["spec"]["containers"][0].update(container)
    return pod


def plain(pod):
    """Return the same pod without our label."""
    return {**pod, "metadata": {"name": f"plain-{pod['metadata']['name']}"}}


def rule(kind, spec):
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": "rule"}, "spec": spec}


def init_containers(pod):
    return [each["name"] for each in pod["spec"]["initContainers"]]


@pytest.mark.usefixtures("webhook")
@pytest.mark.parametrize(
    ("resources", "quality"),
    [
        ({}, "BestEffort"),
        ({"requests": CPU}, "Burstable"),
        ({"limits": CPU}, "Burstable"),
        ({"requests": SMALL, "limits": SMALL}, "Guaranteed"),
        ({"limits": SMALL}, "Guaranteed"),
        ({"limits": {**SMALL, "nvidia.com/gpu": "1"}}, "Guaranteed"),
    ],
)
def test_a_pod_keeps_the_quality_of_service_class_that_it_has_without_us(resources, quality, space):
    pod = requested(resources=resources)

    admitted = space.create(pod, "--dry-run=server").json
    other = space.create(plain(pod), "--dry-run=server").json

    assert init_containers(admitted) == [INIT_CONTAINER]
    assert admitted["status"]["qosClass"] == other["status"]["qosClass"] == quality


@pytest.mark.usefixtures("webhook")
@pytest.mark.parametrize(
    ("level", "context"),
    [("baseline", {}), ("restricted", RESTRICTED)],
    ids=["baseline", "restricted"],
)
def test_pod_security_admits_an_admitted_pod_without_a_warning(
    level, context, space, control_plane
):
    labels = [f"pod-security.kubernetes.io/{mode}={level}" for mode in ("enforce", "warn")]
    control_plane.kubectl("label", "namespace", space.name, *labels).well()
    forbidden = requested("root", securityContext={"privileged": True})

    made = space.create(requested(securityContext=context))

    assert init_containers(made.json) == [INIT_CONTAINER]
    assert made.err == ""
    assert f'violates PodSecurity "{level}:latest"' in space.create(forbidden).err


@pytest.mark.usefixtures("webhook")
def test_a_resource_quota_admits_a_pod_and_counts_no_more_than_without_us(space):
    names = [f"{side}.{name}" for side in ("requests", "limits") for name in SMALL]
    hard = {name: SMALL[name.partition(".")[2]] for name in names}
    space.apply(rule("ResourceQuota", {"hard": hard})).well()
    until(
        lambda: "hard" in space.get("resourcequota", "rule").get("status", {}),
        what="the quota is in force",
    )
    assert "must specify limits.cpu" in space.create(requested("unstated")).err

    space.create(requested(resources={"limits": SMALL})).well()

    assert space.get("resourcequota", "rule")["status"]["used"] == hard
    assert "exceeded quota" in space.create(requested("second", resources={"limits": SMALL})).err


@pytest.mark.usefixtures("webhook")
def test_a_limit_range_that_admits_a_pod_admits_it_with_the_limiter(space):
    item = {
        "type": "Container",
        "min": {"cpu": "200m", "memory": "256Mi"},
        "max": {"cpu": "1", "memory": "1Gi"},
        "default": {"cpu": "400m", "memory": "300Mi"},
        "defaultRequest": {"cpu": "250m", "memory": "256Mi"},
    }
    space.apply(rule("LimitRange", {"limits": [item]})).well()
    until(
        lambda: (
            space.create(plain(requested()), "--dry-run=server").json["status"]["qosClass"]
            == "Burstable"
        ),
        what="the range is in force",
    )

    pod = space.create(requested()).json

    [limiter] = pod["spec"]["initContainers"]
    assert limiter["resources"]["requests"].keys() == {"cpu", "memory"}
    assert pod["spec"]["containers"][0]["resources"]["requests"] == item["defaultRequest"]


@pytest.mark.usefixtures("webhook")
def test_whole_gpus_of_an_injected_container_are_not_asked_of_the_scheduler(space):
    pod = space.create(requested(resources={"limits": {"nvidia.com/gpu": "2"}})).json

    assert "nvidia.com/gpu" not in json.dumps(pod["spec"])
    assert pod["metadata"]["annotations"]["tensor-fusion.ai/gpu-count"] == "2"
