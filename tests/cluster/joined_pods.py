"""Pods on nodes with agents and limiters, and what they get of their cards."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.cluster.agent_nodes import AgentNodes
from tests.cluster.card_shares import share_of
from tests.cluster.spaces import Space, annotation
from tests.cluster.telling import shows
from tests.cluster.webhook_process import enabled_pod
from tests.cluster.worker_program import VOLUME, Order, give_order, working
from tests.components.processes import until
from tests.fakes.gpu.building import program
from tests.fakes.gpu.cards import FakeCard
from tests.fakes.gpu.programs import TURNS_PER_US

Pod = Mapping[str, Any]
AMOUNTS = {
    "auto_requests": "true",
    "auto_limits": "true",
    "tflops_request": "100",
    "tflops_limit": "200",
    "vram_request": "2Gi",
    "vram_limit": "4Gi",
}
DEADLINE_S = 120.0


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinedPods:
    """The pods of one namespace; what the methods wait for, they wait for some minutes at most."""

    nodes: AgentNodes
    space: Space
    pool: str

    def run_greedy(self, name: str, *, command: tuple[str, ...] = ()) -> Pod:
        """Run a process that launches as much as it may; return its pod.

        ``command`` is what starts the program, its words apart from the last one.
        """
        path = str(program("load"))
        words = ["--kernel-ns", "1000000", "--seconds", "600", "--turns-per-us", str(TURNS_PER_US)]
        pod = self._pod(name)
        pod["spec"]["containers"][0] |= {
            "image": f"process:{path}",
            "command": [*command, path],
            "args": words,
        }
        return self._run(pod)

    def run_worker(self, name: str) -> Pod:
        """Run a process that does what ``order`` tells; return its pod."""
        return self._run(working(self._pod(name)))

    def order(self, pod: Pod, *, duty: float, vram_bytes: int) -> None:
        """Tell a worker what to use; see ``give_order``."""
        give_order(self.volume(pod, VOLUME), Order(duty=duty, vram_bytes=vram_bytes))

    def volume(self, pod: Pod, name: str) -> Path:
        """Return the folder of a volume of a pod."""
        return self.nodes.kubelet.volume(self.space.name, pod["metadata"]["name"], name)

    def card(self, pod: Pod) -> FakeCard:
        """Return the card that a pod was given."""
        return self.nodes.card(annotation(pod, "gpu-ids") or "")

    def shown(self, series: str, pod: Pod) -> float | None:
        """Return what the agent shows of a pod; None where it shows nothing."""
        return self.nodes.shown(series, namespace=self.space.name, worker=pod["metadata"]["name"])

    def comes_to_show(self, series: str, pod: Pod, *, above: float) -> float:
        """Wait until the agent shows more than an amount, and return what it shows."""
        found = until(
            lambda: (shown := self.shown(series, pod)) is not None and shown > above and shown,
            what=f"{series} is above {above:g}",
            deadline_s=DEADLINE_S,
        )
        return float(found)

    def has_share(self, pod: Pod, share: float) -> None:
        """Wait until the process of a pod gets a share of its card, and hardly more."""
        card = self.card(pod)
        pid = self.nodes.kubelet.pid(self.space.name, pod["metadata"]["name"])
        assert pid is not None
        until(
            lambda: 0.8 * share <= share_of(card, pid) <= 1.1 * share,
            what=f"its share is about {share:.3f}",
            deadline_s=DEADLINE_S,
        )

    def _pod(self, name: str) -> dict[str, Any]:
        pod: dict[str, Any] = enabled_pod(name, gpupool=self.pool, workload=name, **AMOUNTS)
        return pod

    def _run(self, pod: Pod) -> Pod:
        self.space.create(pod).well()
        name = pod["metadata"]["name"]
        return shows(self.space, "pod", name, lambda it: it["status"]["phase"] == "Running")


@contextmanager
def joined_pods(nodes: AgentNodes, namespace: str, pool: str) -> Iterator[JoinedPods]:
    """Have a namespace for pods within a block; none of them runs afterwards."""
    space = Space(plane=nodes.plane, name=namespace)
    try:
        yield JoinedPods(nodes=nodes, space=space, pool=pool)
    finally:
        space.kubectl("delete", "pods", "--all", "--grace-period=1").well()
        until(lambda: not space.pods(), what="no pod is left")
