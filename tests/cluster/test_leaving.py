"""``tfa leave`` on a real cluster: what waits goes on without us, and what runs is left alone."""

from __future__ import annotations

import json
import sys
from contextlib import closing
from io import StringIO

import pytest

from autoscaler.api.names import API_VERSION, COMPONENT, CONTROLLER_LEASE, NAMESPACE
from autoscaler.kube.api_server import ApiServer
from autoscaler.kube.elector import Elector
from autoscaler.kube.lease import LeaseTimes
from autoscaler.kube.webhook_entries import WEBHOOKS
from autoscaler.workloads.leaving.leaving import Outcome
from tests.cluster.control_plane import start_control_plane
from tests.cluster.definitions import DEPLOY
from tests.cluster.identities import TENANT
from tests.cluster.nodes import temporary_node
from tests.cluster.page_shell import page_shell
from tests.cluster.placement import running_controller
from tests.cluster.spaces import Space, owning
from tests.cluster.webhook_process import enabled_pod, filled_configurations, running_webhook
from tests.components.fixtures import needed_program
from tests.components.processes import until
from tests.components.programs import CLUSTER_PROGRAMS
from tests.pages import BEFORE_THE_FIRST_HEAD, blocks

AMOUNTS = {"is_local_gpu": "true", "tflops_limit": "10", "vram_limit": "4Gi"}
TEAM, NODE, OTHER_GATE = "team", "node", "example.com/licence"


@pytest.fixture(scope="module")
def plane(tmp_path_factory):
    """Start a cluster of its own: leaving is about all pods of a cluster."""
    for name in CLUSTER_PROGRAMS:
        needed_program(name)
    with (
        start_control_plane(tmp_path_factory.mktemp("left-cluster")) as plane,
        running_webhook(plane, tmp_path_factory.mktemp("webhook")) as webhook,
        temporary_node(plane, NODE),
    ):
        plane.kubectl("create", "namespace", TEAM).well()
        plane.kubectl("create", "clusterrolebinding", "v", "--clusterrole=view", f"--user={TENANT}")
        yield plane, webhook


@pytest.fixture
def space(plane):
    """Fill the webhook lists, and make pods that wait and one that runs; clean up afterwards."""
    control_plane, webhook = plane
    webhook.keep()
    space = Space(plane=control_plane, name=TEAM)
    bare = enabled_pod("bare", **AMOUNTS)
    bare["spec"]["schedulingGates"] = [{"name": OTHER_GATE}]
    until(lambda: COMPONENT in labels(space.create(bare, "--dry-run=server")), what="we are asked")
    space.apply(
        {"apiVersion": API_VERSION, "kind": "WorkloadProfile", "metadata": {"name": "small"}},
        owning("Deployment", "web", enabled_pod("web", **AMOUNTS)),
        bare,
    ).well()
    serving = space.create(enabled_pod("serving", **AMOUNTS)).json
    with running_controller(control_plane) as controller:
        controller.place(serving, NODE)
    space.awaited_pods(selector="app=web")
    yield space
    space.kubectl("delete", "deployment,workloadprofile", "--all").well()
    space.kubectl("delete", "pods", "--all", "--grace-period=0", "--force").well()


def labels(created):
    return created.json["metadata"]["labels"] if created.code == 0 else {}


@pytest.fixture
def leave(tfa, plane):
    """Run ``tfa leave`` as the administrator."""

    def leave(*arguments, user="admin"):
        return tfa("leave", "--kubeconfig", plane[0].kubeconfig(user), *arguments)

    return leave


def gates(pod):
    return [gate["name"] for gate in pod["spec"].get("schedulingGates", [])]


def steps(ended):
    """Return (action, name, outcome) of the steps in JSON; names of made pods end at the owner."""
    return sorted(
        (
            each["action"],
            "web" if each["name"].startswith("web-") else each["name"],
            each["outcome"],
        )
        for each in json.loads(ended.out)["steps"]
        if each["kind"] == "Pod"
    )


def test_a_dry_run_says_what_would_be_done_and_changes_nothing(leave, space):
    before = space.pods()

    ended = leave("--dry-run", "-o", "json")

    assert (ended.code, ended.err) == (0, "")
    assert steps(ended) == [("delete", "web", "planned"), ("ungate", "bare", "planned")]
    assert space.pods() == before
    assert len(filled_configurations(space.plane)) == len(WEBHOOKS)


