"""Pods on a real API server that asks a real webhook process, as users see it with kubectl."""

from __future__ import annotations

import pytest
import yaml

from autoscaler.api.injection import INIT_CONTAINER, VOLUMES
from autoscaler.api.names import (
    COMPONENT,
    DECLARED,
    ENABLED,
    IN_FORCE,
    PLACEMENT_GATE,
    POOL_LABEL,
    PREFIX,
    WORKLOAD_LABEL,
)
from tests.cluster.webhook_process import LIMITER_IMAGE, enabled_pod
from tests.components.processes import until

AMOUNTS = {"tflops_request": "10", "tflops_limit": "20", "vram_request": "2Gi", "vram_limit": "4Gi"}


def create(plane, namespace, obj, *options):
    return plane.kubectl(
        "create", "-n", namespace, "-f", "-", "-o", "json", *options, stdin=yaml.safe_dump(obj)
    )


def deployment(name, **annotations):
    pod = enabled_pod(name, **annotations)
    labels = {"app": name, **pod["metadata"]["labels"]}
    template = {"metadata": {**pod["metadata"], "labels": labels}, "spec": pod["spec"]}
    del template["metadata"]["name"]
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {"replicas": 2, "selector": {"matchLabels": {"app": name}}, "template": template},
    }


def pods(plane, namespace, **labels):
    selector = ",".join(f"{key}={value}" for key, value in labels.items())
    return plane.kubectl("get", "pods", "-n", namespace, "-l", selector, "-o", "json").json["items"]


@pytest.mark.usefixtures("webhook")
def test_a_bare_pod_arrives_admitted(control_plane, namespace):
    made = create(control_plane, namespace, enabled_pod("chat", **AMOUNTS)).json

    labels, annotations = made["metadata"]["labels"], made["metadata"]["annotations"]
    assert (labels[COMPONENT], labels[WORKLOAD_LABEL], labels[POOL_LABEL]) == (
        "worker",
        "chat",
        "default-pool",
    )
    assert annotations[f"{PREFIX}declared-tflops-limit"] == "20"
    assert annotations[f"{PREFIX}vram-limit"] == "4Gi"
    spec = made["spec"]
    assert [gate["name"] for gate in spec["schedulingGates"]] == [PLACEMENT_GATE]
    assert {volume.name for volume in VOLUMES} <= {volume["name"] for volume in spec["volumes"]}
    [init] = [each for each in spec["initContainers"] if each["name"] == INIT_CONTAINER]
    assert init["image"] == LIMITER_IMAGE


@pytest.mark.usefixtures("webhook")
def test_the_pods_of_a_deployment_arrive_admitted_as_one_workload(control_plane, namespace):
    create(control_plane, namespace, deployment("chat", **AMOUNTS)).well()

    found = until(
        lambda: len(them := pods(control_plane, namespace, app="chat")) == 2 and them,
        what="the Deployment has its pods",
    )

    assert {pod["metadata"]["labels"][WORKLOAD_LABEL] for pod in found} == {"chat"}
    assert {pod["metadata"]["annotations"][IN_FORCE[0]] for pod in found} == {"10"}
    assert {pod["metadata"]["annotations"][DECLARED[0]] for pod in found} == {"10"}


def test_a_dry_run_shows_the_admitted_pod_and_writes_nothing(webhook, control_plane, namespace):
    before = webhook.metric("admission_requests_total", webhook="pods", outcome="patched")

    made = create(control_plane, namespace, enabled_pod("dry", **AMOUNTS), "--dry-run=server").json

    assert made["metadata"]["labels"][COMPONENT] == "worker"
    assert pods(control_plane, namespace, **{ENABLED: "true"}) == []
    after = webhook.metric("admission_requests_total", webhook="pods", outcome="patched")
    assert after > before


