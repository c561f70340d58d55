"""``tfa webhook`` as a process with its own token, which the API server of a test asks.

The installation is the one of ``deploy/kustomize``, without what would run in pods: the process
runs beside the cluster, and its certificate and the webhook entries come from a keeper that the
test runs in the controller's place.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import urllib3
import yaml
from prometheus_client.parser import text_string_to_metric_families

from autoscaler.api.names import COMPONENT, ENABLED, PREFIX, ServiceAccount
from autoscaler.clock import SystemClock
from autoscaler.kube.api_server import ApiServer
from autoscaler.kube.certificate_keeper import CertificateKeeper, KeeperRules
from autoscaler.kube.webhook_address import UrlAddress
from autoscaler.kube.webhook_entries import WEBHOOKS
from autoscaler.telemetry.family import PREFIX as METRICS_PREFIX
from tests.cluster.child_processes import ChildProcess, start_child
from tests.cluster.control_plane import ControlPlane
from tests.cluster.definitions import DEPLOY, install_definitions
from tests.cluster.kubectl import Ended
from tests.components.processes import (
    LOOPBACK,
    ServerError,
    free_port,
    status_of,
    until,
)

LIMITER_IMAGE = "limiter:of-the-tests"
RUNS_IN_PODS = frozenset({"Deployment", "DaemonSet", "PodDisruptionBudget", "Service"})
ROOT = DEPLOY.parent


def filled_configurations(plane: ControlPlane) -> list[str]:
    """Return the names of the webhook configurations that have entries."""
    return [
        webhook.configuration_name
        for webhook in WEBHOOKS
        if plane.kubectl(
            "get", webhook.configuration.plural, webhook.configuration_name, "-o", "json"
        ).json.get("webhooks")
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookProcess:
    """A running webhook."""

    plane: ControlPlane
    process: ChildProcess
    port: int
    health_url: str
    keeper: CertificateKeeper

    def log(self) -> str:
        """Return all that it wrote."""
        return self.process.log()

    def readiness(self) -> tuple[int, str]:
        """Return status and text of ``/readyz``."""
        answer = urllib3.request("GET", f"{self.health_url}/readyz", retries=False, timeout=5.0)
        return answer.status, answer.data.decode()

    def metric(self, name: str, **labels: str) -> float:
        """Return one number of ``/metrics``, named without our prefix; 0 where there is none."""
        answer = urllib3.request("GET", f"{self.health_url}/metrics", retries=False, timeout=5.0)
        return sum(
            sample.value
            for family in text_string_to_metric_families(answer.data.decode())
            for sample in family.samples
            if sample.name == METRICS_PREFIX + name and sample.labels == labels
        )

    def keep(self) -> None:
        """Let the keeper act until nothing is left to do but to wait."""
        until(
            lambda: self.keeper.run_once() > 0 and self.keeper.snapshot().is_filled,
            what="the webhook entries are filled",
        )


def install(plane: ControlPlane) -> None:
    """Apply what is shipped, except what would run in pods; safe to repeat."""
    install_definitions(plane)
    rendered = plane.kubectl("kustomize", DEPLOY / "kustomize").well().out
    objects = [each for each in yaml.safe_load_all(rendered) if each["kind"] not in RUNS_IN_PODS]
    plane.kubectl("apply", "-f", "-", stdin=yaml.safe_dump_all(objects)).well()


def start_webhook(
    plane: ControlPlane, folder: Path, *, port: int, arguments: Sequence[str] = ()
) -> tuple[ChildProcess, str]:
    """Start the process on ports of the loopback; return it and the URL of its health pages."""
    health_port = free_port()
    command = [
        *(sys.executable, "-m", "autoscaler", "webhook"),
        f"--kubeconfig={plane.kubeconfig(ServiceAccount.WEBHOOK)}",
        f"--limiter-image={LIMITER_IMAGE}",
        f"--bind-address={LOOPBACK}",
        f"--port={port}",
        f"--health-port={health_port}",
        "--drain=0s",
        *arguments,
    ]
    process = start_child(command, folder / f"webhook-{port}.log", folder=ROOT)
    return process, f"http://{LOOPBACK}:{health_port}"


@contextmanager
def running_webhook(
    plane: ControlPlane, folder: Path, *, arguments: Sequence[str] = ()
) -> Iterator[WebhookProcess]:
    """Install, start the process, and let the API server ask it while the context lasts."""
    install(plane)
    port = free_port()
    process, health_url = start_webhook(plane, folder, port=port, arguments=arguments)
    controller = ApiServer.from_environment(
        kubeconfig=plane.kubeconfig(ServiceAccount.CONTROLLER), user_agent="keeper-of-a-test"
    )
    with process, closing(controller):
        keeper = CertificateKeeper(
            controller,
            UrlAddress(url=f"https://{LOOPBACK}:{port}"),
            endpoints=lambda: [(LOOPBACK, port)],
            is_leader=lambda: True,
            clock=SystemClock(),
            rules=KeeperRules(needed_endpoints=1),
        )
        webhook = WebhookProcess(
            plane=plane, process=process, port=port, health_url=health_url, keeper=keeper
        )
        try:
            webhook.keep()
            _wait_until_ready(webhook)
            until(lambda: is_asked(plane), what="the API server asks the webhook")
            yield webhook
        finally:
            remove_entries(plane)


def remove_entries(plane: ControlPlane) -> None:
    """Let the API server ask no webhook of ours any more."""
    for webhook in WEBHOOKS:
        kind, name = webhook.configuration.plural, webhook.configuration_name
        patch = ("--type=merge", "-p", '{"webhooks": []}')
        plane.kubectl("patch", kind, name, *patch).well()
    until(lambda: is_passed_by(plane), what="the API server asks no webhook")


def enabled_pod(name: str, **annotations: str) -> dict[str, object]:
    """Return a pod with our label; annotations are given without prefix, ``_`` for ``-``."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "labels": {ENABLED: "true"},
            "annotations": {
                f"{PREFIX}{key.replace('_', '-')}": text for key, text in annotations.items()
            },
        },
        "spec": {"containers": [{"name": "main", "image": "cuda"}]},
    }


def _wait_until_ready(webhook: WebhookProcess) -> None:
    def has_started() -> bool:
        return not webhook.process.is_running or status_of(f"{webhook.health_url}/readyz") == 200

    until(has_started, what="the webhook is ready")
    if not webhook.process.is_running:
        raise ServerError(f"the webhook ended; its log ends:\n{webhook.process.end_of_log()}")


def is_asked(plane: ControlPlane) -> bool:
    """Return whether the API server has pods admitted by us."""
    made = _probe(plane)
    return made.code == 0 and COMPONENT in made.json["metadata"]["labels"]


def is_passed_by(plane: ControlPlane) -> bool:
    """Return whether the API server lets pods in without asking us."""
    made = _probe(plane)
    return made.code == 0 and COMPONENT not in made.json["metadata"]["labels"]


def _probe(plane: ControlPlane) -> Ended:
    pod = yaml.safe_dump(enabled_pod("probe", tflops_limit="1", vram_limit="1Gi"))
    return plane.kubectl(
        *("create", "-n", "default", "--dry-run=server", "-o", "json", "-f", "-"), stdin=pod
    )