def test_what_waits_goes_on_without_us_and_what_runs_is_left_alone(leave, space):
    serving = space.get("pod", "serving")
    [waiting] = space.pods("app=web")

    ended = leave("--yes", "-o", "json")

    assert (ended.code, ended.err) == (0, "")
    assert steps(ended)[-1] == ("ungate", "bare", "done")
    assert {step[2] for step in steps(ended)} == {str(Outcome.DONE)}
    assert filled_configurations(space.plane) == []
    [anew] = until(
        lambda: ([each for each in space.pods("app=web") if each["spec"].get("nodeName")]),
        what="the Deployment's pod was made anew and scheduled",
    )
    assert anew["metadata"]["uid"] != waiting["metadata"]["uid"]
    assert COMPONENT not in anew["metadata"]["labels"]
    assert gates(space.get("pod", "bare")) == [OTHER_GATE]
    kept = space.get("pod", "serving")
    assert (kept["metadata"]["uid"], kept["metadata"].get("deletionTimestamp")) == (
        serving["metadata"]["uid"],
        None,
    )
    stays = {each["what"]: each["names"] for each in json.loads(ended.out)["stays"]}
    assert stays["running workers"] == ["team/serving"]
    assert stays["WorkloadProfile"] == ["team/small"]
    assert stays["GPUPool"] == ["default-pool"]


class Person(StringIO):
    """A terminal with somebody who answers."""

    def isatty(self):
        return True


@pytest.mark.parametrize("answer", ["n\n", "\n", ""])
def test_a_person_who_does_not_agree_keeps_everything(leave, space, monkeypatch, answer):
    monkeypatch.setattr(sys, "stdin", Person(answer))

    ended = leave()

    assert (ended.code, ended.out) == (130, "")
    assert "3 webhook configurations emptied" in ended.err
    assert "1 waiting bare pods let go without a GPU" in ended.err
    assert "1 running workers stay as they are" in ended.err
    assert ended.err.endswith("nothing was changed\n")
    assert len(filled_configurations(space.plane)) == len(WEBHOOKS)


def test_a_person_who_agrees_is_asked_once(leave, space, monkeypatch):
    monkeypatch.setattr(sys, "stdin", Person("y\n"))

    assert (leave().code, filled_configurations(space.plane)) == (0, [])


def test_leaving_again_finds_nothing_to_do(leave, space):
    leave("--yes")

    again = leave("--yes")

    assert (again.code, again.out.splitlines()[0]) == (0, "Nothing to do.")
    assert filled_configurations(space.plane) == []


def test_the_table_names_every_object(leave, space):
    ended = leave("--yes")

    rows = [line.split() for line in ended.out.splitlines()]
    assert ["ungate", "Pod", "team/bare", "done"] in rows
    assert ["empty", "MutatingWebhookConfiguration", NAMESPACE, "done"] in rows
    assert ["running", "workers", "1"] in rows


def test_a_controller_that_leads_is_to_be_scaled_down_first(leave, space):
    kubeconfig = space.plane.admin_kubeconfig
    api = ApiServer.from_environment(kubeconfig=kubeconfig, user_agent="a-controller")
    # It ends its process once it is late: this one, when the machine stands still for that long.
    times = LeaseTimes(lease_s=60, renew_deadline_s=40.0, retry_s=0.3)
    lost = []
    with closing(api):
        elector = Elector(
            api,
            namespace=NAMESPACE,
            name=CONTROLLER_LEASE,
            identity="one",
            times=times,
            exit_process=lost.append,
        )
        elector.start()
        try:
            until(elector.is_leader, what="the controller leads")
            refused = leave("--yes")
            planned = leave("--dry-run")
            kept = filled_configurations(space.plane)
            forced = leave("--yes", "--force")
        finally:
            elector.stop()

    assert lost == []
    assert (refused.code, refused.out) == (3, "")
    assert f"scale deployment {CONTROLLER_LEASE} --replicas=0" in refused.err
    assert len(kept) == len(WEBHOOKS)
    assert (planned.code, "the controller one leads" in planned.err) == (0, True)
    assert (forced.code, filled_configurations(space.plane)) == (0, [])


def test_who_may_not_look_is_told_before_anything_is_changed(leave, space):
    ended = leave("--yes", user=TENANT)

    assert (ended.code, ended.out) == (3, "")
    assert "forbidden" in ended.err.lower()
    assert len(filled_configurations(space.plane)) == len(WEBHOOKS)


def test_after_leaving_everything_can_be_removed_but_the_definitions(space, tmp_path):
    [commands] = blocks("leaving.md", BEFORE_THE_FIRST_HEAD, "console")
    [uninstall] = blocks("webhook.md", "Uninstall", "console")
    assert {line.partition("#")[0].strip() for line in commands.splitlines()} == {
        "tfa leave --dry-run",
        *uninstall.splitlines(),
    }
    plane = space.plane
    # Nobody here would run the processes, nor end them.
    plane.kubectl("cordon", NODE).well()
    plane.kubectl("apply", "-k", DEPLOY / "kustomize").well()
    try:
        page_shell(plane, tmp_path / "shell").well(commands)
        pod = enabled_pod("afterwards", **AMOUNTS)
        assert gates(space.create(pod).json) == []
        assert space.get("workloadprofile", "small")["metadata"]["name"] == "small"
        assert space.get("pod", "serving")["spec"]["nodeName"] == NODE
    finally:
        plane.kubectl("uncordon", NODE).well()
        # Who runs the webhook of the module empties them.
        configurations = DEPLOY / "kustomize" / "webhook-configurations.yaml"
        plane.kubectl("apply", "-f", configurations).well()
