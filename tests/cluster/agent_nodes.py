"""Nodes with GPUs as users have them, but for the hardware: agents find and tell what there is.

Each node has fake cards, which only its own agent and the containers that were given them see.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import urllib3
from prometheus_client.parser import text_string_to_metric_families

from autoscaler.api.names import AGENT_NAMESPACE, MANAGED_BY
from autoscaler.kube.resource import GPUS
from tests.cluster.agent_process import AgentProcess, start_agent
from tests.cluster.control_plane import ControlPlane
from tests.cluster.gpu_runtime import GpuRuntime
from tests.cluster.gpus import uuid_of
from tests.cluster.kubelet import FakeKubelet
from tests.cluster.node_cgroups import NodeCgroups, own_cgroup
from tests.cluster.nodes import temporary_node
from tests.cluster.rest import Rest
from tests.components.processes import until
from tests.fakes.gpu.cards import CardTraits, FakeCard, FakeCards, make_cards


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentNodes:
    """Running nodes; their agents end and start again."""

    plane: ControlPlane
    folder: Path
    kubelet: FakeKubelet
    cards: Mapping[str, FakeCards]
    """By node."""
    agents: dict[str, AgentProcess] = field(default_factory=dict)
    """By node; the newest."""

    def card(self, uuid: str) -> FakeCard:
        """Return a card.  Raises ``LookupError``."""
        for cards in self.cards.values():
            for card in cards.cards:
                if card.uuid == uuid:
                    return card
        raise LookupError(f"no node has a card {uuid}")

    def start(self, *nodes: str) -> None:
        """Start the agents of some nodes, of all by default, and wait until they are ready.

        Raises ``ServerError`` with the end of a log.
        """
        for node in nodes or self.cards:
            self.agents[node] = start_agent(self.plane, node, self.cards[node], self.folder)

    def kill(self, node: str) -> None:
        """End an agent by force."""
        self.agents[node].process.kill()

    def text(self, node: str) -> str:
        """Return what a scrape of an agent reads.  Raises ``HTTPError`` where none answers."""
        answer = urllib3.request("GET", f"{self.agents[node].url}/metrics", retries=False)
        return answer.data.decode()

    def shown(self, name: str, **labels: str) -> float | None:
        """Return the sum of a series over all agents; None where nobody shows it."""
        found = [
            sample.value
            for node in self.agents
            for family in text_string_to_metric_families(self.text(node))
            for sample in family.samples
            if sample.name == name and labels.items() <= sample.labels.items()
        ]
        return sum(found) if found else None


@contextmanager
def agent_nodes(
    plane: ControlPlane,
    folder: Path,
    traits: Mapping[str, Sequence[CardTraits]],
    *,
    labels: Mapping[str, str] | None = None,
    cpu: str = "64",
) -> Iterator[AgentNodes]:
    """Have nodes within a block; ``traits`` are those of the cards of each, which get UUIDs.

    The definitions and policies of an installation have to be there.
    """
    with ExitStack() as stack:
        for node in traits:
            stack.enter_context(temporary_node(plane, node, labels=labels, cpu=cpu))
        cards = {node: _cards(folder / "cards" / node, node, traits[node]) for node in traits}
        for each in cards.values():
            stack.callback(each.close)
        parent = own_cgroup()
        cgroups = stack.enter_context(NodeCgroups(parent)) if parent else None
        kubelet = FakeKubelet(
            plane, list(traits), folder / "kubelet", runtime=GpuRuntime(cards, cgroups)
        )
        stack.enter_context(kubelet)
        running = AgentNodes(plane=plane, folder=folder, kubelet=kubelet, cards=cards)
        stack.callback(_remove, running)
        running.start()
        _wait_for_gpus(running)
        yield running


def _cards(folder: Path, node: str, traits: Sequence[CardTraits]) -> FakeCards:
    named = (replace(each, uuid=uuid_of(node, index)) for index, each in enumerate(traits))
    return make_cards(folder, *named)


def _wait_for_gpus(running: AgentNodes) -> None:
    """Wait until all GPUs are told."""
    expected = {card.uuid for cards in running.cards.values() for card in cards.cards}
    rest = Rest(running.plane)

    def told() -> set[str]:
        found = rest.get(GPUS.path())["items"]
        return {gpu["status"]["uuid"] for gpu in found if gpu.get("status", {}).get("capacity")}

    try:
        until(lambda: expected <= told(), what="the agents have told their GPUs")
    finally:
        rest.close()


def _remove(running: AgentNodes) -> None:
    """End the agents, and remove their pods and the GPUs that they told."""
    for node, agent in running.agents.items():
        agent.process.kill()
        pod = ("delete", "pod", f"agent-{node}", "-n", AGENT_NAMESPACE, "--force")
        running.plane.kubectl(*pod, "--ignore-not-found").well()
        gpus = ("delete", "gpus", "-l", f"{MANAGED_BY}={node}", "--ignore-not-found")
        running.plane.kubectl(*gpus).well()
