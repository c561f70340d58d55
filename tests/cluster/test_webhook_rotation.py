"""The certificate of a running webhook is exchanged under load, and no admission notices."""

from __future__ import annotations

import threading
from contextlib import closing

import pytest

from autoscaler.api.names import COMPONENT, ServiceAccount
from autoscaler.clock import SystemClock
from autoscaler.kube.api_server import ApiServer
from autoscaler.kube.certificate_keeper import CertificateKeeper, KeeperRules
from autoscaler.kube.rotation import RotationRules
from autoscaler.kube.webhook_address import UrlAddress
from tests.cluster.rest import Rest, RestError
from tests.cluster.webhook_process import enabled_pod
from tests.components.processes import LOOPBACK, until

ALWAYS_DUE = RotationRules(renew_at_share=0.0, settle_s=2.0, overlap_s=1.0)
ROTATIONS = 2
AMOUNTS = {"tflops_limit": "20", "vram_limit": "4Gi"}


class Load:
    """Creates a pod again and again, as a dry run, and keeps what went wrong."""

    def __init__(self, plane):
        self._rest = Rest(plane)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.admitted = 0
        self.failures = []

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._stopping.set()
        self._thread.join()
        self._rest.close()

    def _run(self):
        pod = enabled_pod("load", **AMOUNTS)
        while not self._stopping.is_set():
            try:
                path = "/api/v1/namespaces/default/pods?dryRun=All"
                made = self._rest.request("POST", path, pod)
            except RestError as error:
                self.failures.append(str(error))
            else:
                assert made["metadata"]["labels"][COMPONENT] == "worker"
                self.admitted += 1


@pytest.fixture
def rotating(webhook):
    """Return a keeper that always finds the certificate too old."""
    api = ApiServer.from_environment(
        kubeconfig=webhook.plane.kubeconfig(ServiceAccount.CONTROLLER), user_agent="rotation"
    )
    with closing(api):
        yield CertificateKeeper(
            api,
            UrlAddress(url=f"https://{LOOPBACK}:{webhook.port}"),
            endpoints=lambda: [(LOOPBACK, webhook.port)],
            is_leader=lambda: True,
            clock=SystemClock(),
            rules=KeeperRules(needed_endpoints=1, rotation=ALWAYS_DUE),
        )


def test_certificates_are_exchanged_and_no_admission_fails(webhook, control_plane, rotating):
    before = webhook.metric("serving_certificate_loads_total")

    def has_rotated():
        rotating.run_once()
        return webhook.metric("serving_certificate_loads_total") >= before + ROTATIONS

    with Load(control_plane) as load:
        until(lambda: load.admitted, what="pods are admitted")
        until(has_rotated, what=f"{ROTATIONS} certificates were exchanged")
        admitted = load.admitted
        until(lambda: load.admitted > admitted, what="pods are admitted still")

    assert load.failures == []
    assert webhook.metric("serving_certificate_refusals_total") == 0.0
    assert webhook.readiness() == (200, "ok\n")
