"""Which devices are held whole."""

from dataclasses import replace

import pytest

from autoscaler.agent.devices.device import Device
from autoscaler.agent.pod_resources.allocation import Allocation
from autoscaler.agent.pod_resources.held_gpus import held_gpus

FIRST, SECOND, INSTANCE = (
    f"{kind}-00000000-0000-0000-0000-00000000000{digit}"
    for kind, digit in (("GPU", "a"), ("GPU", "b"), ("MIG", "c"))
)
GPU = Device(
    uuid=FIRST,
    index=0,
    minor=4,
    gpu_model="NVIDIA L4",
    model="L4",
    tflops=121.0,
    vram_bytes=24 * 2**30,
    is_derived=False,
    is_mig=False,
)
DEVICES = (
    GPU,
    replace(GPU, uuid=SECOND, index=1, minor=5),
    replace(GPU, uuid=INSTANCE, index=2, minor=6, is_mig=True),
)


def held(device_id, resource="nvidia.com/gpu"):
    allocation = Allocation(resource=resource, device_ids=(device_id,), pod="n/a")
    return set(held_gpus([allocation], DEVICES))


@pytest.mark.parametrize(
    ("device_id", "resource"),
    [
        (FIRST, "nvidia.com/gpu"),
        (FIRST.lower(), "nvidia.com/gpu"),
        (f"{FIRST}::3", "nvidia.com/gpu.shared"),
        (f"{FIRST}-7", "nvidia.com/gpu"),
        (FIRST, "example.com/vgpu"),
        (f"MIG-{FIRST}/1/0", "nvidia.com/mig-1g.10gb"),
        ("0", "nvidia.com/gpu"),
        ("gpu-4", "gpu.nvidia.com"),
    ],
)
def test_all_spellings_of_a_gpu_are_known(device_id, resource):
    assert held(device_id, resource) == {FIRST}


@pytest.mark.parametrize("device_id", [INSTANCE, "gpu-6-mig-1g10gb-19-4"])
def test_an_instance_is_held(device_id):
    assert held(device_id, "gpu.nvidia.com") == {INSTANCE}


@pytest.mark.parametrize(
    ("device_id", "resource"),
    [
        ("GPU-00000000-0000-0000-0000-0000000000ff", "nvidia.com/gpu"),
        ("0", "rdma/hca"),
        ("gpu-4", "gpu.example.com"),
        ("2", "nvidia.com/gpu"),
        ("gpu-9", "gpu.nvidia.com"),
        (FIRST, "tensor-fusion.ai/index_1"),
        ("", "nvidia.com/gpu"),
    ],
)
def test_what_is_not_a_gpu_of_this_node_holds_none(device_id, resource):
    assert held(device_id, resource) == set()


def test_the_first_pod_is_named():
    allocations = [
        Allocation(resource="nvidia.com/gpu", device_ids=(SECOND, FIRST), pod=f"n/{name}")
        for name in "ab"
    ]
    assert held_gpus(allocations, DEVICES) == {FIRST: "n/a", SECOND: "n/a"}
