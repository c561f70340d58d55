"""``tfa autoscaler`` as a process with its own token."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from autoscaler.api.names import AUTOSCALER_LEASE, NAMESPACE, ServiceAccount
from tests.cluster.child_processes import start_child
from tests.cluster.control_plane import ControlPlane
from tests.cluster.definitions import DEPLOY
from tests.cluster.elected_process import ElectedProcess
from tests.components.processes import LOOPBACK, free_port


@dataclass(frozen=True, slots=True, kw_only=True)
class AutoscalerProcess(ElectedProcess):
    """A running autoscaler."""

    page_url: str
    """Of the review page and its API."""
    state_file: Path


def start_autoscaler(
    plane: ControlPlane, folder: Path, *, webhook_url: str | None, arguments: Sequence[str] = ()
) -> AutoscalerProcess:
    """Start an autoscaler; it is not ready yet.

    ``arguments`` name the metrics source, and win over those that are set here.  ``webhook_url`` of
    None: it has no webhook.
    """
    health_port, page_port = free_port(), free_port()
    state_file = folder / f"autoscaler-{health_port}.state"
    command = [
        *(sys.executable, "-m", "autoscaler", "autoscaler"),
        f"--kubeconfig={plane.kubeconfig(ServiceAccount.AUTOSCALER)}",
        f"--bind-address={LOOPBACK}",
        f"--health-port={health_port}",
        f"--page-port={page_port}",
        *([] if webhook_url is None else [f"--webhook-url={webhook_url}"]),
        f"--state-file={state_file}",
        *arguments,
    ]
    log_file = folder / f"autoscaler-{health_port}.log"
    return AutoscalerProcess(
        process=start_child(command, log_file, folder=DEPLOY.parent),
        health_url=f"http://{LOOPBACK}:{health_port}",
        page_url=f"http://{LOOPBACK}:{page_port}",
        state_file=state_file,
    )


def release_autoscaler_lease(plane: ControlPlane) -> None:
    """Let nobody hold the lease of the autoscaler, as one that was killed in an earlier test."""
    words = ("delete", "lease", AUTOSCALER_LEASE, "-n", NAMESPACE, "--ignore-not-found")
    plane.kubectl(*words).well()
