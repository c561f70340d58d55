"""Several ``tfa webhook`` processes behind one Service, as an installation runs them.

The fleet plays the kubelet and the endpoints controller: a process is an endpoint while its
``/readyz`` says so, and a process that is replaced is asked to end once another one is ready.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from autoscaler.api.names import CERTIFICATE_SECRET, NAMESPACE, ServiceAccount
from autoscaler.clock import SystemClock
from autoscaler.kube.api_server import ApiServer
from autoscaler.kube.certificate_keeper import CertificateKeeper, KeeperRules
from autoscaler.kube.rotation import RotationRules
from autoscaler.kube.webhook_address import UrlAddress
from tests.cluster.child_processes import ChildProcess
from tests.cluster.control_plane import ControlPlane
from tests.cluster.service_double import ServiceDouble
from tests.cluster.webhook_process import install, is_asked, remove_entries, start_webhook
from tests.components.processes import LOOPBACK, free_port, status_of, until

PROCESSES = 2
DRAIN_S = 1
FAST = RotationRules(lifetime_s=300, renew_at_share=304 / 600, settle_s=2, overlap_s=1)
"""A certificate is renewed 4 s after it was issued: the 300 s before count as well."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One process."""

    process: ChildProcess
    port: int
    health_url: str

    @property
    def is_ready(self) -> bool:
        """Return what the kubelet would see."""
        return status_of(f"{self.health_url}/readyz") == 200


class Fleet:
    """The processes of one installation, and who keeps their certificate."""

    def __init__(self, plane: ControlPlane, folder: Path, stack: ExitStack) -> None:
        self._plane = plane
        self._folder = folder
        self._stack = stack
        self._ready: tuple[Member, ...] = ()
        self.members = tuple(self._started() for _ in range(PROCESSES))
        service = stack.enter_context(ServiceDouble(lambda: [each.port for each in self._ready]))
        api = ApiServer.from_environment(
            kubeconfig=plane.kubeconfig(ServiceAccount.CONTROLLER), user_agent="keeper-of-a-test"
        )
        self.keeper = CertificateKeeper(
            stack.enter_context(closing(api)),
            UrlAddress(url=service.url),
            endpoints=lambda: [(LOOPBACK, each.port) for each in self.members],
            is_leader=lambda: True,
            clock=SystemClock(),
            rules=KeeperRules(needed_endpoints=PROCESSES, check_every_s=0.5, rotation=FAST),
        )

    def fill(self) -> None:
        """Let the keeper act until the API server asks the fleet."""
        until(
            lambda: self.keeper.run_once() > 0 and self.keeper.snapshot().is_filled,
            what="the webhook entries are filled",
        )
        for member in self.members:
            until(lambda member=member: member.is_ready, what="a webhook process is ready")
        self._ready = self.members
        until(lambda: is_asked(self._plane), what="the API server asks the webhook")

    def replace(self, old: Member) -> None:
        """Start a process in place of another one, as a Deployment with maxUnavailable 0 does."""
        new = self._started()
        self.members = (*self.members, new)
        until(lambda: new.is_ready, what="the new process is ready")
        self._ready = (*self._ready, new)
        old.process.ask_to_end()
        until(lambda: not old.is_ready, what="the old process is not ready")
        self._ready = tuple(each for each in self._ready if each is not old)
        assert old.process.wait_and_clear() == 0, old.process.end_of_log()
        self.members = tuple(each for each in self.members if each is not old)

    @contextmanager
    def keeping(self) -> Iterator[CertificateKeeper]:
        """Let the keeper run as the controller's leader does."""
        stop = threading.Event()
        thread = threading.Thread(target=self.keeper.run, args=(stop,))
        thread.start()
        try:
            yield self.keeper
        finally:
            stop.set()
            thread.join()

    def _started(self) -> Member:
        port = free_port()
        process, health_url = start_webhook(
            self._plane, self._folder, port=port, arguments=(f"--drain={DRAIN_S}s",)
        )
        self._stack.enter_context(process)
        return Member(process=process, port=port, health_url=health_url)


@contextmanager
def running_fleet(plane: ControlPlane, folder: Path) -> Iterator[Fleet]:
    """Install, start the processes, and let the API server ask them while the context lasts."""
    install(plane)
    with _own_certificate(plane), ExitStack() as stack:
        fleet = Fleet(plane, folder, stack)
        try:
            fleet.fill()
            yield fleet
        finally:
            remove_entries(plane)
            for member in fleet.members:
                member.process.ask_to_end()


@contextmanager
def _own_certificate(plane: ControlPlane) -> Iterator[None]:
    """Begin without a certificate, and leave none behind: those of the fleet end in minutes."""
    words = ("delete", "secret", CERTIFICATE_SECRET, "-n", NAMESPACE, "--ignore-not-found")
    plane.kubectl(*words).well()
    try:
        yield
    finally:
        plane.kubectl(*words).well()
