"""``tfa check`` on a real cluster: in a sound installation, and in one with faults."""

from __future__ import annotations

import json
import re
import time
from contextlib import contextmanager

import pytest

from autoscaler.api.names import (
    CONTROL_CONFIG_MAP,
    CONTROLLER_LEASE,
    NAMESPACE,
    PAUSED,
    SCHEMA_LABEL,
    ServiceAccount,
)
from autoscaler.kube.webhook_entries import PODS_WEBHOOK, WEBHOOKS
from tests.autoscaler.sources.prometheus.answering_server import World, serving
from tests.cluster.definitions import DEPLOY
from tests.cluster.identities import TENANT
from tests.cluster.spaces import owning
from tests.cluster.webhook_process import enabled_pod, install
from tests.components.processes import until

PAGE = DEPLOY.parent / "docs" / "check.md"
AMOUNTS = {"is_local_gpu": "true", "tflops_limit": "10", "vram_limit": "4Gi"}

SILENT_LEASE = {
    "apiVersion": "coordination.k8s.io/v1",
    "kind": "Lease",
    "metadata": {"name": CONTROLLER_LEASE, "namespace": NAMESPACE},
    "spec": {"holderIdentity": "gone", "leaseDurationSeconds": 1},
}
GONE = {
    "name": PODS_WEBHOOK.name,
    "clientConfig": {"url": "https://127.0.0.1:1/admit/pods"},
    "sideEffects": "None",
    "admissionReviewVersions": ["v1"],
}
"""An entry for a webhook that is not there."""


@pytest.fixture
def url():
    """Serve a Prometheus without any series: the cluster is what is looked at here."""
    with serving(World(server_s=int(time.time()))) as url:
        yield url


@pytest.fixture
def check(tfa, control_plane, url):
    """Run ``tfa check`` and return its findings by name."""

    def check(*arguments, user="admin", plane=control_plane):
        ended = tfa(
            "check", "-o", "json", "--prometheus-url", url,
            "--kubeconfig", plane.kubeconfig(user), *arguments,
        )  # fmt: skip
        return findings(ended)

    return check


def findings(ended):
    assert ended.out, ended.err
    return {
        finding["check"]: finding
        for section in ended.json["sections"]
        if section["name"] != "source"
        for finding in section["findings"]
    }


def status(found, name):
    return found[name]["status"]


@pytest.fixture(scope="module")
def sound(control_plane, controller_process):
    """Have an installation in which everything works."""
    return control_plane


def patched(plane, *what, **fields):
    plane.kubectl("patch", *what, "--type=merge", "-p", json.dumps(fields)).well()


