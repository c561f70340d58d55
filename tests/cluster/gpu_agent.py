"""The agent of a node without GPUs: it reads what is in force, simulates use, and shows metrics.

``python -m tests.cluster.gpu_agent --kubeconfig FILE --node NAME --demand FILE --port PORT``.
It serves the pods that were placed on the GPU objects of its node, from their annotations as they
are now, and nobody else.  What is used comes from ``gpu_agent_use``, where a device, real or fake,
takes the place of the simulation.
"""

from __future__ import annotations

import argparse
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from autoscaler.api.names import COMPONENT, MANAGED_BY, WORKLOAD_LABEL, Component
from autoscaler.kube.api_server import ApiServer
from autoscaler.kube.reflector import Reflector
from autoscaler.kube.resource import GPUS, PODS
from tests.cluster.gpu_agent_demand import read_demands
from tests.cluster.gpu_agent_metrics import families
from tests.cluster.gpu_agent_use import STEP_S, SimulatedUse
from tests.cluster.gpu_agent_workers import Card, Worker, card_of, is_ready, worker_of
from tests.components.processes import LOOPBACK

SYNCED_S = 60.0


class Agent(Collector):
    """The agent of one node; thread-safe."""

    def __init__(self, node: str, pods: Reflector, gpus: Reflector, demand_file: Path) -> None:
        self._node = node
        self._pods = pods
        self._gpus = gpus
        self._demand_file = demand_file
        self._use = SimulatedUse()
        self._lock = threading.Lock()

    def collect(self) -> Iterator[Metric]:
        """Yield the series of this moment."""
        with self._lock:
            cards, workers = self._advance()
            uses = list(self._use.uses(workers))
            yield from families(uses, cards, self._node, time.time())

    def run(self) -> None:
        """Let time pass between the scrapes as well, until the process is ended."""
        while True:
            with self._lock:
                self._advance()
            time.sleep(STEP_S)

    def _advance(self) -> tuple[dict[str, Card], list[Worker]]:
        """Let time pass until now under what is in force now."""
        found = filter(None, map(card_of, self._gpus.store.sorted()))
        cards = {card.uuid: card for card in found}
        pods = self._pods.store.sorted()
        workers = [
            worker
            for pod in pods
            if pod["spec"].get("nodeName") == self._node
            for worker in [worker_of(pod, cards)]
            if worker is not None
        ]
        serving = Counter(
            (pod["metadata"]["namespace"], pod["metadata"]["labels"].get(WORKLOAD_LABEL, ""))
            for pod in pods
            if is_ready(pod)
        )
        demands = read_demands(self._demand_file)
        self._use.advance(time.time(), cards, workers, demands, serving)
        return cards, workers


def main() -> None:
    """Serve until the process is ended, from when the agent has seen its node on."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name in ("--kubeconfig", "--demand"):
        parser.add_argument(name, type=Path, required=True)
    parser.add_argument("--node", required=True)
    parser.add_argument("--port", type=int, required=True)
    options = parser.parse_args()
    api = ApiServer.from_environment(kubeconfig=options.kubeconfig, user_agent="gpu-agent")
    # Balancers spread a load over workers of other nodes as well, so those are counted.
    selector = f"{COMPONENT}={Component.WORKER}"
    with closing(api), ExitStack() as stack:
        pods = Reflector(api, PODS, label_selector=selector)
        gpus = Reflector(api, GPUS, label_selector=f"{MANAGED_BY}={options.node}")
        for reflector in (pods, gpus):
            reflector.start()
            stack.callback(reflector.stop)
            if not reflector.wait_until_synced(SYNCED_S):
                parser.error(f"{api.url} did not answer within {SYNCED_S:g} s")
        agent = Agent(options.node, pods, gpus, options.demand)
        registry = CollectorRegistry()
        registry.register(agent)
        start_http_server(options.port, addr=LOOPBACK, registry=registry)
        agent.run()


if __name__ == "__main__":
    main()
