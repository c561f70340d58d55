"""``tfa apply`` on a real cluster: what it writes, what it leaves alone, and who may use it."""

from __future__ import annotations

import json
import sys
from io import StringIO

import pytest

from autoscaler.api.names import API_VERSION, GENERATED_FROM, PREFIX
from autoscaler.applying.writing import FIELD_MANAGER
from autoscaler.clock import SystemClock
from autoscaler.kube.process_rights import APPLY_ROLE
from recommender.report.jsonform import render_json
from tests.autoscaler.applying.reports import item, report, vram_item
from tests.cluster.definitions import DEPLOY
from tests.cluster.identities import TENANT
from tests.cluster.spaces import owning
from tests.cluster.webhook_process import enabled_pod
from tests.components.processes import until

AMOUNTS = {
    "tflops_request": "40",
    "tflops_limit": "80",
    "vram_request": "24Gi",
    "vram_limit": "24Gi",
}
RESOURCES = {
    "requests": {"tflops": "40", "vram": "24Gi"},
    "limits": {"tflops": "80", "vram": "24Gi"},
}
PROFILE = {
    "apiVersion": API_VERSION,
    "kind": "WorkloadProfile",
    "metadata": {"name": "small"},
    "spec": {"resources": RESOURCES},
}
pytestmark = pytest.mark.usefixtures("controller_process")


class Person(StringIO):
    """A terminal with somebody who answers."""

    def isatty(self):
        return True


def deployment(name="chat", **annotations):
    return owning("Deployment", name, enabled_pod(name, **(annotations or AMOUNTS)))


@pytest.fixture
def saved(space, tmp_path):
    """Write a report of now about workloads of the namespace of the test."""

    def saved(*items):
        path = tmp_path / "report.json"
        made = report(*items, generated_s=SystemClock().now_s())
        path.write_text(render_json(made))
        return path

    return saved


@pytest.fixture
def apply(tfa, control_plane):
    """Run ``tfa apply`` as the administrator, or somebody else."""

    def apply(*arguments, user="admin"):
        return tfa("apply", "--kubeconfig", control_plane.kubeconfig(user), *arguments)

    return apply


@pytest.fixture
def chat(space):
    """Have a Deployment whose workload the controller made."""
    space.apply(deployment()).well()
    generated(space, "chat")
    return space


def generated(space, name):
    """Wait for the workload of a Deployment; return it."""

    def found():
        ended = space.kubectl("get", "tensorfusionworkload", name, "-o", "json")
        if ended.code:
            return None
        workload = ended.json
        return workload if (workload.get("status") or {}).get("effective") else None

    return until(found, what=f"the controller made the workload {name}")


def stated(space, name="chat"):
    """Return our annotations of the pod template, without prefix."""
    template = space.get("deployment", name)["spec"]["template"]
    return {
        key.removeprefix(PREFIX): text for key, text in template["metadata"]["annotations"].items()
    }


def version(space, kind="deployment", name="chat"):
    return space.get(kind, name)["metadata"]["generation"]


def chat_items(space):
    return item(namespace=space.name), vram_item(namespace=space.name)


def test_a_template_is_written_and_its_pods_are_made_anew(apply, chat, saved, tmp_path):
    audit = tmp_path / "audit.jsonl"

    ended = apply("--from", saved(*chat_items(chat)), "--yes", "--audit-file", audit)

    assert ended.code == 0, ended.err
    assert stated(chat) == {
        "tflops-request": "12",
        "tflops-limit": "24",
        "vram-request": "16Gi",
        "vram-limit": "16Gi",
    }
    assert f"Deployment {chat.name}/chat: a rollout of 1 pod (written)" in ended.out
    assert f"wrote Deployment {chat.name}/chat: tensor-fusion.ai/tflops-request 40 -> 12" in (
        ended.err
    )
    assert json.loads(audit.read_text())["user"] == "admin"
    shown = chat.kubectl("get", "deployment", "chat", "-o", "json", "--show-managed-fields").json
    assert FIELD_MANAGER in {each["manager"] for each in shown["metadata"]["managedFields"]}
    until(
        lambda: any(
            pod["metadata"]["annotations"].get(f"{PREFIX}declared-tflops-request") == "12"
            for pod in chat.pods("app=chat")
        ),
        what="a pod with the new amounts",
    )


@pytest.mark.parametrize("how", ["client", "server"])
def test_a_dry_run_shows_everything_and_changes_nothing(apply, chat, saved, how):
    before = version(chat)

    ended = apply("--from", saved(*chat_items(chat)), "--dry-run", how)

    assert ended.code == 0, ended.err
    assert "  - tensor-fusion.ai/tflops-request: 40\n" in ended.out
    assert "  + tensor-fusion.ai/tflops-request: 12\n" in ended.out
    assert ended.out.splitlines()[-1] == f"1 object planned (dry run: {how})"
    assert version(chat) == before


@pytest.mark.parametrize(
    ("answer", "code", "tflops"), [("y\n", 0, "12"), ("n\n", 130, "40"), ("", 130, "40")]
)
def test_a_person_is_asked_before_anything_is_written(
    apply, chat, saved, monkeypatch, answer, code, tflops
):
    path = saved(*chat_items(chat))
    monkeypatch.setattr(sys, "stdin", Person(answer))

    ended = apply("--from", path)

    assert (ended.code, stated(chat)["tflops-request"]) == (code, tflops)
    assert "1 object would be written, and 1 pod made anew.\nGo on? [y/N] " in ended.err


