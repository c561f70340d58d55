"""A release of the chart on a cluster, from its install to the end of its data.

The tests of the module tell one story, in this order.
"""

from __future__ import annotations

import json
import shlex
import sys
import threading
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field

import pytest

from autoscaler.api.kinds import KINDS
from autoscaler.api.names import (
    AGENT_NAMESPACE,
    API_VERSION,
    COMPONENT,
    CONTROL_CONFIG_MAP,
    NAMESPACE,
    SCHEMA,
    SCHEMA_LABEL,
)
from autoscaler.kube.resource import PODS
from tests.cluster.agent_process import start_agent
from tests.cluster.chart_image import account_values, image_values, write_program
from tests.cluster.control_plane import start_control_plane
from tests.cluster.helm import CHART, PROMETHEUS, Helm, setting
from tests.cluster.kubelet import FakeKubelet
from tests.cluster.nodes import temporary_node
from tests.cluster.page_shell import PageShell, page_shell
from tests.cluster.rest import Rest, RestError
from tests.cluster.spaces import Space, owning
from tests.cluster.test_chart import VALUES
from tests.cluster.test_leaving import Person
from tests.cluster.webhook_process import enabled_pod, filled_configurations, is_asked
from tests.components.fixtures import needed_program
from tests.components.processes import LOOPBACK, free_port, status_of, until
from tests.components.programs import CLUSTER_PROGRAMS
from tests.components.servers import scrape_config, start_exporter, start_prometheus
from tests.components.worker_metrics import TFLOPS
from tests.components.worker_series import worker_labels
from tests.fakes.gpu.cards import CardTraits, make_cards
from tests.pages import blocks, replaced
from tests.pages import without as left_out

AMOUNTS = {"is_local_gpu": "true", "tflops_limit": "10", "vram_limit": "4Gi"}
TEAM, NODE, GPU_NODE = "team", "node", "node-with-gpus"
PAGE, IMAGE = "install.md", "image.repository=images.example.com/tensor-fusion-autoscaler"
USE = [{"labels": worker_labels(TEAM, "chat", "chat-0"), "values": {TFLOPS.name: 20.0}}]
"""What the Prometheus of the story measures."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Story:
    """A cluster of its own, and the release on it."""

    helm: Helm
    space: Space
    """Of a team that uses it."""
    values: tuple[str, ...]
    shell: PageShell

    def page(self, section, index=0, *, images=()):
        """Return commands of the page; ``images`` are values in place of the images it names."""
        commands = blocks(PAGE, section, "console")[index]
        if not images:
            return commands
        return replaced(commands, f"--set {IMAGE}", shlex.join(setting(images)))

    @property
    def plane(self):
        return self.space.plane

    def ours(self, kind, name):
        """Return an object of the installation's namespace."""
        return self.plane.kubectl("-n", NAMESPACE, "get", kind, name, "-o", "json").json

    def pods(self, component):
        """Return the ready pods of a process."""
        selector = f"app.kubernetes.io/component={component}"
        words = ("-n", NAMESPACE, "get", "pods", "-l", selector, "-o", "json")
        return [
            pod
            for pod in self.plane.kubectl(*words).json["items"]
            if any(
                each["type"] == "Ready" and each["status"] == "True"
                for each in pod["status"].get("conditions", [])
            )
        ]


@pytest.fixture(scope="module")
def story(tmp_path_factory, prometheus_binaries):
    for name in (*CLUSTER_PROGRAMS, "helm"):
        needed_program(name)
    folder = tmp_path_factory.mktemp("release")
    with (
        start_control_plane(folder) as plane,
        start_exporter(folder / "exporter", USE) as exporter,
        start_prometheus(folder / "prometheus", config=scrape_config(exporter.url)) as prometheus,
        temporary_node(plane, NODE),
        FakeKubelet(plane, [NODE], folder / "kubelet"),
    ):
        plane.kubectl("create", "namespace", TEAM).well()
        values = (
            "profile=full",
            # As the page names it: where an upgrade names another, the webhook is exchanged.
            "limiterImage=images.example.com/tensor-fusion-limiter:0.1.0",
            f"prometheus.url={prometheus.url}",
            *image_values(write_program(plane, folder)),
            *account_values(plane),
        )
        yield Story(
            helm=Helm(folder=folder, plane=plane),
            space=Space(plane=plane, name=TEAM),
            values=values,
            shell=page_shell(plane, folder / "page", "helm"),
        )


