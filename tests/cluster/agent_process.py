"""``tfa agent`` as a process on a node without GPUs: fake NVML, and volumes of pods in a folder."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from autoscaler.agent.pages.folders import PageFolders, folders_of_pod, make_folders
from tests.cluster.agent_account import agent_kubeconfig
from tests.cluster.child_processes import PASSED_ON, ChildProcess, start_child
from tests.cluster.control_plane import ControlPlane
from tests.cluster.definitions import DEPLOY
from tests.components.processes import LOOPBACK, ServerError, free_port, status_of, until
from tests.fakes.gpu.cards import FakeCards


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentProcess:
    """A running agent."""

    process: ChildProcess
    url: str
    """Of its pages of health."""
    kubelet_root: Path

    @property
    def is_ready(self) -> bool:
        """Return whether it is ready.  Raises ``ServerError`` with its log where it has ended."""
        if self.process.has_ended:
            raise ServerError(f"the agent ended; its log ends:\n{self.process.end_of_log()}")
        return status_of(f"{self.url}/readyz") == 200

    def volumes(self, uid: str) -> PageFolders:
        """Make the volumes of a pod, as the kubelet does, and return them."""
        folders = folders_of_pod(uid, self.kubelet_root / "pods")
        make_folders(folders)
        return folders


def start_agent(
    plane: ControlPlane,
    node: str,
    cards: FakeCards,
    folder: Path,
    *,
    arguments: Sequence[str] = (),
    is_installed: bool = False,
) -> AgentProcess:
    """Start the agent of a node, which must exist, and wait until it is ready.

    ``folder`` holds the kubelet's folder, and is the same for an agent that starts again.
    ``is_installed``: its account and rights are there, and not made of the manifests.
    """
    account = agent_kubeconfig(plane, node, folder, is_installed=is_installed)
    port, kubelet_root = free_port(), folder / "kubelet"
    kubelet_root.mkdir(exist_ok=True)
    command = [
        *(sys.executable, "-m", "autoscaler", "agent"),
        f"--kubeconfig={account}",
        f"--node={node}",
        f"--nvml={cards.nvml_library}",
        f"--kubelet-root={kubelet_root}",
        f"--bind-address={LOOPBACK}",
        f"--health-port={port}",
        *arguments,
    ]
    passed_on = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    process = start_child(
        command,
        folder / f"agent-{port}.log",
        environment={**passed_on, **cards.environment()},
        folder=DEPLOY.parent,
    )
    agent = AgentProcess(
        process=process, url=f"http://{LOOPBACK}:{port}", kubelet_root=kubelet_root
    )
    try:
        until(lambda: agent.is_ready, what=f"the agent of {node} is ready")
    except BaseException:
        process.kill()
        raise
    return agent
