"""No webhook process answers: what users see meanwhile, and how it goes on by itself afterwards."""

from __future__ import annotations

import time
from contextlib import contextmanager

import pytest

from autoscaler.api.names import API_VERSION, COMPONENT, WORKLOAD_LABEL
from tests.cluster.spaces import owning
from tests.cluster.webhook_process import enabled_pod, start_webhook
from tests.components.processes import status_of, until

AMOUNTS = {
    "is_local_gpu": "true",
    "tflops_request": "10",
    "tflops_limit": "20",
    "vram_limit": "4Gi",
}


@pytest.fixture(scope="module")
def outage(webhook, control_plane, tmp_path_factory):
    """Return a context in which no webhook process runs; at its end one runs again."""

    @contextmanager
    def made():
        running[-1].stop()
        try:
            yield
        finally:
            folder = tmp_path_factory.mktemp("webhook-again")
            process, health_url = start_webhook(control_plane, folder, port=webhook.port)
            running.append(process)
            until(lambda: status_of(f"{health_url}/readyz") == 200, what="the webhook is ready")

    running = [webhook.process]
    yield made
    running[-1].stop()


def without_label(pod):
    return {**pod, "metadata": {"name": f"plain-{pod['metadata']['name']}"}}


def test_only_new_pods_with_our_label_and_our_objects_are_refused(outage, space):
    space.create(enabled_pod("before", **AMOUNTS)).well()
    profile = {
        "apiVersion": API_VERSION,
        "kind": "WorkloadProfile",
        "metadata": {"name": "it"},
        "spec": {},
    }

    with outage():
        refused = space.create(enabled_pod("chat", **AMOUNTS))
        refused_profile = space.create(profile)
        space.create(without_label(enabled_pod("chat"))).well()
        space.kubectl("annotate", "pod", "before", "example.com/note=it").well()
        space.kubectl("delete", "pod", "before", "--wait=false").well()
        template = space.create(owning("Deployment", "quiet", without_label(enabled_pod("quiet"))))

    assert refused.code == 1
    assert 'failed calling webhook "pods.tensor-fusion.ai"' in refused.err
    assert "connection refused" in refused.err
    assert 'failed calling webhook "objects.tensor-fusion.ai"' in refused_profile.err
    assert (template.code, template.err) == (0, "")
    space.create(enabled_pod("chat", **AMOUNTS)).well()
    space.create(profile).well()


def test_a_deployment_says_why_it_has_no_pods_and_recovers_by_itself(
    outage, space, record_testsuite_property
):
    with outage():
        refused_s = time.monotonic()
        space.apply(owning("Deployment", "chat", enabled_pod("chat", **AMOUNTS))).well()
        words = ("wait", "deployment/chat", "--for=condition=ReplicaFailure", "--timeout=30s")
        space.kubectl(*words).well()
        conditions = space.get("deployment", "chat")["status"]["conditions"]
        [failure] = [each for each in conditions if each["type"] == "ReplicaFailure"]
        assert space.pods() == []

    back_s = time.monotonic()
    [pod] = space.awaited_pods()
    record_testsuite_property("outage_s", round(back_s - refused_s, 1))
    record_testsuite_property("recovery_s", round(time.monotonic() - back_s, 1))

    assert 'failed calling webhook "pods.tensor-fusion.ai"' in failure["message"]
    assert pod["metadata"]["labels"][COMPONENT] == "worker"
    assert pod["metadata"]["labels"][WORKLOAD_LABEL] == "chat"
