"""Commands of the pages on an installation that runs, word for word but for addresses.

Left out is what needs a kubelet: logs, and forwarding of ports.
"""

from __future__ import annotations

import json
import shutil
import time
from functools import reduce

import numpy as np
import pytest
import yaml

from autoscaler.api.names import CONTROL_CONFIG_MAP, NAMESPACE
from tests.cluster.definitions import DEPLOY, install_definitions
from tests.cluster.live_world import some_ticks
from tests.cluster.page_shell import page_shell
from tests.cluster.spaces import Space, owning
from tests.cluster.webhook_process import enabled_pod, is_asked
from tests.components.processes import until
from tests.fakes.prometheus import FakePrometheus, served
from tests.pages import BEFORE_THE_FIRST_HEAD, README, blocks, replaced
from tests.pages import without as left_out

TEAM, OTHER = "team-a", "team"
GIB = 2.0**30
AMOUNTS = {"tflops_request": "40", "tflops_limit": "80", "vram_request": "24Gi"}
AMOUNTS |= {"vram_limit": "24Gi", "is_local_gpu": "true"}
CHAT = owning("Deployment", "chat", enabled_pod("chat", **AMOUNTS))
SERVER = "http://prometheus.monitoring:9090"
ANNOTATED = "tensor-fusion.ai/paused"


@pytest.fixture(scope="module")
def team(control_plane, controller_process):
    """Return a namespace with a workload, beside another one."""
    del controller_process
    for name in (TEAM, OTHER):
        control_plane.kubectl("create", "namespace", name).well()
    space = Space(plane=control_plane, name=TEAM)
    space.apply(CHAT).well()
    until(lambda: space.kubectl("get", "tfw", "chat").code == 0, what="there is a workload")
    yield space
    space.kubectl("delete", "deployments,gpuquota,workloadprofiles", "--all").well()
    control_plane.kubectl("delete", "namespace", TEAM, OTHER, "--wait=false").well()


@pytest.fixture
def shell(control_plane, team, tmp_path):
    """Run commands as the administrator, in the namespace of the team."""
    return page_shell(control_plane, tmp_path / "shell", namespace=team.name)


@pytest.fixture(scope="module")
def prometheus():
    """Return the address of a server with the use of the workload until after the tests."""
    server = FakePrometheus()
    now_s = int(time.time())
    ts = np.arange(now_s - 30 * 3600, now_s + 600, 60) + 0.25
    labels = {"namespace": TEAM, "workload": "chat", "worker": "chat-0", "gpu_model": "A100"}
    labels |= {"pool": "main", "uuid": "GPU-0"}
    server.add_worker(ts, tflops=8.0, memory_bytes=6 * GIB, vram_bytes=24 * GIB, **labels)
    with served(server) as url:
        yield url


@pytest.fixture(scope="module")
def autoscaler(installation, team, prometheus):
    """Run an autoscaler that leads, until the end of the module."""
    del team
    arguments = (f"--prometheus-url={prometheus}", "--tick=1s", "--requests-every=2s", "--since=2d")
    process = installation.start_autoscaler(*arguments)
    process.wait_until_leader()
    return process


@pytest.fixture
def control(control_plane):
    """Return what stands in the switches of the installation; they are put back afterwards."""
    words = ("configmap", CONTROL_CONFIG_MAP, "-n", NAMESPACE)
    yield lambda: control_plane.kubectl("get", *words, "-o", "json").json.get("data")
    nothing = json.dumps({"data": {"mode": None, "paused": None}})
    control_plane.kubectl("patch", *words, "--type=merge", "-p", nothing).well()


def test_the_installation_is_switched_to_apply(shell, control):
    [enable] = blocks("enable.md", "From recommendations to changes", "console")
    _, switch = blocks(README, "On a cluster", "console")
    assert switch.strip() in enable

    shown = shell.well(enable)

    assert control() == {"mode": "apply"}
    assert "Kind:         TensorFusionWorkload" in shown


def test_everything_a_pool_and_a_workload_are_paused(shell, control, team):
    [commands] = blocks("controller.md", "Decisions", "console")

    shell.well(commands)

    assert control() == {"paused": "true"}
    for kind, name in (("gpupool", "default-pool"), ("tfw", "chat")):
        assert team.get(kind, name)["metadata"]["annotations"][ANNOTATED] == "true"
        team.kubectl("annotate", kind, name, f"{ANNOTATED}-").well()


