"""A whole cluster in small: control plane, webhook, controller, nodes with agents, Prometheus.

What is left out is the autoscaler, which the tests start and end, and the hardware: cards are fake.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from autoscaler.api.control import ProcessMode
from autoscaler.api.names import CONTROL_CONFIG_MAP, NAMESPACE
from tests.cluster.agent_nodes import AgentNodes, agent_nodes
from tests.cluster.autoscaler_process import AutoscalerProcess
from tests.cluster.control_plane import ControlPlane
from tests.cluster.controller_process import ControllerProcess, Installed, installed
from tests.cluster.gpu_pools import POOL_OF_NODE, pool_object
from tests.cluster.gpus import A100
from tests.cluster.live_demand import Demand
from tests.cluster.live_history import Past, write_past
from tests.cluster.live_orders import Orders
from tests.cluster.live_prometheus import ScrapingPrometheus
from tests.cluster.live_scrapes import scrapes
from tests.cluster.real_limiter import real_limiter_image
from tests.cluster.spaces import Space
from tests.cluster.test_admission_in_force import switched
from tests.cluster.webhook_process import is_asked
from tests.components.processes import until
from tests.fakes.gpu.cards import CardTraits

PACE = ("--tick=2s", "--step=1s", "--requests-every=4s", "--since=3d", "--page-every=5s")
"""Seconds for what is minutes elsewhere."""
DEADLINE_S = 180.0
"""For ticks that take seconds where nobody else needs the machine."""
H100_CARD = CardTraits()
A100_CARD = CardTraits(name=A100, compute_major=8, multiprocessors=108, cores=6912)


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveNode:
    """A node, and what its GPUs are."""

    name: str
    gpus: int = 2
    card: CardTraits = A100_CARD


@dataclass(kw_only=True)
class LiveWorld:
    """The cluster of a test, with all that it is told and shows."""

    plane: ControlPlane
    installation: Installed
    controller: ControllerProcess
    pool: str
    agents: AgentNodes
    orders: Orders
    prometheus: ScrapingPrometheus

    def demand(self, namespace: str, workload: str, **demand: Any) -> None:
        """Have a workload want something from now on; see ``Demand``."""
        self.orders.want((namespace, workload), Demand(**demand))

    def space(self, name: str, **labels: str) -> Space:
        """Return a namespace, which is made where it is not there yet."""
        obj = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        obj["metadata"]["labels"] = labels
        self.plane.kubectl("apply", "-f", "-", stdin=json.dumps(obj)).well()
        return Space(plane=self.plane, name=name)

    @contextmanager
    def recommending(self) -> Iterator[None]:
        """Have the whole installation in mode ``recommend`` within a block."""
        self._switch(ProcessMode.RECOMMEND)
        try:
            yield
        finally:
            self._switch(ProcessMode.APPLY)

    def _switch(self, mode: ProcessMode) -> None:
        words = ("patch", "configmap", CONTROL_CONFIG_MAP, "-n", NAMESPACE, "--type=merge", "-p")
        self.plane.kubectl(*words, json.dumps({"data": {"mode": mode}})).well()

    def start_autoscaler(self, *arguments: str) -> AutoscalerProcess:
        """Start an autoscaler at the pace of the tests; it is not ready yet."""
        files = [f"--prometheus-url={self.prometheus.url}"]
        files += [f"--decision-log={self.installation.folder / 'decisions.jsonl'}"]
        return self.installation.start_autoscaler(*files, *PACE, *arguments)

    def leading_autoscaler(self, *arguments: str) -> AutoscalerProcess:
        """Start an autoscaler and wait until it leads."""
        autoscaler = self.start_autoscaler(*arguments)
        autoscaler.wait_until_leader()
        return autoscaler


def some_ticks(autoscaler: AutoscalerProcess, count: int = 4) -> None:
    """Wait until the loop has looked at everything so many times more."""
    before = autoscaler.metric("ticks_total")
    until(
        lambda: autoscaler.metric("ticks_total") >= before + count,
        what=f"there are {count} more ticks",
        deadline_s=DEADLINE_S,
    )


@contextmanager
def running_world(
    plane: ControlPlane,
    folder: Path,
    *,
    nodes: Sequence[LiveNode],
    pasts: Sequence[Past] = (),
    pool: str = "live",
) -> Iterator[LiveWorld]:
    """Have all of it, in mode ``apply``, within a block."""
    image = f"--limiter-image={real_limiter_image(folder / 'image')}"
    with ExitStack() as stack:
        installation = stack.enter_context(installed(plane, folder, webhook_arguments=[image]))
        controller = installation.leading()
        until(lambda: is_asked(plane), what="the API server asks the webhook")
        stack.enter_context(switched(plane, mode="apply"))
        labels = {POOL_OF_NODE: pool}
        # Each worker has a GPU of its own as long as there are enough.
        spec = {"placement": {"mode": "LowLoadFirst"}, "defaultUsingLocalGPU": True}
        text = json.dumps(pool_object(pool, labels, **spec))
        plane.kubectl("apply", "-f", "-", stdin=text).well()
        stack.callback(lambda: plane.kubectl("delete", "gpupool", pool, "--ignore-not-found"))
        cards = {node.name: [node.card] * node.gpus for node in nodes}
        agents = stack.enter_context(agent_nodes(plane, folder, cards, labels=labels))
        orders = stack.enter_context(Orders(plane, agents.kubelet.root))
        reads = [partial(agents.text, node.name) for node in nodes]
        targets = stack.enter_context(scrapes(reads, orders.shown_ratio))
        tsdb = write_past(folder, pasts, time.time()) if pasts else None
        prometheus = ScrapingPrometheus(folder / "prometheus", targets, tsdb=tsdb)
        stack.enter_context(prometheus)
        yield LiveWorld(
            plane=plane,
            installation=installation,
            controller=controller,
            pool=pool,
            agents=agents,
            orders=orders,
            prometheus=prometheus,
        )
