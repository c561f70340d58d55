"""The agent as a process with its own token and rights, on the real API server.

Its GPUs are a fake NVML's; the volumes of pods are folders, as no kubelet runs here.
"""

from __future__ import annotations

import urllib.request

import pytest
from prometheus_client.parser import text_string_to_metric_families

from autoscaler.agent.pages.abi import ONE_Q32
from autoscaler.api.names import (
    COMPONENT,
    GPU_IDS,
    MANAGED_BY,
    POOL_LABEL,
    PREFIX,
    WORKLOAD_LABEL,
)
from autoscaler.kube.resource import GPUS, PODS
from recommender.quantities import parse_quantity
from tests.autoscaler.agent.pages.pages import ctl_of
from tests.cluster.agent_process import start_agent
from tests.cluster.definitions import install_definitions
from tests.cluster.nodes import temporary_node
from tests.cluster.rest import MERGE_PATCH, Rest
from tests.cluster.tenants import POLICIES
from tests.components.processes import until
from tests.fakes.gpu.cards import CardTraits, make_cards

NODE, OTHER_NODE = "node-of-the-agent", "node-of-agents-that-end"
H100_TFLOPS = 989.4
GIB = 2**30


@pytest.fixture(scope="module")
def cards(tmp_path_factory):
    made = make_cards(tmp_path_factory.mktemp("cards"), CardTraits(), CardTraits())
    yield made
    for card in made.cards:
        card.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("agent")


@pytest.fixture(scope="module")
def installed(control_plane):
    install_definitions(control_plane)
    # Those of tenants would refuse worker pods that nobody admitted.
    control_plane.kubectl("delete", "-k", POLICIES, "--ignore-not-found").well()
    control_plane.kubectl("apply", "-f", POLICIES / "agent-gpus.yaml").well()
    with temporary_node(control_plane, NODE), temporary_node(control_plane, OTHER_NODE):
        yield control_plane
        control_plane.kubectl("delete", "gpus", "--all").well()


@pytest.fixture(scope="module")
def agent(installed, cards, folder):
    running = start_agent(installed, NODE, cards, folder)
    yield running
    running.process.kill()


@pytest.fixture
def rest(installed):
    made = Rest(installed)
    yield made
    made.close()


def add_worker(rest, namespace, name, uuid, *, node=NODE, **annotations):
    """Add a worker pod that was placed on a GPU, and return it."""
    stated = {f"{PREFIX}{key.replace('_', '-')}": text for key, text in annotations.items()}
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": {
                f"{PREFIX}enabled": "true",
                COMPONENT: "worker",
                WORKLOAD_LABEL: "chat",
                POOL_LABEL: "pool",
            },
            "annotations": {GPU_IDS: uuid, **stated},
        },
        "spec": {"nodeName": node, "containers": [{"name": "main", "image": "any"}]},
    }
    return rest.request("POST", PODS.path(namespace), pod)


def share(folders):
    return ctl_of(folders.control).gpu[0].share_q32 / ONE_Q32


def metrics(agent):
    with urllib.request.urlopen(f"{agent.url}/metrics") as answer:
        text = answer.read().decode()
    return {
        (sample.name, sample.labels.get("worker", sample.labels.get("uuid", ""))): sample
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_gpus_of_the_node_become_objects_that_say_what_they_are(agent, rest, cards):
    found = rest.get(f"{GPUS.path()}?labelSelector={MANAGED_BY}={NODE}")["items"]

    assert {gpu["metadata"]["name"] for gpu in found} == {card.uuid.lower() for card in cards.cards}
    first = found[0]
    assert first["metadata"]["ownerReferences"][0]["name"] == NODE
    status = first["status"]
    capacity = {name: float(parse_quantity(text)) for name, text in status["capacity"].items()}
    assert (status["phase"], status["gpuModel"]) == ("Running", "NVIDIA H100 80GB HBM3")
    assert capacity == {"tflops": H100_TFLOPS, "vram": 80.0 * GIB}


def test_a_change_of_an_annotation_reaches_the_page(agent, rest, cards, namespace):
    pod = add_worker(
        rest, namespace, "chat-0", cards.cards[0].uuid, tflops_limit="200", vram_limit="20Gi"
    )
    volumes = agent.volumes(pod["metadata"]["uid"])
    until((volumes.control / "ctl").exists, what="the page is made")
    assert share(volumes) == pytest.approx(200 / H100_TFLOPS, abs=1e-6)

    patch = {"metadata": {"annotations": {f"{PREFIX}tflops-limit": "400"}}}
    path = PODS.path(namespace, "chat-0")
    rest.request("PATCH", path, patch, content_type=MERGE_PATCH)

    until(lambda: share(volumes) > 0.4, what="the new limit is in force")
    found = metrics(agent)
    assert found["tf_worker_tflops_limit", "chat-0"].value == 400.0
    assert found["tf_worker_vram_bytes_limit", "chat-0"].value == 20.0 * GIB
    labels = found["tf_worker_effective_share_percentage", "chat-0"].labels
    assert (labels["namespace"], labels["workload"], labels["pool"]) == (namespace, "chat", "pool")
    assert (labels["node"], labels["gpu_model"]) == (NODE, "NVIDIA H100 80GB HBM3")
    assert found["tf_agent_limit_apply_seconds_count", ""].value >= 1.0


def test_a_pod_with_a_gpu_of_another_node_is_not_served(agent, rest, namespace):
    add_worker(rest, namespace, "forged", "GPU-of-another-node", tflops_limit="1")

    until(lambda: metrics(agent)["tf_agent_unserved_pods", ""].value == 1.0, what="it is told")
    assert ("tf_worker_tflops_limit", "forged") not in metrics(agent)


def test_pods_of_other_nodes_are_not_seen(agent, rest, cards, namespace):
    add_worker(rest, namespace, "elsewhere", cards.cards[0].uuid, node="another", tflops_limit="9")
    add_worker(rest, namespace, "here", cards.cards[0].uuid, tflops_limit="9")

    until(lambda: ("tf_worker_tflops_limit", "here") in metrics(agent), what="its own is seen")
    assert ("tf_worker_tflops_limit", "elsewhere") not in metrics(agent)


def test_an_agent_that_was_killed_is_followed_by_one_that_adopts_the_pages(
    installed, rest, tmp_path, namespace
):
    (tmp_path / "cards").mkdir()
    uuid = "GPU-00000000-0000-4000-8000-0000000000ff"
    cards = make_cards(tmp_path / "cards", CardTraits(uuid=uuid))
    agent = start_agent(installed, OTHER_NODE, cards, tmp_path)
    pod = add_worker(rest, namespace, "kept", uuid, node=OTHER_NODE, tflops_limit="500")
    volumes = agent.volumes(pod["metadata"]["uid"])
    until((volumes.control / "ctl").exists, what="the page is made")
    page = (volumes.control / "ctl").stat().st_ino
    agent.process.kill()
    patch = {"metadata": {"annotations": {f"{PREFIX}tflops-limit": "100"}}}
    rest.request("PATCH", PODS.path(namespace, "kept"), patch, content_type=MERGE_PATCH)

    again = start_agent(installed, OTHER_NODE, cards, tmp_path)
    until(lambda: share(volumes) < 0.2, what="the limit of now is in force")
    again.process.ask_to_end()

    assert again.process.wait_and_clear() == 0
    assert (volumes.control / "ctl").stat().st_ino == page
    assert share(volumes) == pytest.approx(100 / H100_TFLOPS, abs=1e-6)
    cards.cards[0].close()
