"""``tfa controller`` as a process with its own token, beside the webhook whose entries it keeps.

The installation is the one of ``deploy/kustomize``, without what would run in pods.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from autoscaler.api.names import CONTROLLER_LEASE, NAMESPACE, ServiceAccount
from tests.cluster.autoscaler_process import (
    AutoscalerProcess,
    release_autoscaler_lease,
    start_autoscaler,
)
from tests.cluster.child_processes import start_child
from tests.cluster.control_plane import ControlPlane
from tests.cluster.elected_process import ElectedProcess
from tests.cluster.webhook_process import ROOT, install, is_asked, remove_entries, start_webhook
from tests.components.processes import LOOPBACK, free_port, until

RESYNC = "30s"


@dataclass(frozen=True, slots=True, kw_only=True)
class ControllerProcess(ElectedProcess):
    """A running controller."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """The processes of one installation; the tests start and end controllers and autoscalers."""

    plane: ControlPlane
    folder: Path
    webhook_port: int
    stack: ExitStack

    @property
    def webhook_url(self) -> str:
        """Return where the webhook answers."""
        return f"https://{LOOPBACK}:{self.webhook_port}"

    def start(self, *arguments: str) -> ControllerProcess:
        """Start a controller; it is not ready yet."""
        health_port = free_port()
        command = [
            *(sys.executable, "-m", "autoscaler", "controller"),
            f"--kubeconfig={self.plane.kubeconfig(ServiceAccount.CONTROLLER)}",
            f"--bind-address={LOOPBACK}",
            f"--health-port={health_port}",
            f"--webhook-url={self.webhook_url}",
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

    def start_autoscaler(self, *arguments: str) -> AutoscalerProcess:
        """Start an autoscaler; it is not ready yet.  ``arguments`` name the metrics source."""
        autoscaler = start_autoscaler(
            self.plane, self.folder, webhook_url=self.webhook_url, arguments=arguments
        )
        self.stack.enter_context(autoscaler.process)
        return autoscaler


@contextmanager
def installed(
    plane: ControlPlane, folder: Path, *, webhook_arguments: Sequence[str] = ()
) -> Iterator[Installed]:
    """Install, and run the webhook; nobody fills its entries until a controller is started."""
    install(plane)
    release_lease(plane)
    release_autoscaler_lease(plane)
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
    controller.wait_until_ready()
