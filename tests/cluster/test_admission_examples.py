"""The shipped examples, from ``kubectl apply`` to a running pod, and the kinds that own pods.

The controller is played by the test; webhook, scheduler and the controllers of Kubernetes are real.
"""

from __future__ import annotations

import json

import pytest

from autoscaler.api.injection import INIT_CONTAINER
from autoscaler.api.names import (
    COMPONENT,
    DECLARED,
    GPU_IDS,
    IN_FORCE,
    PLACEMENT_GATE,
    POOL_LABEL,
    WORKLOAD_LABEL,
)
from tests.cluster.definitions import DEPLOY
from tests.cluster.nodes import HOSTNAME
from tests.cluster.placement import GPU
from tests.cluster.pods import phase_is
from tests.cluster.rest import RestError
from tests.cluster.spaces import OWNING_KINDS, annotation, owning
from tests.cluster.webhook_process import enabled_pod
from tests.components.processes import until

EXAMPLES = DEPLOY / "examples"
POOLS_OF_EXAMPLES = "gpupool/inference"
AMOUNTS = {
    "is_local_gpu": "true",
    "tflops_request": "10",
    "tflops_limit": "20",
    "vram_limit": "4Gi",
}


@pytest.fixture
def applied(webhook, space):
    """Apply all examples as they are; return what kubectl said."""
    yield space.kubectl("apply", "-f", str(EXAMPLES)).well()
    space.kubectl("delete", POOLS_OF_EXAMPLES).well()


def trigger(space, cron_job):
    """Let a CronJob be late, so that its controller makes the Job now."""
    status = json.dumps({"status": {"lastScheduleTime": "2020-01-01T00:00:00Z"}})
    patch = ("patch", "cronjob", cron_job, "--subresource=status", "--type=merge", "-p", status)
    space.kubectl(*patch).well()


def test_the_examples_are_taken_as_they_are(applied):
    assert len(applied.out.splitlines()) == len(list(EXAMPLES.glob("*.yaml")))
    # The file of the Deployment comes before that of its profile.
    [warning] = applied.err.splitlines()
    assert "unless WorkloadProfile example-workload-profile exists by then" in warning


def test_applying_the_examples_again_changes_nothing(applied, space):
    again = space.kubectl("apply", "-f", str(EXAMPLES)).well()

    assert [line for line in again.out.splitlines() if not line.endswith(" unchanged")] == []
    assert again.err == ""


@pytest.mark.usefixtures("applied")
def test_the_example_of_the_product_runs_once_the_controller_has_placed_it(
    cluster, space, controller, node
):
    [gated] = space.awaited_pods(selector="app=pytorch-example")
    name = gated["metadata"]["name"]
    assert cluster.column(name) == "SchedulingGated"
    assert [gate["name"] for gate in gated["spec"]["schedulingGates"]] == [PLACEMENT_GATE]
    labels = gated["metadata"]["labels"]
    assert (labels[COMPONENT], labels[WORKLOAD_LABEL], labels[POOL_LABEL]) == (
        "worker",
        "pytorch-example",
        "default-pool",
    )
    annotations = gated["metadata"]["annotations"]
    stated = ["10", "20", None, None, "4Gi", "4Gi"]
    assert [annotations.get(key) for key in DECLARED] == stated
    assert [annotations.get(key) for key in IN_FORCE] == stated
    sources = json.loads(annotations["tensor-fusion.ai/sources"])
    assert sources["gpu-model"] == "profile example-workload-profile"

    controller.place(gated, node)

    running = cluster.shows("pod", name, phase_is("Running"))
    assert running["spec"]["nodeName"] == node
    assert running["spec"]["nodeSelector"] == {HOSTNAME: node}
    assert "schedulingGates" not in running["spec"]
    assert running["metadata"]["annotations"][GPU_IDS] == GPU
    assert [each["name"] for each in running["status"]["initContainerStatuses"]] == [INIT_CONTAINER]
    cluster.shows("deployment", "pytorch-example", lambda it: it["status"]["readyReplicas"] == 1)


@pytest.mark.usefixtures("webhook")
def test_a_pod_that_changed_since_it_was_looked_at_is_not_placed(space, controller):
    pod = space.create(enabled_pod("chat", **AMOUNTS)).json
    space.kubectl("annotate", "pod", "chat", "example.com/note=changed").well()

    with pytest.raises(RestError, match="the object has been modified"):
        controller.place(pod, "any")
    assert space.get("pod", "chat")["spec"]["schedulingGates"] == [{"name": PLACEMENT_GATE}]


@pytest.mark.usefixtures("webhook")
def test_the_gate_of_somebody_else_still_holds_a_placed_pod(cluster, space, controller, node):
    pod = enabled_pod("chat", **AMOUNTS)
    pod["spec"]["schedulingGates"] = [{"name": "example.com/paid"}]
    created = space.create(pod).json

    placed = controller.place(created, node)

    assert placed["spec"]["schedulingGates"] == [{"name": "example.com/paid"}]
    assert cluster.column("chat") == "SchedulingGated"


@pytest.mark.usefixtures("webhook")
@pytest.mark.parametrize("kind", OWNING_KINDS)
def test_the_pods_of_every_kind_are_placed_as_workers_of_their_root_owner(
    kind, cluster, space, controller, node
):
    applied = space.apply(owning(kind, "chat", enabled_pod("chat", **AMOUNTS))).well()
    assert applied.err == ""
    if kind == "CronJob":
        trigger(space, "chat")

    [gated] = space.awaited_pods(selector="app=chat")
    name = gated["metadata"]["name"]
    workload = "chat" if kind == "Deployment" else f"chat-{kind.lower()}"
    assert gated["metadata"]["labels"][WORKLOAD_LABEL] == workload
    assert annotation(gated, "workload") == workload
    controller.place(gated, node)

    cluster.shows("pod", name, phase_is("Running"))


@pytest.mark.usefixtures("webhook")
def test_a_pod_that_is_made_anew_is_admitted_as_the_one_before(space):
    space.apply(owning("StatefulSet", "chat", enabled_pod("chat", **AMOUNTS))).well()
    [first] = space.awaited_pods()
    space.kubectl("delete", "pod", "chat-0", "--grace-period=0", "--force").well()

    second = until(
        lambda: [pod for pod in space.pods() if pod["metadata"]["uid"] != first["metadata"]["uid"]],
        what="the pod is made anew",
    )[0]

    def ours(pod):
        return pod["metadata"]["annotations"], pod["metadata"]["labels"], pod["spec"]["containers"]

    assert ours(second) == ours(first)
