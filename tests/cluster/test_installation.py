"""The shipped manifests on a fresh cluster: applied once, applied again, and what stays."""

from __future__ import annotations

import json
import os
import re

import pytest
import typer
import yaml

from autoscaler.api.names import (
    AGENT_NAMESPACE,
    CONTROL_CONFIG_MAP,
    NAMESPACE,
    PRIORITY_CLASSES,
    TEMPLATE_WEBHOOK_CONFIGURATION,
    WEBHOOK_CONFIGURATION,
    WEBHOOK_SERVICE,
)
from autoscaler.cli.main import app
from autoscaler.kube.webhook_address import ServiceAddress
from autoscaler.kube.webhook_endpoints import PORT_NAME
from autoscaler.kube.webhook_entries import WEBHOOKS, entry_of
from tests.cluster.control_plane import start_control_plane
from tests.cluster.definitions import DEPLOY
from tests.cluster.page_shell import page_shell
from tests.components.fixtures import needed_program
from tests.components.processes import until
from tests.components.programs import CLUSTER_PROGRAMS
from tests.pages import blocks

INSTALLATION = DEPLOY / "kustomize"
CONTROLLER = "tensor-fusion-controller"
"""Name of its Deployment, its Service and its disruption budget."""
AUTOSCALER = "tensor-fusion-autoscaler"
"""The same of the autoscaler."""
AGENT = "tensor-fusion-agent"
"""Name of its DaemonSet and of its namespace."""
ONE_ENTRY = entry_of(WEBHOOKS[0], ServiceAddress(), "")


@pytest.fixture(scope="module")
def objects(fresh):
    """Return what is installed, as (kind, name) to object."""
    rendered = fresh.kubectl("kustomize", INSTALLATION).well().out
    return {(each["kind"], each["metadata"]["name"]): each for each in yaml.safe_load_all(rendered)}


@pytest.fixture(scope="module")
def fresh(tmp_path_factory):
    """Start a cluster of its own to which everything was applied."""
    for name in CLUSTER_PROGRAMS:
        needed_program(name)
    folder = tmp_path_factory.mktemp("fresh-cluster")
    with start_control_plane(folder, controllers=False, scheduler=False) as plane:
        [commands] = blocks("webhook.md", "Install", "console")
        page_shell(plane, folder / "shell").well(commands)
        yield plane


def commands():
    """Return the commands of ``tfa`` by name."""
    return typer.main.get_command(app).commands


def test_applying_again_changes_nothing(fresh):
    again = fresh.kubectl("apply", "-k", INSTALLATION).well()
    lines = fresh.kubectl("diff", "-k", INSTALLATION).out.splitlines()

    assert again.err == ""
    # Whoever applies again is not to wonder what has changed in a policy.
    policies = [line for line in again.out.splitlines() if "admissionpolicy" in line]
    assert policies
    assert [line for line in policies if not line.endswith(" unchanged")] == []
    changed = [line for line in lines if re.match(r"[+-] ", line)]
    # An empty list of webhooks is stored as none, which counts as a change.
    assert [line for line in changed if "generation:" not in line] == []


def test_applying_again_keeps_the_mode_and_the_entries(fresh):
    mode = json.dumps({"data": {"mode": "apply"}})
    control = ("configmap", CONTROL_CONFIG_MAP, "-n", NAMESPACE)
    fresh.kubectl("patch", *control, "--type=merge", "-p", mode).well()
    configuration = ("mutatingwebhookconfiguration", WEBHOOK_CONFIGURATION)
    entries = json.dumps({"webhooks": [ONE_ENTRY]})
    fresh.kubectl("patch", *configuration, "--type=merge", "-p", entries).well()

    fresh.kubectl("apply", "-k", INSTALLATION).well()

    assert fresh.kubectl("get", *control, "-o", "json").json["data"] == {"mode": "apply"}
    kept = fresh.kubectl("get", *configuration, "-o", "json").json
    assert [entry["name"] for entry in kept["webhooks"]] == [ONE_ENTRY["name"]]


