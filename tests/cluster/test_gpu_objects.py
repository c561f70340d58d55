"""GPU objects as an agent makes them: with its own rights and token, on a real API server."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest

from autoscaler.agent.devices.node_devices import Inventory
from autoscaler.agent.gpu_objects.gpu_object import gpu_name
from autoscaler.agent.gpu_objects.gpu_writer import GpuWriter
from autoscaler.agent.pod_resources.whole_gpus import WholeGpus
from autoscaler.api.names import MANAGED_BY, POOL_LABEL
from autoscaler.kube.api_server import ApiServer
from autoscaler.kube.reflector import Reflector
from autoscaler.kube.resource import GPUS
from autoscaler.kube.write_budget import WriteBudget
from autoscaler.kube.writer import Writer
from tests.autoscaler.agent.gpu_objects.devices import device
from tests.cluster.agent_account import agent_kubeconfig
from tests.cluster.control_plane import ControlPlane
from tests.cluster.definitions import install_definitions
from tests.cluster.nodes import temporary_node
from tests.cluster.rest import MERGE_PATCH, Rest, RestError
from tests.cluster.tenants import POLICIES
from tests.components.processes import until

NODE = "node-with-gpu-objects"
SYNCED_S = 30.0


class Telling:
    """The agent's writer of GPU objects, on a node that can be taken away."""

    def __init__(self, plane: ControlPlane, folder: Path) -> None:
        self._rest = Rest(plane)
        self._stack = ExitStack()
        self._stack.callback(self._rest.close)
        self._node = ExitStack()
        self._node.enter_context(temporary_node(plane, NODE))
        self._stack.callback(self._node.close)
        kubeconfig = agent_kubeconfig(plane, NODE, folder)
        api = ApiServer.from_environment(kubeconfig=kubeconfig, user_agent="agent-of-a-test")
        self._stack.enter_context(closing(api))
        shown = Reflector(api, GPUS, label_selector=f"{MANAGED_BY}={NODE}")
        shown.start()
        self._stack.callback(shown.stop)
        assert shown.wait_until_synced(SYNCED_S)
        self._writer = GpuWriter(
            NODE,
            api,
            Writer(api, WriteBudget(), is_leader=lambda: True),
            shown.store,
            whole_gpus=WholeGpus,
        )

    def tell(self, *devices: Any) -> None:
        """Tell of what was found.  Raises ``GpuObjectError``."""
        self._writer.tell(Inventory(devices=devices))

    def gpu(self, number: int = 1) -> dict[str, Any] | None:
        """Return the object of a device; None where there is none."""
        try:
            return self._rest.get(GPUS.path(name=gpu_name(device(number))))
        except RestError as error:
            if error.status == 404:
                return None
            raise

    def label(self, number: int, pool: str) -> None:
        """Write the label that is the controller's to write."""
        path = GPUS.path(name=gpu_name(device(number)))
        body = {"metadata": {"labels": {POOL_LABEL: pool}}}
        self._rest.request("PATCH", path, body, content_type=MERGE_PATCH)

    def remove_node(self) -> None:
        """Let the node leave the cluster."""
        self._node.close()

    def close(self) -> None:
        """End, and remove the objects that are left."""
        for gpu in self._rest.get(GPUS.path())["items"]:
            if (gpu["metadata"].get("labels") or {}).get(MANAGED_BY) == NODE:
                self._rest.request("DELETE", GPUS.path(name=gpu["metadata"]["name"]))
        self._stack.close()


@pytest.fixture
def agent(control_plane: ControlPlane, tmp_path: Path) -> Iterator[Telling]:
    install_definitions(control_plane)
    control_plane.kubectl("apply", "-k", POLICIES).well()
    with closing(Telling(control_plane, tmp_path)) as telling:
        yield telling


def test_an_agent_makes_the_objects_of_its_gpus_with_its_own_rights(agent):
    agent.tell(device(1), device(2))

    first = agent.gpu(1)
    assert first["metadata"]["labels"] == {MANAGED_BY: NODE}
    assert first["status"]["phase"] == "Running"
    assert first["status"]["capacity"] == {"tflops": "312", "vram": "79Gi"}
    assert agent.gpu(2)["status"]["index"] == 1


def test_a_label_that_came_in_between_stays(agent):
    agent.tell(device(1))
    agent.label(1, "a-pool")
    agent.tell(device(1, tflops=300.0))

    gpu = agent.gpu()
    assert gpu["metadata"]["labels"][POOL_LABEL] == "a-pool"
    assert gpu["status"]["capacity"]["tflops"] == "300"


def test_a_lost_gpu_is_told_and_comes_back(agent):
    agent.tell(device(1))
    until(lambda: _phase_after(agent) == "Unknown", what="the loss is told")
    agent.tell(device(1))

    status = agent.gpu()["status"]
    assert (status["phase"], status.get("message")) == ("Running", None)


def _phase_after(agent):
    agent.tell()
    return agent.gpu()["status"]["phase"]


def test_the_objects_go_with_their_node(agent):
    agent.tell(device(1))
    assert agent.gpu() is not None
    agent.remove_node()

    until(lambda: agent.gpu() is None, what="the GPU of a node that is gone is removed")
