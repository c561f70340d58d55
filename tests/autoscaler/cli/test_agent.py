import socket

import pytest

from autoscaler.agent.backstops.policy import Backstop
from autoscaler.cli.agent_run import AgentFlags
from autoscaler.logs import LogFormat
from recommender.gpu_models import GpuModel


def flags(**changes):
    values = {
        "node": "node-1",
        "standalone": None,
        "kubelet_root": None,
        "nvml": None,
        "burst": "0s",
        "in_flight": "0s",
        "counts_contexts": True,
        "backstop": Backstop.LOG,
        "inventory": "30s",
        "address": None,
        "health_port": 8080,
        "config": None,
        "kubeconfig": None,
        "log_format": LogFormat.TEXT,
    }
    return AgentFlags(**{**values, **changes})


def test_durations_become_seconds():
    found = flags(burst="50ms", in_flight="20ms", inventory="1m", counts_contexts=False)

    assert (found.rules.burst_s, found.rules.inflight_s, found.inventory_s) == (0.05, 0.02, 60.0)
    assert found.rules.counts_contexts is False


def test_gpu_models_come_from_the_settings_that_all_commands_share(tmp_path):
    file = tmp_path / "settings.yaml"
    file.write_text("report: {since: 7d}\ngpuModels: {Own 1: {tflops: 100, vram: 16Gi}}\n")

    [model] = flags(config=file).gpu_models

    assert model == GpuModel("Own 1", 100.0, 16 * 2**30, (), f"{file}: gpuModels")
    assert flags().gpu_models == ()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("gpuModels: {Own: {tflops: 0, vram: 1Gi}}", "amounts above 0"),
        ("gpuModels: [Own]", "a mapping of model name"),
        ("just text", "a mapping is expected"),
        ("gpuModels: {", "is no YAML"),
    ],
)
def test_wrong_gpu_models_end_the_command_with_their_place(tfa, tmp_path, text, message):
    file, workers = tmp_path / "settings.yaml", tmp_path / "workers.yaml"
    workers.write_text("workers: []")
    file.write_text(text)

    ended = tfa("agent", f"--standalone={workers}", f"--config={file}")

    assert ended.code == 2
    assert str(file) in ended.err
    assert message in ended.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--burst=soon"], "--burst: 'soon' is not valid"),
        (["--burst=11s"], "--burst: 11s is not valid; allowed: 0s to 10s"),
        (["--in-flight=-1s"], "--in-flight: -1s is not valid; allowed: 0s to 1s"),
        (["--inventory=10ms"], "--inventory: 10ms is not valid; allowed: 1s and longer"),
        (["--node=Not a node"], "--node"),
        (["--backstop=hope"], "hope"),
        (["--backstop=evict"], "--backstop: evict is not valid with --standalone; allowed: off"),
        (["--health-port=0"], "--health-port"),
        (["--config=missing.yaml"], "missing.yaml: cannot be read: No such file or directory"),
        (["--kubeconfig=any"], "--kubeconfig: not with --standalone, which is without Kubernetes"),
    ],
    ids=" ".join,
)
def test_a_wrong_argument_is_named_with_what_is_allowed(tfa, tmp_path, arguments, message):
    workers = tmp_path / "workers.yaml"
    workers.write_text("workers: []")

    ended = tfa("agent", f"--standalone={workers}", *arguments)

    assert ended.code == 2
    assert message in ended.err
    assert "Traceback" not in ended.err


def test_a_file_of_workers_that_is_not_there_ends_the_command(tfa, tmp_path):
    ended = tfa("agent", f"--standalone={tmp_path / 'workers.yaml'}")

    assert ended.code == 3
    assert f"{tmp_path / 'workers.yaml'}: cannot be read: No such file" in ended.err


def test_without_a_cluster_the_other_way_is_named(tfa):
    ended = tfa("agent", "--node=node-1")

    assert ended.code == 2
    assert "no API server is named" in ended.err


def test_the_node_has_the_name_of_the_host_where_none_is_given():
    assert flags(node=None).node_name == socket.gethostname().lower()


def test_help_shows_the_command_and_its_view(tfa):
    ended = tfa("agent", "--help")

    assert ended.code == 0
    assert "--standalone" in ended.out
    assert "top" in ended.out