@dataclass(frozen=True, slots=True)
class Tries:
    """How pods of a user fared meanwhile."""

    refused: list[str] = field(default_factory=list)
    made: list[str] = field(default_factory=list)


@contextmanager
def pods_all_the_time(plane):
    """Have the API server judge pods with and without our label, until the end of the context."""
    tries, is_over = Tries(), threading.Event()
    plain = enabled_pod("plain")
    plain["metadata"]["labels"] = {}

    def judge():
        with closing(Rest(plane)) as rest:
            while not is_over.is_set():
                for pod in (plain, enabled_pod("ours", **AMOUNTS)):
                    name = pod["metadata"]["name"]
                    try:
                        rest.request("POST", f"{PODS.path(namespace=TEAM)}?dryRun=All", pod)
                        tries.made.append(name)
                    except RestError as error:
                        tries.refused.append(f"{name}: {error}")

    thread = threading.Thread(target=judge)
    thread.start()
    try:
        yield tries
    finally:
        is_over.set()
        thread.join()


def test_an_install_runs_and_blocks_no_pod_meanwhile(story):
    with pods_all_the_time(story.plane) as tries:
        *install, label, check = story.page("Everything: full", images=story.values).splitlines(
            keepends=True
        )
        story.shell.well("".join(install))
        until(lambda: is_asked(story.plane), what="the API server asks the webhook")

    assert tries.refused == []
    assert {"plain", "ours"} <= set(tries.made)
    story.shell.well(label)
    [address] = [each for each in story.values if each.startswith("prometheus.url=")]
    checked = story.shell(check, TFA_PROMETHEUS_URL=address.partition("=")[2])
    assert "leader-controller" in checked.stdout
    pool = story.plane.kubectl("get", "gpupool", "default-pool", "-o", "json").json
    assert pool["metadata"]["annotations"]["tensor-fusion.ai/is-default-pool"] == "true"


@pytest.mark.parametrize("component", ["webhook", "controller", "autoscaler"])
def test_a_process_works_under_the_rights_of_the_chart(story, component):
    [pod] = until(lambda: story.pods(component), what=f"the {component} is ready")
    arguments = dict(
        each.split("=", 1) for each in pod["spec"]["containers"][0]["args"] if "=" in each
    )
    logs = story.helm.folder / "kubelet" / "logs"

    health = f"http://{LOOPBACK}:{arguments['--health-port']}"
    until(lambda: status_of(f"{health}/readyz") == 200, what=f"the {component} says it is ready")
    [log] = logs.glob(f"*{pod['metadata']['uid']}*/{component}/0.log")
    assert "forbidden" not in log.read_text(encoding="utf-8").lower()


def test_an_agent_works_under_the_rights_of_the_chart(story):
    folder = story.helm.folder / "agent"
    cards = make_cards(folder / "cards", CardTraits())
    with ExitStack() as stack:
        stack.callback(cards.cards[0].close)
        # It is no node of the kubelet, which would end the pod that the token belongs to.
        stack.enter_context(temporary_node(story.plane, GPU_NODE))
        agent = start_agent(story.plane, GPU_NODE, cards, folder, is_installed=True)
        now = ("--grace-period=0", "--force")
        stack.callback(story.plane.kubectl, "delete", "pods", "-n", AGENT_NAMESPACE, "--all", *now)
        stack.callback(agent.process.stop)
        stack.callback(story.plane.kubectl, "delete", "gpus", "--all")
        until(lambda: story.plane.kubectl("get", "gpus").out, what="the GPU object is there")

        assert "forbidden" not in agent.process.log().lower()


