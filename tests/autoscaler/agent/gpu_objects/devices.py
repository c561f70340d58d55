"""Devices as the node of the tests has them."""

from autoscaler.agent.devices.device import Device

NODE = "gpu-node"


def uuid(number: int) -> str:
    return f"GPU-0000000A-0000-0000-0000-{number:012d}"


def device(number: int = 1, **facts) -> Device:
    described = {
        "uuid": uuid(number),
        "index": number - 1,
        "minor": number - 1,
        "gpu_model": "NVIDIA A100-SXM4-80GB",
        "model": "A100",
        "tflops": 312.0,
        "vram_bytes": 79 * 2**30,
        "is_derived": False,
        "is_mig": False,
        "numa_node": 1,
        **facts,
    }
    return Device(**described)