def test_a_refusal_says_which_annotation_is_wrong_and_what_is_allowed(
    webhook, control_plane, namespace
):
    ended = create(control_plane, namespace, enabled_pod("chat", **AMOUNTS, qos="urgent"))

    assert ended.code == 1
    assert 'admission webhook "pods.tensor-fusion.ai" denied the request' in ended.err
    assert "tensor-fusion.ai/qos" in ended.err
    assert "'urgent'" in ended.err
    assert "low, medium, high, critical" in ended.err
    assert webhook.metric("admission_requests_total", webhook="pods", outcome="refused") >= 1


@pytest.mark.usefixtures("webhook")
def test_a_warning_is_shown_to_whoever_creates_the_pod(control_plane, namespace):
    ended = create(control_plane, namespace, enabled_pod("chat", **AMOUNTS, favourite_colour="red"))

    assert ended.code == 0
    assert "Warning: " in ended.err
    assert f"{PREFIX}favourite-colour" in ended.err


@pytest.mark.usefixtures("webhook")
def test_a_pod_without_our_label_is_left_alone(control_plane, namespace):
    pod = enabled_pod("plain")
    pod["metadata"]["labels"] = {}

    made = create(control_plane, namespace, pod).json

    assert "initContainers" not in made["spec"]
    assert "schedulingGates" not in made["spec"]


@pytest.mark.usefixtures("webhook")
def test_profile_and_pod_may_come_in_one_file_in_any_order(control_plane, namespace):
    profile = {
        "apiVersion": "tensor-fusion.ai/v1",
        "kind": "WorkloadProfile",
        "metadata": {"name": "shared"},
        "spec": {"resources": {"limits": {"tflops": "30", "vram": "8Gi"}}},
    }
    for number in range(5):
        profile["metadata"]["name"] = f"shared-{number}"
        pod = enabled_pod(f"chat-{number}", workload_profile=f"shared-{number}")
        document = yaml.safe_dump_all([profile, pod])
        control_plane.kubectl("apply", "-n", namespace, "-f", "-", stdin=document).well()

    found = pods(control_plane, namespace, **{ENABLED: "true"})
    assert [pod["metadata"]["annotations"][f"{PREFIX}vram-limit"] for pod in found] == ["8Gi"] * 5


def test_what_the_caches_lack_is_looked_at_once_more(webhook, control_plane, namespace):
    before = webhook.metric("admission_live_gets_total", outcome="absent")

    ended = create(control_plane, namespace, enabled_pod("chat", workload_profile="missing"))

    assert ended.code == 1
    assert "missing" in ended.err
    assert webhook.metric("admission_live_gets_total", outcome="absent") == before + 1


@pytest.mark.usefixtures("webhook")
def test_a_profile_that_means_nothing_is_refused(control_plane, namespace):
    profile = {
        "apiVersion": "tensor-fusion.ai/v1",
        "kind": "WorkloadProfile",
        "metadata": {"name": "wrong"},
        "spec": {
            "resources": {
                "requests": {"tflops": "30", "vram": "8Gi"},
                "limits": {"tflops": "3", "vram": "8Gi"},
            }
        },
    }
    ended = create(control_plane, namespace, profile)

    assert ended.code == 1
    assert "tflops" in ended.err


@pytest.mark.usefixtures("webhook")
def test_a_template_whose_pods_would_be_refused_is_warned_about_at_once(control_plane, namespace):
    ended = create(control_plane, namespace, deployment("chat", **AMOUNTS, qos="urgent"))

    assert ended.code == 0
    assert "Warning: " in ended.err
    assert "'urgent'" in ended.err


def test_a_running_webhook_is_ready_and_shows_its_numbers(webhook):
    assert webhook.readiness() == (200, "ok\n")
    assert webhook.metric("cache_synced", resource="gpupools.tensor-fusion.ai") == 1.0
    assert webhook.metric("serving_certificate_loads_total") == 1.0
    assert webhook.metric("admission_requests_total", webhook="pods", outcome="defect") == 0.0


def test_the_log_tells_of_readiness_and_of_no_defect(webhook):
    text = webhook.log()

    assert "autoscaler.listening ready" in text
    assert "Traceback" not in text
    assert "defect" not in text