def test_a_second_installation_is_refused_with_the_name_of_the_first(story):
    second = story.helm.install(*story.values, release="another")

    assert second.code == 1
    assert "release tfa is this cluster's installation already" in second.err
    assert "allowed: helm upgrade tfa" in second.err


def test_full_does_not_become_less_by_an_upgrade(story):
    ended = story.helm.upgrade(*story.values, "profile=recommend-only")

    assert ended.code == 1
    assert "full is installed, and recommend-only has nobody who lets its waiting" in ended.err


def test_an_upgrade_and_a_roll_back_keep_the_webhook_and_what_users_set(story):
    label = '{"metadata": {"labels": {"of": "a-user"}}}'
    story.plane.kubectl("patch", "gpupool", "default-pool", "--type=merge", "-p", label).well()
    paused = '{"data": {"paused": "true"}}'
    control = ("configmap", CONTROL_CONFIG_MAP)
    story.plane.kubectl("-n", NAMESPACE, "patch", *control, "--type=merge", "-p", paused).well()
    before = filled_configurations(story.plane)

    with pods_all_the_time(story.plane) as tries:
        story.helm.upgrade(*story.values, "mode=apply").well()
        upgraded = story.ours(*control)["data"]
        story.helm.run("rollback", "tfa", "1").well()

    assert (tries.refused, filled_configurations(story.plane)) == ([], before)
    assert upgraded == {"mode": "apply", "paused": "true"}
    assert story.ours(*control)["data"] == {"paused": "true"}
    pool = story.plane.kubectl("get", "gpupool", "default-pool", "-o", "json").json
    assert pool["metadata"]["labels"] == {"of": "a-user"}


def test_an_upgrade_and_a_roll_back_as_the_page_has_them(story):
    before = story.ours("deployment", "tensor-fusion-webhook")["spec"]

    story.shell.well(story.page("Upgrade and roll back"))

    assert story.ours("deployment", "tensor-fusion-webhook")["spec"] == before


def test_a_switch_that_somebody_changed_by_hand_is_told_and_not_overwritten(story):
    def switch(mode):
        data = json.dumps({"data": {"mode": mode}})
        words = ("patch", "configmap", CONTROL_CONFIG_MAP, "--type=merge", "-p", data)
        story.plane.kubectl("-n", NAMESPACE, *words).well()

    story.helm.upgrade(*story.values, "mode=apply").well()
    switch("recommend")
    refused = story.helm.upgrade(*story.values, "mode=apply")
    kept = story.ours("configmap", CONTROL_CONFIG_MAP)["data"]["mode"]
    switch(None)
    story.helm.upgrade(*story.values).well()

    assert (refused.code, kept) == (1, "recommend")
    assert 'conflict with "kubectl-patch" using v1: .data.mode' in refused.err


def test_an_uninstall_leaves_nobody_waiting_and_keeps_what_users_wrote(story):
    profile = {"apiVersion": API_VERSION, "kind": "WorkloadProfile", "metadata": {"name": "small"}}
    pods = (
        owning("Deployment", "web", enabled_pod("web", **AMOUNTS)),
        enabled_pod("bare", **AMOUNTS),
    )
    story.space.apply(profile, *pods).well()
    gated = story.space.awaited_pods(2)
    assert all(pod["spec"]["schedulingGates"] for pod in gated)

    with pods_all_the_time(story.plane) as tries:
        story.helm.run("uninstall", "tfa").well()

    assert tries.refused == []
    [web] = until(lambda: bound(story, "app=web"), what="the Deployment's pod is scheduled")
    assert COMPONENT not in web["metadata"]["labels"]
    assert "schedulingGates" not in story.space.get("pod", "bare")["spec"]
    assert story.space.get("workloadprofile", "small")["metadata"]["name"] == "small"
    assert finalizers(story.plane) == []


