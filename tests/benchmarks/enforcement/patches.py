"""How soon a patched annotation is in force on its node, on a real API server.

``tfa agent`` runs as a process with its own token; its node has no kubelet, so that the volumes of
pods are folders.  A time counts from before the patch is sent until the control page has the share.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from autoscaler.agent.pages.abi import CTL_FILE
from autoscaler.agent.pages.folders import PageFolders
from autoscaler.api.names import COMPONENT, GPU_IDS, POOL_LABEL, PREFIX, WORKLOAD_LABEL
from autoscaler.kube.resource import NAMESPACES, PODS
from tests.benchmarks.cluster import control_plane
from tests.benchmarks.enforcement.host import share_in
from tests.benchmarks.latencies import p50_p99
from tests.benchmarks.own_process import memory_bytes, process_cpu_s
from tests.benchmarks.targets import Measured
from tests.cluster.agent_process import AgentProcess, start_agent
from tests.cluster.definitions import install_definitions
from tests.cluster.nodes import temporary_node
from tests.cluster.rest import MERGE_PATCH, Rest
from tests.components.processes import until
from tests.fakes.gpu.cards import CardTraits, FakeCards, make_cards

NODE, NAMESPACE = "node-of-the-benchmark", "workers"
LIMIT = f"{PREFIX}compute-percent-limit"
TARGET_S = 0.5
PERCENT, MB = 100.0, 1e6
LIMITS_PERCENT = (30, 60)
NEAR = 1e-6
LOOK_S = 0.001
DEADLINE_S = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class PatchSizes:
    """How much is measured."""

    workers: int = 16
    patches: int = 100
    pause_s: float = 0.137
    """Between two patches, so that they meet the agent's turns at all their times."""
    idle_s: float = 10.0


@dataclass(frozen=True, slots=True)
class Placed:
    """A worker pod, and where its pages are."""

    name: str
    folders: PageFolders

    def share(self) -> float:
        """Return the share that its control page has."""
        return share_in(self.folders)


def patches_in_force(sizes: PatchSizes) -> Iterator[Measured]:
    """Measure it.  Raises ``ProgramMissingError`` where Kubernetes is not built."""
    with control_plane() as (plane, folder), temporary_node(plane, NODE):
        install_definitions(plane)
        cards = make_cards(folder / "cards", CardTraits())
        agent = start_agent(plane, NODE, cards, folder)
        try:
            with closing(Rest(plane)) as rest:
                placed = _workers(rest, agent, cards, sizes.workers)
                times_s = [
                    _patched_s(rest, placed[number % len(placed)], number, sizes)
                    for number in range(sizes.patches)
                ]
                yield from _rows(times_s, sizes)
                yield from _idle_rows(agent, sizes)
        finally:
            agent.process.kill()
            cards.cards[0].close()


def _rows(times_s: list[float], sizes: PatchSizes) -> Iterator[Measured]:
    times = p50_p99(times_s)
    name = f"a patched annotation is in force, {sizes.workers} workers on the node"
    yield Measured(what=f"{name}, p50", value=times["p50_s"], unit="s")
    yield Measured(what=f"{name}, p99", value=times["p99_s"], unit="s", target=TARGET_S)
    yield Measured(what="  the slowest", value=max(times_s), unit="s")


def _idle_rows(agent: AgentProcess, sizes: PatchSizes) -> Iterator[Measured]:
    """Yield what an agent costs whose workers have no processes yet."""
    pid = agent.process.pid
    begin_s, begin_cpu_s = time.perf_counter(), process_cpu_s(pid)
    time.sleep(sizes.idle_s)
    cpu_s = process_cpu_s(pid) - begin_cpu_s
    percent = PERCENT * cpu_s / (time.perf_counter() - begin_s)
    what = f"agent of a cluster's node, {sizes.workers} workers without processes: CPU of a core"
    yield Measured(what=what, value=percent, unit="%")
    resident_bytes = memory_bytes("VmRSS", pid)
    yield Measured(what="  its memory", value=resident_bytes / MB, unit="MB")


def _workers(rest: Rest, agent: AgentProcess, cards: FakeCards, count: int) -> list[Placed]:
    """Add worker pods that were placed on the card, and wait until their pages are there."""
    rest.request("POST", NAMESPACES.path(), {"metadata": {"name": NAMESPACE}})
    account = f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts"
    rest.request("POST", account, {"metadata": {"name": "default"}})
    placed = []
    for number in range(count):
        pod = rest.request("POST", PODS.path(NAMESPACE), _pod(number, cards.cards[0].uuid))
        metadata = pod["metadata"]
        placed.append(Placed(metadata["name"], agent.volumes(metadata["uid"])))
    until(
        lambda: all((each.folders.control / CTL_FILE).exists() for each in placed),
        what="the control pages are made",
    )
    return placed


def _pod(number: int, uuid: str) -> dict[str, Any]:
    return {
        "apiVersion": PODS.api_version,
        "kind": PODS.kind,
        "metadata": {
            "name": f"worker-{number}",
            "labels": {
                f"{PREFIX}enabled": "true",
                COMPONENT: "worker",
                WORKLOAD_LABEL: "chat",
                POOL_LABEL: "pool",
            },
            "annotations": {GPU_IDS: uuid, LIMIT: "10"},
        },
        "spec": {"nodeName": NODE, "containers": [{"name": "main", "image": "any"}]},
    }


def _patched_s(rest: Rest, worker: Placed, number: int, sizes: PatchSizes) -> float:
    """Patch another limit; return after how long it was in force."""
    time.sleep(sizes.pause_s)
    percent = LIMITS_PERCENT[number // sizes.workers % len(LIMITS_PERCENT)]
    patch = {"metadata": {"annotations": {LIMIT: str(percent)}}}
    path = PODS.path(NAMESPACE, worker.name)
    begin_s = time.perf_counter()
    rest.request("PATCH", path, patch, content_type=MERGE_PATCH)
    while abs(worker.share() - percent / PERCENT) > NEAR:
        if time.perf_counter() > begin_s + DEADLINE_S:
            raise TimeoutError(f"{percent} % was not in force after {DEADLINE_S:g} s")
        time.sleep(LOOK_S)
    return time.perf_counter() - begin_s
