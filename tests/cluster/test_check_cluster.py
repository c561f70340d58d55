"""``tfa check`` on a real cluster: what it finds in a sound installation, and in one with faults."""

from __future__ import annotations

import json
import time

import pytest

from autoscaler.api.names import (
    CONTROL_CONFIG_MAP,
    CONTROLLER_LEASE,
    NAMESPACE,
    PAUSED,
    ServiceAccount,
)
from autoscaler.kube.webhook_entries import PODS_WEBHOOK
from tests.autoscaler.sources.prometheus.answering_server import World, serving
from tests.cluster.controller_process import running_controller_process
from tests.cluster.definitions import DEPLOY
from tests.cluster.identities import TENANT
from tests.cluster.spaces import Space, owning
from tests.cluster.webhook_process import enabled_pod
from tests.components.processes import until

AMOUNTS = {"is_local_gpu": "true", "tflops_limit": "10", "vram_limit": "4Gi"}


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
            "reachable",
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
            "rights-apply",
        )
    }
    assert set(told.values()) == {"ok"}, found
    assert "controller" in found["installed"]["text"]
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

    assert status(found, "reachable") == "ok"
    assert status(found, "kinds") == "skipped"
    assert "The right to look is missing" in found["kinds"]["text"]
    assert "failed" not in {status(found, name) for name in found}


def test_an_empty_list_of_webhooks_is_a_fault(sound, check, controller_process):
    what = ("mutatingwebhookconfiguration", PODS_WEBHOOK.configuration_name)
    controller_process.process.pause()
    try:
        patched(sound, *what, webhooks=[])
        found = check()
    finally:
        controller_process.process.resume()

    assert status(found, "webhook-entries") == "failed"
    assert found["webhook-entries"]["subjects"] == [
        f"MutatingWebhookConfiguration {PODS_WEBHOOK.configuration_name}"
    ]
    # Nobody renewed the Lease either.
    assert status(found, "leader-controller") == "failed"
    until(
        lambda: sound.kubectl("get", *what, "-o", "json").json.get("webhooks"),
        what="the controller has filled it again",
    )


def test_pauses_are_named(sound, check):
    control = ("configmap", CONTROL_CONFIG_MAP, "-n", NAMESPACE)
    sound.kubectl("annotate", "gpupool", "default-pool", f"{PAUSED}=true").well()
    try:
        pool = check("--no-cluster") or check()
        patched(sound, *control, data={"paused": "true"})
        everything = check()
    finally:
        patched(sound, *control, data={"paused": "false"})
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


def test_a_lease_that_nobody_renews_is_a_fault(sound, check):
    lease = {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": {"name": f"{CONTROLLER_LEASE}-of-nobody", "namespace": NAMESPACE},
        "spec": {"holderIdentity": "gone", "leaseDurationSeconds": 1},
    }
    sound.kubectl("apply", "-f", "-", stdin=json.dumps(lease)).well()
    try:
        found = check()
    finally:
        sound.kubectl("delete", "lease", "-n", NAMESPACE, lease["metadata"]["name"]).well()

    assert status(found, "leader-controller") == "failed"
    assert found["leader-controller"]["subjects"] == [f"{NAMESPACE}/{lease['metadata']['name']}"]


def test_a_webhook_that_is_gone_is_a_fault(own_control_plane, tmp_path, check):
    with running_controller_process(own_control_plane, tmp_path):
        pass
    entry = {
        "name": PODS_WEBHOOK.name,
        "clientConfig": {"url": "https://127.0.0.1:1/admit/pods"},
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
    }
    what = ("mutatingwebhookconfiguration", PODS_WEBHOOK.configuration_name)
    patched(own_control_plane, *what, webhooks=[entry])

    found = check(plane=own_control_plane)

    assert status(found, "webhook-certificate") == "failed"
    assert "1 of 1 endpoints behind 127.0.0.1" in found["webhook-certificate"]["text"]


def test_a_cluster_without_an_installation_lacks_nothing(own_control_plane, check):
    found = check(plane=own_control_plane)

    assert {status(found, name) for name in found} <= {"ok", "skipped"}
    assert found["kinds"]["text"].startswith("None of the project's kinds is installed")
    assert found["installed"]["text"] == f"Nothing is installed in the namespace {NAMESPACE}."


def test_kinds_of_another_operator_are_told_from_ours(own_control_plane, check):
    own_control_plane.kubectl("apply", "--server-side", "-f", DEPLOY / "crds").well()
    theirs = "workloadprofiles.tensor-fusion.ai"
    label = "tensor-fusion.ai/schema-"
    own_control_plane.kubectl("label", "crd", theirs, label).well()

    beside = check(plane=own_control_plane)
    own_control_plane.kubectl("create", "namespace", NAMESPACE).well()
    account = ("create", "serviceaccount", "controller", "-n", NAMESPACE)
    own_control_plane.kubectl(*account).well()
    mixed = check(plane=own_control_plane)

    assert status(beside, "kinds") == "ok"
    assert "beside-upstream" in beside["kinds"]["text"]
    assert (status(mixed, "kinds"), mixed["kinds"]["subjects"]) == ("failed", [theirs])


def test_the_source_is_found_among_the_services(sound, tfa, control_plane, namespace):
    space = Space(plane=control_plane, name=namespace)
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "prometheus-k8s", "labels": {"operated-prometheus": "true"}},
        "spec": {"clusterIP": "None", "ports": [{"name": "web", "port": 9090}]},
    }
    space.apply(service).well()
    kubeconfig = control_plane.kubeconfig("admin")

    ended = tfa("check", "-o", "json", "--timeout", "1s", "--kubeconfig", kubeconfig)

    source = next(each for each in ended.json["sections"] if each["name"] == "source")
    first, second = source["findings"][:2]
    assert (first["check"], first["status"]) == ("server-found", "ok")
    assert (
        f"Prometheus {namespace}/prometheus-k8s at http://prometheus-k8s.{namespace}.svc"
        in (first["text"])
    )
    # The name counts within the cluster alone, and the way in is said.
    assert (second["check"], second["status"], ended.code) == ("reachable", "failed", 3)
    assert f"kubectl -n {namespace} port-forward svc/prometheus-k8s 9090:9090" in first["text"]


def test_without_any_server_the_cluster_is_looked_at_all_the_same(own_control_plane, tfa):
    ended = tfa("check", "-o", "json", "--kubeconfig", own_control_plane.kubeconfig("admin"))

    assert ended.code == 3
    [finding] = ended.json["sections"][0]["findings"]
    assert (finding["check"], finding["status"]) == ("server-found", "failed")
    assert "no Service of the cluster has the labels of Prometheus" in finding["text"]
    assert status(findings(ended), "reachable") == "ok"