def test_a_first_look_at_the_controller(shell):
    [look] = blocks("controller.md", "How it runs", "console")
    [shown] = blocks("controller.md", "Conditions", "console")
    command, head, *_ = shown.removeprefix("$ ").splitlines()
    assert command.endswith("-n team-b")

    assert "tensor-fusion-controller" in shell.well(left_out(look, " logs "))
    found = shell.well(command.replace("team-b", TEAM)).splitlines()
    *columns, _ = head.split()
    assert found[0].split()[: len(columns)] == columns
    assert found[1].split()[0] == "chat"


def test_a_first_look_at_the_autoscaler(shell):
    [commands] = blocks("autoscaler.md", "First steps", "console")

    assert "chat" in shell.well(left_out(commands, " logs ", " port-forward "))


def test_gpus_pools_and_evictions_are_listed(shell):
    [lists] = blocks("placement.md", "Which GPUs there are", "console")
    head = "When more important workers make others go"
    [shown] = blocks("placement.md", head, "console")

    assert "default-pool" in shell.well(lists)
    shell.well(shown.removeprefix("$ ").splitlines()[0])


def test_a_quota_shows_what_is_in_use(shell, team):
    [shown] = blocks("quotas.md", "How it is counted", "console")
    [short] = blocks("custom-resources.md", "Limit a namespace", "console")
    example = DEPLOY / "examples" / "gpu-resource-quota.yaml"
    team.kubectl("apply", "-f", str(example)).well()
    until(lambda: team.get("gpuquota", "team").get("status"), what="it is counted")
    command, *status = shown.removeprefix("$ ").splitlines(keepends=True)

    [quota] = yaml.safe_load(shell.well(command))["items"]

    documented = yaml.safe_load("".join(status))["status"]["used"]
    assert documented.keys() == quota["status"]["used"].keys()
    assert "team" in shell.well(short)
    team.kubectl("delete", "gpuquota", "team").well()


def test_definitions_are_applied_and_the_examples_of_a_workload(shell, control_plane):
    [definitions] = blocks("custom-resources.md", "Install the definitions", "console")
    [share] = blocks("custom-resources.md", "Give a workload a share of a GPU", "console")
    [known] = blocks("custom-resources.md", "See what is known of a workload", "console")

    try:
        shell.well(definitions)
    finally:
        install_definitions(control_plane)
    assert "pytorch-example created" in shell.well(share)
    assert "annotation" in shell.well(known)
    assert len(list((shell.folder / "crds").iterdir())) == 6
    shell.well("kubectl delete deployment pytorch-example")


def test_the_certificate_is_looked_at_and_the_lists_are_emptied(shell, control_plane):
    look, empty = blocks("certificates.md", "What to look at", "console")

    assert "Subject Alternative Name" in shell.well(look)
    shell.well(empty)
    until(lambda: is_asked(control_plane), what="the controller has filled the list again")


def test_the_owner_of_a_namespace_lets_the_key_be_read(shell, control_plane):
    [commands] = blocks("external-scaler.md", "Having an endpoint asked", "console")

    shell.well(commands)

    may = ("auth", "can-i", "get", "secrets/scaler-key", "-n")
    account = "--as=system:serviceaccount:tensor-fusion-autoscaler:autoscaler"
    assert control_plane.kubectl(*may, OTHER, account).out == "yes\n"
    assert control_plane.kubectl(*may, TEAM, account).out == "no\n"


def test_dashboards_are_applied_for_the_sidecar_of_grafana(shell, control_plane):
    [commands] = blocks("dashboards-and-alerts.md", "Import the dashboards", "console")

    assert "serverside-applied" in shell.well(commands)

    folder = DEPLOY / "dashboards"
    control_plane.kubectl("delete", "--ignore-not-found", "-k", folder).well()


def is_seen_as_at_first(team, autoscaler):
    """Apply the manifest again, and wait until the autoscaler has seen that."""
    team.apply(CHAT).well()
    # The workload follows the newest pod, and going back brings the oldest one.
    team.kubectl("rollout", "restart", "deployment", "chat").well()
    until(
        lambda: team.get("tfw", "chat")["spec"]["resources"]["requests"]["tflops"] == "40",
        what="the workload has the amounts of the manifest",
    )
    some_ticks(autoscaler, 2)