@pytest.mark.parametrize("name", [WEBHOOK_SERVICE, CONTROLLER, AUTOSCALER])
def test_our_pods_pass_the_strictest_pod_security(fresh, objects, name):
    pod = objects["Deployment", name]["spec"]["template"]
    made = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {**pod["metadata"], "name": name, "namespace": NAMESPACE},
        "spec": pod["spec"],
    }

    ended = fresh.kubectl("create", "--dry-run=server", "-f", "-", stdin=yaml.safe_dump(made))

    assert (ended.code, ended.err) == (0, "")
    labels = objects["Namespace", NAMESPACE]["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"


def test_the_service_leads_to_the_webhook_where_the_entries_expect_it(objects):
    service = objects["Service", WEBHOOK_SERVICE]
    pod = objects["Deployment", WEBHOOK_SERVICE]["spec"]["template"]
    [port] = [each for each in service["spec"]["ports"] if each["name"] == PORT_NAME]
    [container] = pod["spec"]["containers"]

    assert (service["metadata"]["namespace"], port["port"]) == (NAMESPACE, ServiceAddress().port)
    assert service["spec"]["selector"].items() <= pod["metadata"]["labels"].items()
    assert port["targetPort"] in {each["name"] for each in container["ports"]}


@pytest.mark.parametrize("name", [WEBHOOK_SERVICE, CONTROLLER, AUTOSCALER])
def test_one_process_of_each_is_kept_while_nodes_are_drained(objects, name):
    deployment = objects["Deployment", name]["spec"]
    budget = objects["PodDisruptionBudget", name]["spec"]

    assert (deployment["replicas"], budget["minAvailable"]) == (2, 1)
    assert budget["selector"] == deployment["selector"]
    assert objects["Service", name]["spec"]["selector"] == budget["selector"]["matchLabels"]


@pytest.mark.parametrize(
    ("name", "command"),
    [
        (WEBHOOK_SERVICE, "webhook"),
        (CONTROLLER, "controller"),
        (AUTOSCALER, "autoscaler"),
        (AGENT, "agent"),
    ],
)
def test_our_processes_are_commands_of_the_one_program(objects, name, command):
    kind = "DaemonSet" if name == AGENT else "Deployment"
    [container] = objects[kind, name]["spec"]["template"]["spec"]["containers"]

    assert container["args"][0] == command
    flags = {option for each in commands()[command].params for option in each.opts}
    assert {flag.partition("=")[0] for flag in container["args"][1:]} <= flags


def try_agent(fresh, objects):
    """Have the API server judge a pod of the agent in its namespace."""
    pod = objects["DaemonSet", AGENT]["spec"]["template"]
    made = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {**pod["metadata"], "name": AGENT, "namespace": AGENT_NAMESPACE},
        "spec": pod["spec"],
    }
    return fresh.kubectl("create", "--dry-run=server", "-f", "-", stdin=yaml.safe_dump(made))


def test_the_agent_has_a_namespace_of_its_own_that_lets_it_see_its_node(fresh, objects):
    ended = try_agent(fresh, objects)

    assert (ended.code, ended.err) == (0, "")
    assert objects["DaemonSet", AGENT]["metadata"]["namespace"] == AGENT_NAMESPACE


def test_a_namespace_that_is_not_privileged_refuses_the_agent_for_what_it_needs(fresh, objects):
    level = "pod-security.kubernetes.io/enforce"
    own = objects["Namespace", AGENT_NAMESPACE]["metadata"]["labels"][level]

    def enforce(name):
        return fresh.kubectl(
            "label", "namespace", AGENT_NAMESPACE, f"{level}={name}", "--overwrite"
        )

    enforce("baseline").well()
    try:
        said = until(
            lambda: try_agent(fresh, objects).err, what="the namespace enforces the baseline"
        )
    finally:
        enforce(own).well()
    until(lambda: try_agent(fresh, objects).code == 0, what="the namespace is as it was")

    assert own == "privileged"
    [reasons] = re.findall(r'violates PodSecurity "baseline:latest": (.*)', said)
    named = re.findall(r"hostPID=true|hostPath volumes|DAC_READ_SEARCH|SYS_\w+", reasons)
    assert sorted(set(named)) == [
        "DAC_READ_SEARCH",
        "hostPID=true",
        "hostPath volumes",
    ]
    assert "privileged=true" not in reasons


def test_the_agent_has_no_more_than_it_needs(objects):
    spec = objects["DaemonSet", AGENT]["spec"]["template"]["spec"]
    [container] = spec["containers"]
    security = container["securityContext"]
    mounts = {each["mountPath"]: each for each in container["volumeMounts"]}
    paths = [each["hostPath"]["path"] for each in spec["volumes"] if "hostPath" in each]

    assert security["capabilities"] == {"drop": ["ALL"], "add": ["DAC_READ_SEARCH"]}
    assert (security["readOnlyRootFilesystem"], security["allowPrivilegeEscalation"]) == (
        True,
        False,
    )
    assert {path for path in paths if not mounts[path].get("readOnly")} == {"/var/lib/kubelet/pods"}
    # Volumes of pods that start later than the agent would else stay hidden from it.
    assert mounts["/var/lib/kubelet/pods"]["mountPropagation"] == "HostToContainer"
    assert not spec.get("hostNetwork")
    assert not spec.get("hostIPC")


def test_agents_are_replaced_one_after_the_other_wherever_gpus_are(objects):
    daemon_set = objects["DaemonSet", AGENT]["spec"]
    spec = daemon_set["template"]["spec"]
    [pool] = [each for (kind, _), each in objects.items() if kind == "GPUPool"]

    assert daemon_set["updateStrategy"]["rollingUpdate"] == {"maxUnavailable": 1}
    assert spec["tolerations"] == [{"operator": "Exists"}]
    assert spec["nodeSelector"] == pool["spec"]["nodeSelector"]


