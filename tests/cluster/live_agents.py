"""The agents of the nodes of a test, as processes that end and start again on their ports."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.cluster.child_processes import ChildProcess, start_child
from tests.cluster.control_plane import ControlPlane
from tests.cluster.definitions import DEPLOY
from tests.components.processes import LOOPBACK, ServerError, free_port, status_of, until


class Agents:
    """One agent for each node; all read the same file of demands."""

    def __init__(self, plane: ControlPlane, folder: Path, nodes: Sequence[str]) -> None:
        self.demand_file = folder / "demand.json"
        self._plane = plane
        self._folder = folder
        self._ports = {node: free_port() for node in nodes}
        self._processes: dict[str, ChildProcess] = {}

    @property
    def targets(self) -> list[str]:
        """Return where their metrics are, as Prometheus names it."""
        return [f"{LOOPBACK}:{port}" for port in self._ports.values()]

    def start(self, *nodes: str) -> None:
        """Start the agents of some nodes, of all by default, and wait until they answer.

        Raises ``ServerError`` with the end of a log.
        """
        for node in nodes or self._ports:
            self._processes[node] = self._started(node)
        for node in nodes or self._ports:
            self._wait_for(node)

    def kill(self, node: str) -> None:
        """End an agent by force; what it showed is shown by nobody then."""
        self._processes[node].kill()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with ExitStack() as stack:
            for process in self._processes.values():
                stack.callback(process.kill)

    def _started(self, node: str) -> ChildProcess:
        command = [
            *(sys.executable, "-m", "tests.cluster.gpu_agent"),
            f"--kubeconfig={self._plane.admin_kubeconfig}",
            f"--demand={self.demand_file}",
            f"--node={node}",
            f"--port={self._ports[node]}",
        ]
        return start_child(command, self._folder / f"agent-{node}.log", folder=DEPLOY.parent)

    def _wait_for(self, node: str) -> None:
        process, url = self._processes[node], f"http://{LOOPBACK}:{self._ports[node]}/metrics"
        until(
            lambda: process.has_ended or status_of(url) == 200,
            what=f"the agent of {node} answers",
        )
        if process.has_ended:
            raise ServerError(f"an agent ended; its log ends:\n{process.end_of_log()}")
