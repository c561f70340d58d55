"""The chart with a certificate of a real cert-manager: issued, served, trusted and renewed.

The tests of the module tell one story, in this order.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass

import pytest

from autoscaler.api.names import CERTIFICATE_SECRET, NAMESPACE
from autoscaler.kube.certificate_secret import read_stored
from autoscaler.kube.certificates import leaf_of
from autoscaler.kube.endpoint_probe import probe_all
from autoscaler.kube.webhook_address import ServiceAddress
from autoscaler.kube.webhook_entries import WEBHOOKS, authorities_of
from tests.cluster import cert_manager
from tests.cluster.chart_image import account_values, image_values, write_program
from tests.cluster.control_plane import start_control_plane
from tests.cluster.helm import Helm
from tests.cluster.kubelet import FakeKubelet
from tests.cluster.nodes import temporary_node
from tests.cluster.page_shell import page_shell
from tests.cluster.spaces import Space
from tests.cluster.test_chart_release import AMOUNTS, NODE, TEAM, Story, pods_all_the_time
from tests.cluster.webhook_process import enabled_pod, is_asked
from tests.components.fixtures import needed_program
from tests.components.processes import LOOPBACK, free_port, until
from tests.components.programs import CLUSTER_PROGRAMS

CERTIFICATE = ("certificate.cert-manager.io", "tensor-fusion-webhook")
UNKNOWN = "certificate.issuer.name=nobody"
ISSUER = f"certificate.issuer.name={cert_manager.AUTHORITY}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Issued(Story):
    """A story whose certificate is issued by somebody else."""

    endpoint: tuple[str, int]
    """Where the webhook listens."""

    def log(self, component):
        """Return what the newest process of a Deployment wrote."""
        logs = self.helm.folder.glob(f"kubelet/logs/*/{component}/0.log")
        return max(logs, key=lambda path: path.stat().st_mtime).read_text(encoding="utf-8")

    def stored(self):
        """Return what the Secret holds; nothing where there is none."""
        words = ("get", "secret", CERTIFICATE_SECRET, "--ignore-not-found", "-o", "json")
        found = self.plane.kubectl("-n", NAMESPACE, *words).well()
        return read_stored(json.loads(found.out) if found.out else None)

    def serves(self, stored, server_name=LOOPBACK):
        """Return whether a client that trusts the Secret's authority is served its certificate."""
        [probe] = probe_all([self.endpoint], server_name=server_name, trusted=stored.authorities)
        return stored.serving is not None and probe.served == leaf_of(stored.serving.certificate)

    def entries(self):
        """Return the authorities of each entry of the webhook configurations."""
        return [
            authorities_of(entry)
            for one in WEBHOOKS
            for entry in self.plane.kubectl(
                "get", one.configuration.plural, one.configuration_name, "-o", "json"
            ).json.get("webhooks", [])
        ]

    def renewed(self, before):
        """Wait until another certificate is served than before, and return what is stored."""

        def is_renewed():
            stored = self.stored()
            is_another = stored.serving is not None and stored.serving != before.serving
            return stored if is_another and self.serves(stored) else None

        return until(is_renewed, what="the webhook serves a new certificate")


@pytest.fixture(scope="module")
def story(tmp_path_factory):
    for name in (*CLUSTER_PROGRAMS, "helm", cert_manager.PROGRAM):
        needed_program(name)
    folder = tmp_path_factory.mktemp("issued")
    with (
        start_control_plane(folder) as plane,
        temporary_node(plane, NODE),
        FakeKubelet(plane, [NODE], folder / "kubelet"),
    ):
        plane.kubectl("create", "namespace", TEAM).well()
        accounts = account_values(plane)
        [port] = [
            int(word.removeprefix("--port="))
            for value in accounts
            for word in value.partition("={")[2].rstrip("}").split(",")
            if word.startswith("--port=")
        ]
        yield Issued(
            helm=Helm(folder=folder, plane=plane),
            space=Space(plane=plane, name=TEAM),
            values=("profile=full", *image_values(write_program(plane, folder)), *accounts),
            shell=page_shell(plane, folder / "page", "helm"),
            endpoint=(LOOPBACK, port),
        )


@pytest.fixture(scope="module")
def issuing(story):
    """Have cert-manager work, with the ClusterIssuer ``authority``."""
    cert_manager.install_kinds(story.plane)
    with cert_manager.running_cert_manager(story.plane, story.helm.folder):
        cert_manager.make_authority(story.plane)
        yield story


