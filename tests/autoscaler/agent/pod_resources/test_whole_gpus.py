"""The kubelet first, its file where it does not answer."""

import json

import pytest

from autoscaler.agent.pod_resources.whole_gpus import WholeGpuReader
from tests.autoscaler.agent.pod_resources.kubelet_double import (
    container,
    devices,
    kubelet_at,
    pod,
)


@pytest.fixture
def socket(tmp_path):
    return tmp_path / "kubelet.sock"


@pytest.fixture
def file(tmp_path):
    written = tmp_path / "checkpoint"
    entry = {"PodUID": "u", "ResourceName": "nvidia.com/gpu", "DeviceIDs": {"0": ["GPU-2"]}}
    written.write_text(json.dumps({"Data": {"PodDeviceEntries": [entry]}}))
    return written


@pytest.fixture
def reader(socket, file):
    return WholeGpuReader(socket=socket, checkpoint_file=file)


def pods(reading):
    return [each.pod for each in reading.allocations]


def test_the_kubelet_is_asked_first(reader, socket):
    with kubelet_at(socket) as kubelet:
        kubelet.answer = pod("a", container(devices("nvidia.com/gpu", "GPU-1")))
        assert pods(reader.read()) == ["default/a"]


def test_its_file_counts_where_it_does_not_answer(reader):
    reading = reader.read()
    assert (pods(reading), reading.problem) == (["u"], "")


def test_where_neither_tells_anything_both_reasons_are_told(reader, socket, file):
    file.unlink()
    reading = reader.read()
    assert reading.allocations == ()
    assert f"does not answer on {socket}" in reading.problem
    assert f"{file} cannot be read" in reading.problem


def test_a_lasting_problem_is_logged_once(reader, caplog):
    reader.read()
    reader.read()
    assert len(caplog.records) == 1
