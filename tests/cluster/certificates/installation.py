"""An installation of the webhook: what is shipped for it, and a keeper that fills it."""

import threading
from contextlib import contextmanager
from pathlib import Path

from autoscaler.clock import SystemClock
from autoscaler.kube.certificate_keeper import CertificateKeeper, KeeperRules
from autoscaler.kube.webhook_address import UrlAddress
from tests.cluster.certificates.asking import is_admitted, is_looked_at
from tests.components.processes import until

MANIFESTS = Path(__file__).parents[3] / "deploy/kustomize"
RIGHTS = MANIFESTS / "controller/rbac.yaml"
CONFIGURATIONS = MANIFESTS / "webhook-configurations.yaml"


def keeper_of(api, *servers, **rules):
    return CertificateKeeper(
        api,
        UrlAddress(url=servers[0].url),
        endpoints=lambda: [server.endpoint for server in servers],
        is_leader=lambda: True,
        clock=SystemClock(),
        rules=KeeperRules(**{"needed_endpoints": len(servers)} | rules),
    )


def filled(keeper, admin, *servers):
    """Run until everything is filled, and the API server asks; servers load their certificate."""
    until(lambda: keeper.run_once() > 0 and keeper.snapshot().is_filled, what="it is filled")
    for ask in (is_admitted, is_looked_at):
        until(
            lambda ask=ask: ask(admin) and any(server.asked for server in servers),
            what="the API server has learned of the entries",
        )
        for server in servers:
            server.asked.clear()
    return keeper


def run_until_it_writes(keeper):
    until(lambda: keeper.run_once() == 0, what="the keeper writes")


def live(api, webhook):
    return api.get(webhook.configuration, webhook.configuration_name)


def entries(api, webhook):
    """Return what stands in a configuration; an empty list is left out by the API server."""
    return live(api, webhook).get("webhooks", [])


@contextmanager
def running(keeper):
    stop = threading.Event()
    thread = threading.Thread(target=keeper.run, args=(stop,))
    thread.start()
    try:
        yield keeper
    finally:
        stop.set()
        thread.join()
