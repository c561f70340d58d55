"""``tfa controller`` as a process with its own token, beside the webhook whose entries it keeps.

The installation is the one of ``deploy/kustomize``, without what would run in pods.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import urllib3
from prometheus_client.parser import text_string_to_metric_families

from autoscaler.api.names import CONTROLLER_LEASE, NAMESPACE, ServiceAccount
from autoscaler.telemetry.family import PREFIX
from tests.cluster.child_processes import ChildProcess, start_child
from tests.cluster.control_plane import ControlPlane
from tests.cluster.webhook_process import ROOT, install, is_asked, remove_entries, start_webhook
from tests.components.processes import LOOPBACK, ServerError, free_port, status_of, until

RESYNC = "30s"


@dataclass(frozen=True, slots=True, kw_only=True)
class ControllerProcess:
    """A running controller."""

    process: ChildProcess
    health_url: str

    def log(self) -> str:
        """Return all that it wrote."""
        return self.process.log()

    @property
    def is_ready(self) -> bool:
        """Return what the kubelet would see."""
        return status_of(f"{self.health_url}/readyz") == 200

    @property
    def is_leader(self) -> bool:
        """Return whether it says that it leads."""
        return self.metric("leader") == 1.0

    def metric(self, name: str, **labels: str) -> float:
        """Return the sum of the samples of ``/metrics`` with these labels, without our prefix."""
        answer = urllib3.request("GET", f"{self.health_url}/metrics", retries=False, timeout=5.0)
        return sum(
            sample.value
            for family in text_string_to_metric_families(answer.data.decode())
            for sample in family.samples
            if sample.name == PREFIX + name and labels.items() <= sample.labels.items()
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """The processes of one installation; controllers are started and ended by the tests."""

    plane: ControlPlane
    folder: Path
    webhook_port: int
    stack: ExitStack

    def start(self, *arguments: str) -> ControllerProcess:
        """Start a controller; it is not ready yet."""
        health_port = free_port()
        command = [
            *(sys.executable, "-m", "autoscaler", "controller"),
            f"--kubeconfig={self.plane.kubeconfig(ServiceAccount.CONTROLLER)}",
            f"--bind-address={LOOPBACK}",
            f"--health-port={health_port}",
            f"--webhook-url=https://{LOOPBACK}:{self.webhook_port}",
            "--webhook-replicas=1",
            f"--resync={RESYNC}",
            *arguments,
        ]
        process = start_child(command, self.folder / f"controller-{health_port}.log", folder=ROOT)
        self.stack.enter_context(process)
        return ControllerProcess(process=process, health_url=f"http://{LOOPBACK}:{health_port}")

    def started(self, *arguments: str) -> ControllerProcess:
        """Start a controller and wait until it is ready."""
        controller = self.start(*arguments)
        wait_until_ready(controller)
        return controller

    def leading(self, *arguments: str) -> ControllerProcess:
        """Start a controller and wait until it leads."""
        controller = self.started(*arguments)
        until(lambda: controller.is_leader, what="the controller leads")
        return controller


@contextmanager
def installed(
    plane: ControlPlane, folder: Path, *, webhook_arguments: Sequence[str] = ()
) -> Iterator[Installed]:
    """Install, and run the webhook; nobody fills its entries until a controller is started."""
    install(plane)
    release_lease(plane)
    port = free_port()
    webhook, _ = start_webhook(plane, folder, port=port, arguments=webhook_arguments)
    with ExitStack() as stack:
        stack.enter_context(webhook)
        try:
            yield Installed(plane=plane, folder=folder, webhook_port=port, stack=stack)
        finally:
            stack.close()
            remove_entries(plane)


@contextmanager
def running_controller_process(
    plane: ControlPlane, folder: Path, *, arguments: Sequence[str] = ()
) -> Iterator[ControllerProcess]:
    """Run webhook and controller until the API server asks the one, filled in by the other."""
    with installed(plane, folder) as installation:
        controller = installation.leading(*arguments)
        until(lambda: is_asked(plane), what="the API server asks the webhook")
        yield controller


def release_lease(plane: ControlPlane) -> None:
    """Let nobody hold the lease of the controller, as one that was killed in an earlier test."""
    words = ("delete", "lease", CONTROLLER_LEASE, "-n", NAMESPACE, "--ignore-not-found")
    plane.kubectl(*words).well()


def wait_until_ready(controller: ControllerProcess) -> None:
    """Wait for a controller.  Raises ``ServerError`` with the end of its log where it ended."""
    until(
        lambda: not controller.process.is_running or controller.is_ready,
        what="the controller is ready",
    )
    if not controller.process.is_running:
        raise ServerError(f"it ended; its log ends:\n{controller.process.end_of_log()}")