def test_a_sound_installation_is_found_sound(sound, check):
    found = check()

    told = {
        name: status(found, name)
        for name in (
            "api-server",
            "installed",
            "kinds",
            "mode",
            "pauses",
            "back-off",
            "webhook-entries",
            "webhook-certificate",
            "leader-controller",
            "rights-webhook",
            "rights-controller",
            "rights-autoscaler",
            "rights-agent",
            "rights-apply",
        )
    }
    assert set(told.values()) == {"ok"}, found
    assert "controller" in found["installed"]["text"]
    heads = set(re.findall(r"^### (.+)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE))
    documented = {name for head in heads for name in head.replace(",", "").split()}
    assert set(found) <= documented
    assert (
        "mode recommend: recommendations are made, and nothing is changed"
        in (found["mode"]["text"])
    )


def test_a_process_that_never_led_is_named(sound, check):
    found = check()

    assert status(found, "leader-autoscaler") == "failed"
    assert found["leader-autoscaler"]["text"].startswith("No autoscaler ever led")


def test_a_missing_right_is_named(sound, check):
    sound.kubectl("delete", "clusterrolebinding", "tensor-fusion-webhook").well()
    try:
        found = until(
            lambda: (seen := check()) and status(seen, "rights-webhook") == "failed" and seen,
            what="the right is gone",
        )
    finally:
        sound.kubectl("apply", "-f", DEPLOY / "kustomize" / "webhook" / "rbac.yaml").well()

    assert "lacks 24 of 30 rights" in found["rights-webhook"]["text"]
    assert "list gpupools.tensor-fusion.ai" in found["rights-webhook"]["subjects"]
    assert found["rights-webhook"]["subjects"][-1] == "and 4 more"
    assert status(found, "rights-controller") == "ok"


def test_a_process_may_ask_about_itself(sound, check):
    found = check(user=ServiceAccount.CONTROLLER)

    assert status(found, "rights-controller") == "ok"
    assert status(found, "rights-webhook") == "skipped"
    assert "may not ask what" in found["rights-webhook"]["text"]


def test_what_one_may_not_read_keeps_nobody_from_reading_the_rest(sound, check):
    found = check(user=TENANT)

    assert status(found, "api-server") == "ok"
    assert status(found, "kinds") == "skipped"
    assert "The right to look is missing" in found["kinds"]["text"]
    assert "failed" not in {status(found, name) for name in found}


def test_pauses_are_named(sound, check):
    control = ("configmap", CONTROL_CONFIG_MAP, "-n", NAMESPACE)
    sound.kubectl("annotate", "gpupool", "default-pool", f"{PAUSED}=true").well()
    try:
        pool = check()
        patched(sound, *control, data={"paused": "true"})
        everything = check()
    finally:
        patched(sound, *control, data={"paused": None})
        sound.kubectl("annotate", "gpupool", "default-pool", f"{PAUSED}-").well()

    assert pool["pauses"]["subjects"] == ["GPUPool default-pool"]
    assert everything["pauses"]["text"].startswith("Everything is paused")
    assert status(check(), "pauses") == "ok"


def test_a_mode_that_is_not_understood_is_named(sound, check):
    control = ("configmap", CONTROL_CONFIG_MAP, "-n", NAMESPACE)
    patched(sound, *control, data={"mode": "aply"})
    try:
        found = check()
    finally:
        patched(sound, *control, data={"mode": "recommend"})

    assert status(found, "mode") == "warning"
    assert "'aply' is not valid; allowed: recommend, apply" in found["mode"]["text"]


def test_a_replica_set_that_cannot_make_its_pods_is_named(sound, check, space):
    refused = enabled_pod("chat", **AMOUNTS | {"tflops_limit": "much"})
    space.apply(owning("Deployment", "chat", refused)).well()
    try:
        found = until(
            lambda: (seen := check()) and status(seen, "back-off") == "warning" and seen,
            what="the ReplicaSet failed",
        )
    finally:
        space.kubectl("delete", "deployment", "chat").well()

    [name] = found["back-off"]["subjects"]
    assert name.startswith(f"{space.name}/chat-")
    assert "tflops-limit" in found["back-off"]["text"]


def test_what_lacks_on_the_way_to_an_installation_is_named(own_control_plane, check):
    plane = own_control_plane

    nothing = check(plane=plane)
    assert {status(nothing, name) for name in nothing} <= {"ok", "skipped"}
    assert nothing["kinds"]["text"].startswith("None of the project's kinds is installed")
    assert nothing["installed"]["text"] == f"Nothing is installed in the namespace {NAMESPACE}."

    plane.kubectl("apply", "--server-side", "-f", DEPLOY / "crds").well()
    theirs = "workloadprofiles.tensor-fusion.ai"
    plane.kubectl("label", "crd", theirs, f"{SCHEMA_LABEL}-").well()
    beside = check(plane=plane)
    assert status(beside, "kinds") == "ok"
    assert "beside-upstream" in beside["kinds"]["text"]

    install(plane)
    plane.kubectl("label", "crd", theirs, f"{SCHEMA_LABEL}-", "--overwrite").well()
    mixed = check(plane=plane)
    assert (status(mixed, "kinds"), mixed["kinds"]["subjects"]) == ("failed", [theirs])
    assert len(mixed["webhook-entries"]["subjects"]) == len(WEBHOOKS)
    assert "have no entry" in mixed["webhook-entries"]["text"]
    assert mixed["leader-controller"]["text"].startswith("No controller ever led")

    plane.kubectl("apply", "-f", "-", stdin=json.dumps(SILENT_LEASE)).well()
    patched(plane, "mutatingwebhookconfiguration", PODS_WEBHOOK.configuration_name, webhooks=[GONE])
    silent = check(plane=plane)
    assert silent["leader-controller"]["text"].startswith("Nobody renews the Lease")
    assert silent["leader-controller"]["subjects"] == [f"{NAMESPACE}/{CONTROLLER_LEASE}"]
    assert status(silent, "webhook-certificate") == "failed"
    assert "1 of 1 endpoints behind 127.0.0.1" in silent["webhook-certificate"]["text"]


@contextmanager
def serving_metrics(space, name, **labels):
    """Have a Service that looks like a metrics server, and nobody behind it."""
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "labels": labels},
        "spec": {"clusterIP": "None", "ports": [{"name": "http", "port": 9090}]},
    }
    space.apply(service).well()
    try:
        yield f"http://{name}.{space.name}.svc:9090"
    finally:
        space.kubectl("delete", "service", name).well()


def test_the_source_is_found_among_the_services(sound, tfa, space, url, tmp_path):
    # A proxy stands for the cluster's network, where the name of the Service is known.
    config = tmp_path / "tfa.yaml"
    config.write_text(f"prometheus: {{proxyUrl: '{url}'}}")
    kubeconfig = sound.kubeconfig("admin")

    with serving_metrics(space, "prometheus-k8s", **{"operated-prometheus": "true"}) as address:
        ended = tfa("check", "-o", "json", "--config", config, "--kubeconfig", kubeconfig)

    source = next(each for each in ended.json["sections"] if each["name"] == "source")
    first, second = source["findings"][:2]
    assert (first["check"], first["status"]) == ("server-found", "ok")
    assert f"Prometheus {space.name}/prometheus-k8s at {address}" in first["text"]
    assert f"kubectl -n {space.name} port-forward svc/prometheus-k8s 9090:9090" in first["text"]
    assert (second["check"], second["status"]) == ("reachable", "ok")


def test_a_report_reads_the_server_that_is_found(sound, tfa, space, monkeypatch):
    monkeypatch.setenv("KUBECONFIG", str(sound.kubeconfig("admin")))

    labels = {"app.kubernetes.io/name": "thanos-query"}
    with serving_metrics(space, "thanos", **labels) as address:
        ended = tfa("report", "--timeout", "1s")

    # The name counts within the cluster alone; that it was asked is seen by the error.
    assert ended.code == 3
    assert f"metrics are read from Thanos {space.name}/thanos at {address}" in ended.err
    assert f"error: {address}" in ended.err


def test_without_any_server_the_cluster_is_looked_at_all_the_same(own_control_plane, tfa):
    ended = tfa("check", "-o", "json", "--kubeconfig", own_control_plane.kubeconfig("admin"))

    assert ended.code == 3
    [finding] = ended.json["sections"][0]["findings"]
    assert (finding["check"], finding["status"]) == ("server-found", "failed")
    assert "no Service of the cluster has the labels of Prometheus" in finding["text"]
    assert status(findings(ended), "api-server") == "ok"