def test_of_the_cluster_s_objects_the_kinds_alone_stay(story):
    left = {
        f"{kind}/{each['metadata']['name']}"
        for kind in CLUSTER_WIDE
        for each in story.plane.kubectl("get", kind, "-o", "json").json["items"]
        if "tensor-fusion" in each["metadata"]["name"]
    }

    assert left == {f"customresourcedefinitions/{kind.full_name}" for kind in KINDS}


CLUSTER_WIDE = (
    "clusterroles",
    "clusterrolebindings",
    "customresourcedefinitions",
    "mutatingwebhookconfigurations",
    "priorityclasses",
    "validatingadmissionpolicies",
    "validatingadmissionpolicybindings",
    "validatingwebhookconfigurations",
)


def test_who_comes_back_finds_everything_and_may_take_another_name(story):
    until(lambda: not agent_namespace(story.plane), what="the namespace of the agents is gone")
    refused = story.helm.install(*story.values, release="again")
    taken = story.helm.run(*("install", "again", CHART, "--take-ownership"), *setting(story.values))

    assert refused.code == 1
    assert 'key "meta.helm.sh/release-name" must equal "again"' in refused.err
    assert (taken.code, taken.err) == (0, "")
    assert story.space.get("workloadprofile", "small")["metadata"]["name"] == "small"


def test_data_stays_while_it_is_installed(story, tfa):
    ended = remove_crds(story, tfa, "--delete-data", "--yes")

    assert (ended.code, ended.out) == (3, "")
    assert "Deployment tensor-fusion-autoscaler/tensor-fusion-controller works with" in ended.err
    assert "uninstall first: helm uninstall" in ended.err


def test_the_end_of_the_data_has_to_be_said(story, tfa, monkeypatch):
    story.helm.run("uninstall", "again").well()

    unsaid = remove_crds(story, tfa, "--yes")
    unasked = remove_crds(story, tfa, "--delete-data")
    [dry_run, _] = story.page("Uninstall", 1).splitlines()
    planned = story.shell.well(dry_run)
    monkeypatch.setattr(sys, "stdin", Person("n\n"))
    regretted = remove_crds(story, tfa, "--delete-data")

    assert (unsaid.code, "give --delete-data where that is meant" in unsaid.err) == (2, True)
    assert (unasked.code, "give --yes, or --dry-run" in unasked.err) == (2, True)
    assert (regretted.code, regretted.out) == (130, "")
    assert "workloadprofiles.tensor-fusion.ai: will be deleted, with 1 objects" in regretted.err
    assert "workloadprofiles.tensor-fusion.ai: would be deleted, with 1 objects" in planned
    assert story.space.get("workloadprofile", "small")["metadata"]["name"] == "small"


def test_the_end_of_the_data_takes_the_kinds_and_nothing_else(story, tfa):
    story.plane.kubectl("label", "crd", "gpus.tensor-fusion.ai", f"{SCHEMA_LABEL}-").well()

    [_, remove] = story.page("Uninstall", 1).splitlines()
    ended = story.shell(remove)
    again = remove_crds(story, tfa, "--delete-data", "--yes")

    assert ended.returncode == 0, ended.stderr
    assert "workloadprofiles.tensor-fusion.ai: deleted, with 1 objects\n" in ended.stdout
    assert again.out == "The cluster has no definition of ours.\n"
    left = story.plane.kubectl("get", "crd", "-o", "name").out.split()
    assert left == ["customresourcedefinition.apiextensions.k8s.io/gpus.tensor-fusion.ai"]


def test_kinds_of_another_operator_stop_an_install_that_would_replace_them(story):
    refused = story.helm.install(*story.values)

    assert refused.code == 1
    assert "gpus.tensor-fusion.ai is of another operator" in refused.err
    assert f"(it has no label {SCHEMA_LABEL}: {SCHEMA})" in refused.err
    assert "allowed: --set profile=beside-upstream" in refused.err


