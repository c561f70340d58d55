"""Pods as ``inject`` makes them, before a real API server with its admission plugins."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import Any

import pytest

from autoscaler.webhook.inject import InjectionPlan, inject
from autoscaler.webhook.json_patch import difference
from tests.cluster.control_plane import ControlPlane
from tests.cluster.rest import MERGE_PATCH, Rest
from tests.components.processes import until

PLAN = InjectionPlan(
    containers=("main",),
    is_limited=True,
    is_gated=True,
    limiter_image="limiter:1",
    annotations={"tensor-fusion.ai/vram-limit": "4Gi"},
)
SMALL = {"cpu": "100m", "memory": "64Mi"}
CPU = {"cpu": "100m"}
RESTRICTED = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "runAsNonRoot": True,
    "seccompProfile": {"type": "RuntimeDefault"},
}


@pytest.fixture
def admin(control_plane: ControlPlane) -> Iterator[Rest]:
    with closing(Rest(control_plane)) as rest:
        yield rest


def created(
    admin: Rest, namespace: str, container: Mapping[str, Any], **spec: Any
) -> dict[str, Any]:
    """Create an injected pod and return it as the API server has it."""
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "job", "namespace": namespace},
        "spec": {"containers": [{"name": "main", "image": "cuda", **container}], **spec},
    }
    new, problems = inject(pod, PLAN)
    assert problems == ()
    return admin.request("POST", f"/api/v1/namespaces/{namespace}/pods", new)


@pytest.mark.parametrize(
    ("resources", "quality"),
    [
        ({}, "BestEffort"),
        ({"requests": CPU}, "Burstable"),
        ({"requests": SMALL, "limits": SMALL}, "Guaranteed"),
        ({"limits": SMALL}, "Guaranteed"),
    ],
)
def test_a_pod_keeps_its_quality_of_service_class(admin, namespace, resources, quality):
    assert created(admin, namespace, {"resources": resources})["status"]["qosClass"] == quality


def test_injecting_what_the_api_server_returns_changes_nothing(admin, namespace):
    env = [{"name": "LD_PRELOAD", "value": "/a.so"}]
    setup = [{"name": "setup", "image": "sh"}]

    pod = created(
        admin, namespace, {"env": env, "resources": {"limits": CPU}}, initContainers=setup
    )

    assert difference(pod, inject(pod, PLAN)[0]) == ()


@pytest.mark.parametrize(
    ("level", "user"),
    [
        ("baseline", {}),
        ("baseline", {"runAsUser": 0}),
        ("restricted", {}),
        ("restricted", {"runAsUser": 1000, "fsGroup": 2000}),
    ],
)
def test_pod_security_admits_what_it_would_admit_without_us(admin, namespace, level, user):
    label = {"pod-security.kubernetes.io/enforce": level}
    path = f"/api/v1/namespaces/{namespace}"
    admin.request("PATCH", path, {"metadata": {"labels": label}}, content_type=MERGE_PATCH)
    own = {} if level == "baseline" else RESTRICTED

    pod = created(admin, namespace, {"securityContext": own}, securityContext=user)

    assert [each["name"] for each in pod["spec"]["initContainers"]] == ["tf-limiter"]


def test_a_quota_that_demands_amounts_admits_and_counts_no_more_than_before(admin, namespace):
    hard = {
        "requests.cpu": "100m",
        "limits.cpu": "100m",
        "requests.memory": "64Mi",
        "limits.memory": "64Mi",
        "requests.ephemeral-storage": "1Gi",
        "limits.ephemeral-storage": "1Gi",
    }
    path = f"/api/v1/namespaces/{namespace}/resourcequotas"
    quota = {"metadata": {"name": "small"}, "spec": {"hard": hard}}
    admin.request("POST", path, quota)
    until(
        lambda: "hard" in admin.get(f"{path}/small").get("status", {}), what="the quota is in force"
    )
    amounts = {**SMALL, "ephemeral-storage": "1Gi"}

    created(admin, namespace, {"resources": {"requests": amounts, "limits": amounts}})

    used = admin.get(f"{path}/small")["status"]["used"]
    assert used == hard


@pytest.mark.parametrize("resources", [{}, {"limits": {"cpu": "500m", "memory": "512Mi"}}])
def test_a_limit_range_that_admits_the_pod_admits_the_limiter(admin, namespace, resources):
    item = {
        "type": "Container",
        "min": {"cpu": "200m", "memory": "256Mi"},
        "max": {"cpu": "1", "memory": "1Gi"},
        "default": {"cpu": "400m", "memory": "300Mi"},
        "defaultRequest": {"cpu": "250m", "memory": "256Mi"},
        "maxLimitRequestRatio": {"cpu": "2", "memory": "2"},
    }
    limits = {"metadata": {"name": "range"}, "spec": {"limits": [item]}}
    admin.request("POST", f"/api/v1/namespaces/{namespace}/limitranges", limits)

    def admitted() -> bool:
        pod = {"metadata": {"name": "probe"}, "spec": {"containers": [{"name": "c", "image": "i"}]}}
        path = f"/api/v1/namespaces/{namespace}/pods?dryRun=All"
        return bool(admin.request("POST", path, pod)["spec"]["containers"][0]["resources"])

    until(admitted, what="the limit range is in force")

    pod = created(admin, namespace, {"resources": resources})

    assert pod["spec"]["initContainers"][0]["resources"]["limits"]["cpu"] in {"400m", "500m"}