@pytest.mark.parametrize(
    ("component", "argument", "capabilities"),
    [("agent-evicts", "--backstop=evict", 1), ("agent-kills", "--backstop=kill", 2)],
)
def test_backstops_are_components(fresh, tmp_path, component, argument, capabilities):
    base = os.path.relpath(INSTALLATION, tmp_path.resolve())
    overlay = {"resources": [base], "components": [f"{base}/components/{component}"]}
    (tmp_path / "kustomization.yaml").write_text(yaml.safe_dump(overlay))

    rendered = yaml.safe_load_all(fresh.kubectl("kustomize", tmp_path).well().out)
    found = {(each["kind"], each["metadata"]["name"]): each for each in rendered}

    [container] = found["DaemonSet", AGENT]["spec"]["template"]["spec"]["containers"]
    assert container["args"][-1] == argument
    assert len(container["securityContext"]["capabilities"]["add"]) == capabilities
    evicts = found.get(("ClusterRole", f"{AGENT}-evicts"), {"rules": []})["rules"]
    allowed = [(rule["resources"], rule["verbs"]) for rule in evicts]
    assert allowed == ([(["pods/eviction"], ["create"])] if component == "agent-evicts" else [])


def test_worker_pods_are_a_component_that_brings_a_right_and_flags(fresh, objects, tmp_path):
    base = os.path.relpath(INSTALLATION, tmp_path.resolve())
    overlay = {"resources": [base], "components": [f"{base}/components/standalone-workers"]}
    (tmp_path / "kustomization.yaml").write_text(yaml.safe_dump(overlay))

    rendered = yaml.safe_load_all(fresh.kubectl("kustomize", tmp_path).well().out)
    found = {(each["kind"], each["metadata"]["name"]): each for each in rendered}

    added = sorted(found.keys() - objects.keys())
    right = f"{CONTROLLER}-standalone-workers"
    assert added == [("ClusterRole", right), ("ClusterRoleBinding", right)]
    assert found["ClusterRole", right]["rules"] == [
        {"apiGroups": [""], "resources": ["pods"], "verbs": ["create"]}
    ]
    endpoint = f"--connection-endpoint=http://{CONTROLLER}.{NAMESPACE}.svc:8080"
    assert added_arguments(objects, found, CONTROLLER) == ["--standalone-workers"]
    assert added_arguments(objects, found, WEBHOOK_SERVICE) == ["--standalone-workers", endpoint]


def added_arguments(objects, changed, name):
    """Return the arguments that the first container of a Deployment has more than before."""
    before, after = (
        each["Deployment", name]["spec"]["template"]["spec"]["containers"][0]["args"]
        for each in (objects, changed)
    )
    assert after[: len(before)] == before
    return after[len(before) :]


def test_the_webhook_configurations_are_shipped_empty(objects):
    found = {name: each["webhooks"] for (kind, name), each in objects.items() if "Webhook" in kind}

    assert found == {WEBHOOK_CONFIGURATION: [], TEMPLATE_WEBHOOK_CONFIGURATION: []}


def test_every_configuration_that_is_filled_is_shipped(objects):
    filled = {(each.configuration.kind, each.configuration_name) for each in WEBHOOKS}

    assert filled == {key for key in objects if "Webhook" in key[0]}


def test_our_priority_classes_evict_nobody(objects):
    classes = {name: each for (kind, name), each in objects.items() if kind == "PriorityClass"}

    assert set(classes) == set(PRIORITY_CLASSES.values())
    assert {each["preemptionPolicy"] for each in classes.values()} == {"Never"}
    assert not any(each.get("globalDefault") for each in classes.values())


def test_the_documented_overlay_names_other_images(fresh, tmp_path):
    page = (DEPLOY.parent / "docs" / "webhook.md").read_text(encoding="utf-8")
    [overlay] = re.findall(r"```yaml\n(apiVersion: kustomize.*?)```", page, re.DOTALL)
    base = os.path.relpath(INSTALLATION, tmp_path.resolve())
    (tmp_path / "kustomization.yaml").write_text(overlay.replace("../deploy/kustomize", base))

    rendered = fresh.kubectl("kustomize", tmp_path).well().out

    objects = list(yaml.safe_load_all(rendered))
    containers = {
        each["metadata"]["name"]: each["spec"]["template"]["spec"]["containers"][0]
        for each in objects
        if each["kind"] in {"Deployment", "DaemonSet"}
    }
    assert {each["image"] for each in containers.values()} == {
        "images.example.com/tensor-fusion-autoscaler:0.1.0"
    }
    settings = containers[WEBHOOK_SERVICE]["envFrom"][0]["configMapRef"]["name"]
    assert [each["data"] for each in objects if each["metadata"]["name"] == settings] == [
        {"TFA_LIMITER_IMAGE": "images.example.com/tensor-fusion-limiter:0.1.0"}
    ]