@pytest.mark.parametrize("profile", ["beside-upstream", "recommend-only"])
def test_other_profiles_live_with_kinds_of_another_operator(story, profile):
    story.helm.install(*VALUES[profile]).well()
    story.helm.upgrade(*VALUES[profile], "image.pullPolicy=Always").well()
    story.helm.run("rollback", "tfa", "1").well()
    kept = story.ours("deployment", "tensor-fusion-autoscaler")
    story.helm.run("uninstall", "tfa").well()

    [container] = kept["spec"]["template"]["spec"]["containers"]
    assert container["imagePullPolicy"] == "IfNotPresent"
    left = story.plane.kubectl("-n", NAMESPACE, "get", "deployments,services", "-o", "name")
    assert left.out == ""


def test_recommend_only_works_without_any_right(story):
    health, page = free_port(), free_port()
    own = (f"--health-port={health}", f"--page-port={page}", f"--bind-address={LOOPBACK}")
    image = [each for each in story.values if each.startswith(("image.", "prometheus."))]

    story.helm.install(*image, f"autoscaler.args={{{','.join(own)}}}").well()
    until(lambda: status_of(f"http://{LOOPBACK}:{health}/readyz") == 200, what="it is ready")
    until(lambda: status_of(f"http://{LOOPBACK}:{page}/") == 200, what="its page is shown")
    story.helm.run("uninstall", "tfa").well()

    assert story.plane.kubectl("-n", NAMESPACE, "get", "serviceaccounts", "-o", "name").out == ""


def test_a_first_look_as_the_page_has_it(story):
    health = free_port()
    own = (f"--health-port={health}", f"--page-port={free_port()}", f"--bind-address={LOOPBACK}")
    image = [each for each in story.values if each.startswith(("image.", "prometheus."))]
    image += [f"autoscaler.args={{{','.join(own)}}}"]
    commands = story.page("A first look: recommend-only", images=image)
    commands = replaced(commands, f"--set {PROMETHEUS}", "")
    # There is no network of pods through which a port could be forwarded.
    commands = left_out(commands, " port-forward ")

    story.shell.well(commands)

    until(lambda: status_of(f"http://{LOOPBACK}:{health}/readyz") == 200, what="it is ready")
    story.shell.well(story.page("Uninstall"))
    assert story.plane.kubectl("get", "namespace", NAMESPACE, "--ignore-not-found").out == ""


def test_beside_an_upstream_operator_as_the_page_has_it(story):
    section = "Beside an upstream operator"
    [values] = blocks(PAGE, section, "yaml")
    (story.shell.folder / "beside.yaml").write_text(values)

    story.shell.well(story.page(section))

    [container] = story.ours("deployment", "tensor-fusion-autoscaler")["spec"]["template"]["spec"][
        "containers"
    ]
    assert "--profile=beside-upstream" in container["args"]
    story.shell.well(story.page("Uninstall"))


def test_an_installation_by_kubectl_is_told_apart(story):
    story.plane.kubectl("create", "namespace", NAMESPACE).well()
    deployment = story.helm.template(*VALUES["recommend-only"]).well().out
    story.plane.kubectl("apply", "-f", "-", stdin=deployment).well()

    refused = story.helm.install(*VALUES["recommend-only"])

    assert refused.code == 1
    assert "an installation that kubectl applied is there already" in refused.err
    assert "kubectl delete -k deploy/kustomize" in refused.err


def remove_crds(story, tfa, *arguments):
    return tfa("crds", "remove", "--kubeconfig", story.plane.admin_kubeconfig, *arguments)


def agent_namespace(plane):
    return plane.kubectl("get", "namespace", AGENT_NAMESPACE, "--ignore-not-found").out


def bound(story, selector):
    """Return the pods that are on a node and are not being deleted."""
    return [
        pod
        for pod in story.space.pods(selector)
        if pod["spec"].get("nodeName") and "deletionTimestamp" not in pod["metadata"]
    ]


def finalizers(plane):
    """Return the objects of our kinds, and pods, that somebody else has to let go."""
    kinds = ",".join(("pods", *(kind.full_name for kind in KINDS)))
    found = plane.kubectl("get", kinds, "--all-namespaces", "-o", "json").json["items"]
    return [each["metadata"]["name"] for each in found if each["metadata"].get("finalizers")]