def test_a_second_time_there_is_nothing_to_write(apply, chat, saved):
    apply("--from", saved(*chat_items(chat)), "--yes")
    before = version(chat)

    again = apply("--from", saved(*chat_items(chat)), "--yes", "--allow-changed")

    assert (again.code, again.out) == (0, "4 numbers need no change\n")
    assert version(chat) == before


def test_a_profile_is_written_for_all_who_use_it(apply, space, saved):
    uses = {"workload_profile": "small"}
    space.apply(PROFILE, deployment(**uses), deployment("search", **uses)).well()
    for name in ("chat", "search"):
        generated(space, name)
    raised = item(namespace=space.name, request=(40.0, 50.0), limit=(80.0, 90.0))

    ended = apply("--from", saved(raised), "--yes")

    assert ended.code == 0, ended.err
    written = space.get("workloadprofile", "small")["spec"]["resources"]
    assert written == {
        "requests": {"tflops": "50", "vram": "24Gi"},
        "limits": {"tflops": "90", "vram": "24Gi"},
    }
    assert "counts for all its users when their pods start: chat, search (written)" in ended.out


def test_a_profile_is_not_lowered_for_those_who_did_not_ask(apply, space, saved):
    uses = {"workload_profile": "small"}
    space.apply(PROFILE, deployment(**uses), deployment("search", **uses)).well()
    for name in ("chat", "search"):
        generated(space, name)
    path = saved(item(namespace=space.name))

    refused = apply("--from", path, "--yes")
    alone = apply("--from", path, "--yes", "--write-to", "template")

    assert refused.code == 4
    assert "search would get less from WorkloadProfile small too" in refused.out
    assert (alone.code, stated(space)["tflops-request"]) == (0, "12")
    assert space.get("workloadprofile", "small")["spec"]["resources"] == RESOURCES


def test_what_somebody_changed_since_the_report_is_kept(apply, chat, saved):
    path = saved(item(namespace=chat.name, limit=(80.0, 70.0)))
    chat.apply(deployment(**AMOUNTS | {"tflops_request": "60"})).well()

    ended = apply("--from", path, "--yes")

    assert ended.code == 4
    assert "the report saw 40, and 60 is stated now" in ended.out
    assert (stated(chat)["tflops-request"], stated(chat)["tflops-limit"]) == ("60", "70")


def test_an_enrolled_layer_needs_no_apply(apply, space, saved):
    space.apply(deployment(**AMOUNTS, auto_requests="true")).well()
    generated(space, "chat")

    ended = apply("--from", saved(item(namespace=space.name, limit=(80.0, 70.0))), "--yes")

    assert ended.code == 0
    assert "auto-requests is enrolled" in ended.out
    assert (stated(space)["tflops-request"], stated(space)["tflops-limit"]) == ("40", "70")


def test_the_owner_is_found_where_the_report_does_not_name_it(apply, space, saved):
    space.apply(owning("StatefulSet", "llm", enabled_pod("llm", **AMOUNTS))).well()
    workload = generated(space, "llm-statefulset")
    assert workload["metadata"]["annotations"][GENERATED_FROM] == "StatefulSet.apps/llm"

    made = item(namespace=space.name, workload="llm-statefulset", owner=None)
    ended = apply("--from", saved(made), "--yes")

    assert (ended.code, f"StatefulSet {space.name}/llm: a rollout" in ended.out) == (0, True)


def test_what_admission_refuses_is_seen_by_the_dry_run(apply, chat, saved, control_plane):
    policy = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": f"frozen-{chat.name}"},
        "spec": {
            "matchConstraints": {
                "resourceRules": [
                    {
                        "apiGroups": ["apps"],
                        "apiVersions": ["v1"],
                        "operations": ["UPDATE"],
                        "resources": ["deployments"],
                    }
                ]
            },
            "validations": [{"expression": "false", "message": "frozen for the holidays"}],
        },
    }
    binding = {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": {"name": f"frozen-{chat.name}"},
        "spec": {
            "policyName": f"frozen-{chat.name}",
            "validationActions": ["Deny"],
            "matchResources": {
                "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": chat.name}}
            },
        },
    }
    path = saved(*chat_items(chat))
    chat.apply(policy, binding).well()
    try:
        ended = until(
            lambda: (tried := apply("--from", path, "--dry-run", "server")).code == 3 and tried,
            what="the policy is in force",
        )
    finally:
        for kind in ("validatingadmissionpolicybinding", "validatingadmissionpolicy"):
            control_plane.kubectl("delete", kind, f"frozen-{chat.name}").well()

    assert "frozen for the holidays" in ended.out
    assert stated(chat)["tflops-request"] == "40"


def test_the_shipped_role_is_enough_and_counts_where_it_is_bound(apply, chat, saved):
    path = saved(*chat_items(chat))

    refused = apply("--from", path, "--yes", user=TENANT)
    chat.kubectl("apply", "-f", str(DEPLOY / "kustomize" / "apply")).well()
    bind = ("create", "rolebinding", "apply", f"--clusterrole={APPLY_ROLE}", f"--user={TENANT}")
    chat.kubectl(*bind).well()
    allowed = until(
        lambda: (tried := apply("--from", path, "--yes", user=TENANT)).code == 0 and tried,
        what="the role counts",
    )

    assert (refused.code, "forbidden" in refused.out.lower()) == (3, True)
    assert "(written)" in allowed.out
    assert stated(chat)["vram-limit"] == "16Gi"
