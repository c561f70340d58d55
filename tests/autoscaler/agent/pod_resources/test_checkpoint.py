"""The kubelet's own file."""

import json

import pytest

from autoscaler.agent.pod_resources.allocation import Allocation, PodResourcesError
from autoscaler.agent.pod_resources.checkpoint import read_checkpoint

UID = "0f3a5c1e-8b7d-4e21-9c40-5d6e7f809a1b"


@pytest.fixture
def file(tmp_path):
    return tmp_path / "kubelet_internal_checkpoint"


def entry(ids):
    return {
        "PodUID": UID,
        "ContainerName": "main",
        "ResourceName": "nvidia.com/gpu",
        "DeviceIDs": ids,
        "AllocResp": "CgA=",
    }


def write(file, entries):
    data = {"PodDeviceEntries": entries, "RegisteredDevices": {"nvidia.com/gpu": ["GPU-1"]}}
    file.write_text(json.dumps({"Data": data, "Checksum": 4711}))


@pytest.mark.parametrize(
    "ids", [["GPU-1", "GPU-2"], {"-1": ["GPU-1", "GPU-2"]}, {"0": ["GPU-1"], "1": ["GPU-2"]}]
)
def test_devices_are_told_with_the_uid_of_their_pod(file, ids):
    write(file, [entry(ids)])
    assert read_checkpoint(file) == (
        Allocation(resource="nvidia.com/gpu", device_ids=("GPU-1", "GPU-2"), pod=UID),
    )


@pytest.mark.parametrize("entries", [None, []])
def test_a_node_where_no_plugin_ran_has_no_allocations(file, entries):
    write(file, entries)
    assert read_checkpoint(file) == ()


def test_an_absent_file_is_an_error_that_names_it(file):
    with pytest.raises(PodResourcesError, match=rf"{file} cannot be read: No such file"):
        read_checkpoint(file)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[]",
        "{}",
        '{"Data": null}',
        '{"Data": {"PodDeviceEntries": [{}]}}',
        '{"Data": {"PodDeviceEntries": [1]}}',
    ],
)
def test_a_file_of_another_shape_is_an_error_that_names_it(file, content):
    file.write_text(content)
    with pytest.raises(PodResourcesError, match=str(file)):
        read_checkpoint(file)