@pytest.fixture
def findings(tfa, story):
    """Return what ``tfa check`` finds, by the name of the check."""
    nobody = f"http://{LOOPBACK}:{free_port()}"

    def findings():
        words = ("--kubeconfig", story.plane.admin_kubeconfig, "--prometheus-url", nobody)
        return {
            finding["check"]: finding
            for section in tfa("check", "-o", "json", *words).json["sections"]
            for finding in section["findings"]
        }

    return findings


def test_without_cert_manager_nothing_is_installed(story):
    refused = story.helm.install(*story.values, ISSUER)

    assert refused.code == 1
    assert "certificate.issuer: this cluster has no kind Certificate of cert-manager" in refused.err
    assert "allowed: install cert-manager first" in refused.err
    kept = story.plane.kubectl("-n", NAMESPACE, "get", "deployments,secrets", "-o", "name")
    assert kept.out == ""


def test_an_issuer_that_does_not_exist_is_named(issuing, findings):
    issuing.helm.install(*issuing.values, UNKNOWN).well()
    missing = f"Secret {NAMESPACE}/{CERTIFICATE_SECRET} does not exist, and it is somebody else"
    until(
        lambda: issuing.pods("controller") and missing in issuing.log("controller"),
        what="the controller says what it waits for",
    )

    def names_issuer():
        entries = findings()["webhook-entries"]
        return entries if "nobody" in entries["text"] else None

    entries = until(names_issuer, what="tfa check names the issuer")
    assert entries["status"] == "failed"
    assert 'Referenced "ClusterIssuer" not found' in entries["text"]
    assert "kubectl -n tensor-fusion-autoscaler describe certificaterequest" in entries["next_step"]
    assert issuing.entries() == []


def test_the_certificate_of_the_right_issuer_is_served_and_trusted(issuing, findings):
    issuing.helm.upgrade(*issuing.values, ISSUER).well()
    name = ServiceAddress().server_name
    until(lambda: issuing.serves(issuing.stored(), name), what="the webhook serves it")

    # Here the API server reaches the webhook by an address, and not through a Service.
    addresses = json.dumps({"spec": {"ipAddresses": [LOOPBACK]}})
    issuing.plane.kubectl(
        "-n", NAMESPACE, "patch", *CERTIFICATE, "--type=merge", "-p", addresses
    ).well()
    until(lambda: is_asked(issuing.plane), what="the API server asks the webhook")

    stored = issuing.stored()
    root = issuing.plane.kubectl(
        *("-n", cert_manager.NAMESPACE, "get", "secret", cert_manager.AUTHORITY, "-o", "json")
    ).json["data"]["tls.crt"]
    assert stored.bundle == base64.b64decode(root).decode()
    assert issuing.entries() == [stored.authorities] * len(WEBHOOKS)
    assert findings()["webhook-certificate"]["status"] == "ok"
    issuing.space.apply(enabled_pod("first", **AMOUNTS)).well()


def test_a_renewal_is_taken_over_without_a_refusal(issuing):
    before = issuing.stored()
    # What `cmctl renew` does.
    due = {"type": "Issuing", "status": "True", "reason": "ManuallyTriggered", "message": "Test"}
    patch = json.dumps({"status": {"conditions": [due]}})
    with pods_all_the_time(issuing.plane) as tries:
        issuing.plane.kubectl(
            *("-n", NAMESPACE, "patch", *CERTIFICATE, "--subresource=status"),
            *("--type=merge", "-p", patch),
        ).well()
        after = issuing.renewed(before)

    assert tries.refused == []
    assert {"plain", "ours"} <= set(tries.made)
    assert after.authorities == before.authorities


def test_a_deleted_secret_is_issued_anew_without_a_refusal(issuing):
    before = issuing.stored()
    with pods_all_the_time(issuing.plane) as tries:
        issuing.plane.kubectl("-n", NAMESPACE, "delete", "secret", CERTIFICATE_SECRET).well()
        issuing.renewed(before)

    assert tries.refused == []
    assert issuing.entries() == [before.authorities] * len(WEBHOOKS)


def test_an_uninstall_takes_the_certificate_and_leaves_its_secret(issuing):
    with pods_all_the_time(issuing.plane) as tries:
        issuing.helm.run("uninstall", "tfa").well()

    assert tries.refused == []
    left = issuing.plane.kubectl("-n", NAMESPACE, "get", CERTIFICATE[0], "-o", "name")
    assert left.out == ""
    assert issuing.stored().serving is not None
