"""What an agent may not do with its rights, tried on a real API server with a token of its pod.

So an agent that errs, or whose token was taken from its node, tells of no other node's GPUs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from autoscaler.api.names import API_VERSION, MANAGED_BY, POOL_LABEL, FieldManager, ServiceAccount
from autoscaler.errors import ForbiddenError, KubeError
from autoscaler.kube.api_server import ApiServer
from autoscaler.kube.resource import GPUS, NODES, PODS
from tests.cluster.agent_account import agent_kubeconfig
from tests.cluster.control_plane import ControlPlane
from tests.cluster.definitions import install_definitions
from tests.cluster.gpus import gpu_name, gpu_status, temporary_gpus
from tests.cluster.nodes import temporary_node
from tests.cluster.tenants import POLICIES
from tests.components.processes import until

OWN, OTHER = "node-of-an-agent", "node-of-another-agent"


@dataclass(frozen=True, slots=True, kw_only=True)
class Policed:
    """An agent before the API server."""

    api: ApiServer

    def make(self, node: str, index: int, **metadata: Any) -> None:
        """Make the object of a GPU, as that of a node.  Raises ``KubeError``."""
        obj = {
            "apiVersion": API_VERSION,
            "kind": "GPU",
            "metadata": {
                "name": gpu_name(node, index),
                "labels": {MANAGED_BY: node},
                **metadata,
            },
        }
        self.api.create(GPUS, obj)

    def tell(self, node: str, status: Mapping[str, Any]) -> None:
        """Apply a status of the first GPU of a node.  Raises ``KubeError``."""
        obj = {
            "apiVersion": API_VERSION,
            "kind": "GPU",
            "metadata": {"name": gpu_name(node, 0)},
            "status": status,
        }
        self.api.apply(GPUS, obj, field_manager=FieldManager.AGENT, subresource="status")

    def is_policed(self) -> bool:
        """Return whether the policy is in force already."""
        try:
            self.tell(OTHER, gpu_status(OTHER))
        except ForbiddenError as error:
            return "tensor-fusion-agent-gpus" in str(error)
        return False


@pytest.fixture(scope="module")
def agent(
    control_plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Policed]:
    """Give an agent its rights and policies; its node and another one have a GPU each."""
    install_definitions(control_plane)
    control_plane.kubectl("apply", "-k", POLICIES).well()
    with (
        temporary_node(control_plane, OWN),
        temporary_node(control_plane, OTHER),
        temporary_gpus(control_plane, OWN),
        temporary_gpus(control_plane, OTHER),
    ):
        folder = tmp_path_factory.mktemp("agent")
        with asked(agent_kubeconfig(control_plane, OWN, folder)) as policed:
            until(policed.is_policed, what="GPUs are policed")
            yield policed


@contextmanager
def asked(kubeconfig: Path) -> Iterator[Policed]:
    api = ApiServer.from_environment(kubeconfig=kubeconfig, user_agent="agent-of-a-test")
    with closing(api):
        yield Policed(api=api)


def test_an_agent_makes_and_tells_of_the_gpus_of_its_node(agent, control_plane):
    agent.make(OWN, 1)
    agent.tell(OWN, gpu_status(OWN, message="warm"))

    found = agent.api.pages(GPUS, label_selector=f"{MANAGED_BY}={OWN}")
    names = {gpu["metadata"]["name"]: gpu for objects, _ in found for gpu in objects}
    assert set(names) == {gpu_name(OWN, 0), gpu_name(OWN, 1)}
    assert names[gpu_name(OWN, 0)]["status"]["message"] == "warm"
    control_plane.kubectl("delete", "gpu", gpu_name(OWN, 1)).well()


def test_an_agent_does_not_tell_of_gpus_of_another_node(agent):
    with pytest.raises(ForbiddenError) as caught:
        agent.tell(OTHER, gpu_status(OTHER))

    assert (
        f"the agent of node {OWN} does not write GPU {gpu_name(OTHER, 0)}; allowed: GPUs with the "
        f"label {MANAGED_BY}={OWN}"
    ) in str(caught.value)


@pytest.mark.parametrize("node", [OTHER, "no-node"])
def test_an_agent_makes_no_gpu_of_another_node(agent, node):
    with pytest.raises(ForbiddenError, match=f"the agent of node {OWN} does not write GPU"):
        agent.make(node, 5)


def test_an_agent_chooses_no_pool(agent):
    with pytest.raises(ForbiddenError, match=f"does not write the label {POOL_LABEL}"):
        agent.make(OWN, 5, labels={MANAGED_BY: OWN, POOL_LABEL: "mine"})


def test_an_agent_writes_nothing_that_the_controller_says(agent):
    status = gpu_status(OWN, available={"tflops": "999", "vram": "1Ti"}, usedBy="tensor-fusion")

    with pytest.raises(ForbiddenError, match=r"status\.available, status\.usedBy, which the"):
        agent.tell(OWN, status)


def test_a_token_that_names_no_node_writes_nothing(agent, control_plane):
    with (
        asked(control_plane.kubeconfig(ServiceAccount.AGENT)) as elsewhere,
        pytest.raises(ForbiddenError, match="the token of the agent names no node"),
    ):
        elsewhere.tell(OWN, gpu_status(OWN))
    agent.tell(OWN, gpu_status(OWN))


@pytest.mark.parametrize(
    "ask",
    [
        lambda api: api.merge_patch(PODS, "p", {"metadata": {"labels": {"a": "b"}}}, "default"),
        lambda api: api.delete(PODS, "p", "default"),
        lambda api: api.evict("p", "default", uid="1"),
        lambda api: api.delete(GPUS, gpu_name(OWN, 0)),
        lambda api: api.merge_patch(GPUS, gpu_name(OWN, 0), {"metadata": {"labels": {"a": "b"}}}),
        lambda api: api.merge_patch(NODES, OWN, {"metadata": {"labels": {"a": "b"}}}),
    ],
    ids=[
        "patch a pod",
        "delete a pod",
        "evict a pod",
        "delete a GPU",
        "label a GPU",
        "patch its node",
    ],
)
def test_an_agent_may_not(agent, ask):
    with pytest.raises(KubeError, match="cannot"):
        ask(agent.api)
