"""A whole Kubernetes control plane on loopback: etcd, API server, controllers and scheduler.

Nodes are ``nodes``, what a kubelet does is ``kubelet``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

import urllib3

from tests.cluster import command_lines, identities
from tests.cluster.child_processes import ChildProcess, start_child
from tests.cluster.identities import ADMIN, CONTROLLER_MANAGER, SCHEDULER
from tests.cluster.kubectl import Ended, run_kubectl
from tests.components.processes import (
    LOOPBACK,
    PORT_IS_TAKEN,
    TRIES,
    ServerError,
    free_port,
    status_of,
    until,
)


class PortTakenError(ServerError):
    """Another process took a port between its choice and its use."""


class ControlPlane:
    """A control plane whose parts can be stopped, paused and started again on the same data."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._kubeconfigs = folder / "kubeconfigs"
        self._kubeconfigs.mkdir(parents=True)
        self._etcd_ports = (free_port(), free_port())
        self._port = free_port()
        self._processes: dict[str, ChildProcess] = {}
        self._starts = 0
        identities.write_tokens(folder / "tokens.csv")
        identities.write_service_account_key(folder / "service-accounts.key")

    @property
    def url(self) -> str:
        """Where the API server answers."""
        return f"https://{LOOPBACK}:{self._port}"

    @property
    def etcd_url(self) -> str:
        """Where etcd answers."""
        return f"http://{LOOPBACK}:{self._etcd_ports[0]}"

    @property
    def ca_file(self) -> Path:
        """The certificate that clients trust; it stays the same over restarts."""
        return self.folder / "certificates" / "apiserver.crt"

    @property
    def admin_kubeconfig(self) -> Path:
        """A kubeconfig of the administrator, who may do everything."""
        return self.kubeconfig(ADMIN)

    def kubeconfig(self, user: str = ADMIN, groups: Sequence[str] = ()) -> Path:
        """Return a kubeconfig of a user; see ``identities.write_kubeconfig``."""
        name = "-".join((user, *groups)).replace(":", "_").replace("/", "_")
        path = self._kubeconfigs / name
        if not path.exists():
            identities.write_kubeconfig(
                path, url=self.url, ca_file=self.ca_file, user=user, groups=groups
            )
        return path

    def token(self, user: str = ADMIN) -> str:
        """Return the token of the administrator, a ServiceAccount of ours or the tenant."""
        return identities.token(user)

    def kubectl(
        self, *arguments: str | Path, stdin: str | None = None, user: str | None = None
    ) -> Ended:
        """Run kubectl as a user, the administrator by default, and wait for its end."""
        return run_kubectl(
            [str(argument) for argument in arguments],
            kubeconfig=self.kubeconfig(user or ADMIN),
            stdin=stdin,
        )

    def process(self, program: str) -> ChildProcess:
        """Return the newest process of ``etcd``, ``kube-apiserver`` and so on."""
        return self._processes[program]

    def start_etcd(self) -> None:
        """Start etcd on its data and wait until it is ready."""
        port, peer_port = self._etcd_ports
        self._start(
            command_lines.etcd(data=self.folder / "etcd", port=port, peer_port=peer_port),
            is_ready=lambda: status_of(f"{self.etcd_url}/health") == 200,
        )

    def stop_etcd(self) -> None:
        """End etcd; the API server goes on without it as well as it can."""
        self._processes["etcd"].stop()

    def start_api_server(self) -> None:
        """Start the API server on its port and wait until it is ready."""
        self._start(
            command_lines.api_server(
                etcd_url=self.etcd_url,
                port=self._port,
                certificates=self.ca_file.parent,
                tokens=self.folder / "tokens.csv",
                key=self.folder / "service-accounts.key",
            ),
            is_ready=self._api_server_is_ready,
        )

    def stop_api_server(self) -> None:
        """End the API server: connections are closed and new ones refused."""
        # It would wait for open watches.
        self._processes["kube-apiserver"].kill()

    def pause_api_server(self) -> None:
        """Let the API server stand still: connections stay open and nothing is answered."""
        self._processes["kube-apiserver"].pause()

    def resume_api_server(self) -> None:
        """Let a paused API server go on."""
        self._processes["kube-apiserver"].resume()

    def start_controllers(self) -> None:
        """Start the controller manager; it works a second or two later."""
        self._start(
            command_lines.controller_manager(kubeconfig=self.kubeconfig(CONTROLLER_MANAGER))
        )

    def start_scheduler(self) -> None:
        """Start the scheduler; it works a second or two later."""
        self._start(command_lines.scheduler(kubeconfig=self.kubeconfig(SCHEDULER)))

    def outlive_scheduler(self) -> None:
        """Start the scheduler anew where it has ended, as a kubelet would.

        It ends itself where its cache disagrees with what a watch that began anew tells it.
        """
        self.process("kube-scheduler").outlive()

    def stop(self) -> None:
        """End everything, those who need another first; a second call does nothing."""
        with ExitStack() as stack:
            for process in self._processes.values():
                stack.callback(process.kill)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _start(self, command: list[str], *, is_ready: Callable[[], bool] = lambda: True) -> None:
        name = Path(command[0]).name
        self._starts += 1
        log_file = self.folder / f"{name}-{self._starts}.log"
        process = self._processes[name] = start_child(command, log_file)

        def has_started() -> bool:
            return not process.is_running or is_ready()

        until(has_started, what=f"{name} is ready")
        if process.is_running:
            return
        kind = PortTakenError if PORT_IS_TAKEN in process.log() else ServerError
        raise kind(f"{name} ended at its start; its log ends:\n{process.end_of_log()}")

    def _api_server_is_ready(self) -> bool:
        if not self.ca_file.exists():
            return False
        try:
            with urllib3.PoolManager(ca_certs=str(self.ca_file)) as pool:
                return pool.request("GET", f"{self.url}/readyz", retries=False).status == 200
        except urllib3.exceptions.HTTPError:
            return False


def start_control_plane(
    folder: Path, *, controllers: bool = True, scheduler: bool = True
) -> ControlPlane:
    """Start a control plane whose data and logs are in a folder; the API server is ready then.

    Raises ``ServerError`` with the end of a log, and ``ProgramMissingError``.
    """
    for attempt in range(TRIES):
        plane = ControlPlane(folder / f"control-plane-{attempt}")
        try:
            plane.start_etcd()
            plane.start_api_server()
            if controllers:
                plane.start_controllers()
            if scheduler:
                plane.start_scheduler()
        except PortTakenError:
            plane.stop()
        except BaseException:
            plane.stop()
            raise
        else:
            return plane
    raise ServerError(f"a control plane found ports taken {TRIES} times one after the other")