def test_what_is_recommended_is_written_into_the_template(shell, team, prometheus, autoscaler):
    [commands] = blocks("apply.md", BEFORE_THE_FIRST_HEAD, "console")
    commands = replaced(commands, "http://autoscaler:8090 ", f"{autoscaler.page_url} ")
    commands = replaced(commands, "http://prometheus:9090 ", f"{prometheus} ")
    report, tries, *writes = commands.splitlines()
    # The name of a workload of the test's.
    writes[1] = replaced(writes[1], "'team-a/chat-*'", "'team-a/chat*'")

    shell.well(report, TFA_PROMETHEUS_URL=prometheus)
    assert "1 object planned (dry run: server)" in shell.well(tries)
    for write in writes:
        is_seen_as_at_first(team, autoscaler)
        assert "(written)" in shell.well(write), write


def test_a_person_of_a_namespace_may_apply_there(shell, control_plane):
    [commands] = blocks("apply.md", "Rights", "console")

    shell.well(commands)

    may = ("auth", "can-i", "patch", "deployments", "--as=alice", "-n")
    assert control_plane.kubectl(*may, TEAM).out == "yes\n"
    assert control_plane.kubectl(*may, OTHER).out == "no\n"


@pytest.fixture
def files(shell, control_plane):
    """Have the files that are checked, all of them sound."""
    folder = shell.folder
    (folder / "manifests").mkdir()
    for name in ("workload-profile", "deployment"):
        shutil.copy(DEPLOY / "examples" / f"{name}.yaml", folder / "manifests")
    shutil.copy(folder / "manifests" / "workload-profile.yaml", folder / "profile.yaml")
    (folder / "tfa.yaml").write_text("report: {since: 7d}\n")
    (folder / "workloads.csv").write_text("namespace,workload,tflops_request\nteam-a,chat,40\n")
    config = json.loads(control_plane.admin_kubeconfig.read_text())
    config["contexts"][0]["name"] = config["current-context"] = "prod"
    (folder / "prod.yaml").write_text(json.dumps(config))


def test_the_surroundings_are_checked(shell, files, prometheus):
    [commands] = blocks("check.md", BEFORE_THE_FIRST_HEAD, "console")
    commands = replaced(commands, f"--prometheus-url {SERVER}", f"--prometheus-url {prometheus}")
    commands = replaced(commands, "http://127.0.0.1:9090", prometheus)
    *surroundings, of_files = commands.splitlines()

    for command in surroundings:
        ended = shell(command, TFA_PROMETHEUS_URL=prometheus)
        # No autoscaler leads, which the check says.
        assert (ended.returncode, "Traceback" in ended.stderr) in {(0, False), (3, False)}, command
        assert "reachable" in ended.stdout, command
        assert ("leader-controller" in ended.stdout) == ("--no-cluster" not in command), command
    shell.well(of_files)


def test_files_and_what_the_cluster_has_are_checked(shell, files, team):
    [commands] = blocks("check.md", "Files", "console")
    team.kubectl("apply", "-f", str(DEPLOY / "examples" / "workload-profile.yaml")).well()

    assert shell.well(commands).strip().endswith("]")


RUNBOOKS = [
    block
    for section in ("Autoscaler", "Webhook", "Controller")
    for block in blocks("runbooks.md", section, "console")
]


def test_the_first_looks_of_the_runbooks(shell, prometheus, autoscaler):
    names = {
        " -n NS ": f" -n {NAMESPACE} ",
        " URL": f" {prometheus}",
        "http://127.0.0.1:8090": autoscaler.page_url,
        "NAMESPACE/WORKLOAD": "team-a/chat",
    }
    commands = [line for block in RUNBOOKS for line in block.splitlines() if " logs " not in line]
    assert len(commands) == 12
    assert [sum(name in command for command in commands) for name in names] == [7, 1, 1, 1]

    for named in commands:
        command = reduce(lambda text, name: text.replace(name, names[name]), names, named)
        ended = shell(command, TFA_PROMETHEUS_URL=prometheus)
        # A check ends with what it found.
        assert ended.returncode in ({0, 3} if command.startswith("tfa check") else {0}), command
        assert ended.stdout or " pods " in command, command
