"""Which devices the driver has, each with all that stays true of it.

A GPU that is partitioned (MIG) is not a device itself, as no program can use it: its instances are.
A GPU that cannot be read is told and left out, so that it takes no other with it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from autoscaler.agent.devices.device import UNKNOWN_NUMA_NODE, Device
from autoscaler.agent.devices.nvml import Handle, Nvml, NvmlError, told
from autoscaler.agent.devices.peaks import (
    Chip,
    Peak,
    derived_tflops,
    multiprocessors_of,
    peak_of,
)
from recommender.gpu_models import GpuModel

SYSFS = Path("/sys")


@dataclass(frozen=True, slots=True, kw_only=True)
class FoundDevice:
    """A device, and how NVML calls it until it is stopped."""

    device: Device
    handle: Handle


@dataclass(frozen=True, slots=True, kw_only=True)
class Discovery:
    """What one look has found."""

    found: tuple[FoundDevice, ...]
    """By index; the instances of a GPU in the order of the driver."""
    problems: tuple[str, ...]
    """GPUs that are there and cannot be read."""


def discover(nvml: Nvml, overrides: Sequence[GpuModel] = (), sysfs: Path = SYSFS) -> Discovery:
    """Return the devices of this node.

    ``overrides`` win over the built-in peaks.  Raises ``NvmlError`` where the driver is gone.
    """
    found: list[FoundDevice] = []
    problems: list[str] = []
    for index in range(nvml.device_count()):
        try:
            found += _devices_of(nvml, index, overrides, sysfs)
        except NvmlError as error:
            if error.is_of_driver:
                raise
            problems.append(f"GPU {index} cannot be read: {error}")
    return Discovery(found=tuple(found), problems=tuple(problems))


def _devices_of(
    nvml: Nvml, index: int, overrides: Sequence[GpuModel], sysfs: Path
) -> Iterator[FoundDevice]:
    gpu = nvml.device(index)
    name = nvml.name(gpu)
    chip = _chip_of(nvml, gpu)
    peak = peak_of(name, chip, overrides)
    whole = Device(
        uuid=nvml.uuid(gpu),
        index=index,
        minor=told(lambda: nvml.minor(gpu)),
        gpu_model=name,
        model=peak.model,
        tflops=peak.tflops,
        vram_bytes=_vram_bytes(nvml, gpu),
        is_derived=peak.is_derived,
        is_mig=False,
        numa_node=_numa_node(nvml, gpu, sysfs),
        has_tensor_activity=nvml.has_tensor_activity(gpu),
        highest_clock_tflops=derived_tflops(name, chip) if chip else 0.0,
    )
    instances = nvml.instances(gpu)
    if instances is None:
        yield FoundDevice(device=whole, handle=gpu)
        return
    for instance in instances:
        device = _instance_of(nvml, instance, whole, peak, chip)
        yield FoundDevice(device=device, handle=instance)


def _instance_of(
    nvml: Nvml, instance: Handle, whole: Device, peak: Peak, chip: Chip | None
) -> Device:
    """Return a MIG instance; its peak is the share of its multiprocessors in that of its GPU."""
    name = nvml.name(instance)
    profile = name.removeprefix(whole.gpu_model)
    of_gpu = multiprocessors_of(chip) if chip else 0
    tflops = peak.tflops * nvml.multiprocessors(instance) / of_gpu if of_gpu else 0.0
    return Device(
        uuid=nvml.uuid(instance),
        index=whole.index,
        minor=whole.minor,
        gpu_model=name,
        model=name if profile == name else f"{whole.model}{profile}",
        tflops=tflops,
        vram_bytes=_vram_bytes(nvml, instance),
        is_derived=whole.is_derived,
        is_mig=True,
        numa_node=whole.numa_node,
    )


def _vram_bytes(nvml: Nvml, device: Handle) -> int:
    memory = nvml.memory(device)
    return memory.total_bytes - memory.reserved_bytes


def _chip_of(nvml: Nvml, gpu: Handle) -> Chip | None:
    cores = told(lambda: nvml.cores(gpu))
    clock_mhz = told(lambda: nvml.max_sm_clock_mhz(gpu))
    capability = told(lambda: nvml.compute_capability(gpu))
    if cores is None or clock_mhz is None or capability is None:
        return None
    return Chip(cores=cores, max_sm_clock_mhz=clock_mhz, compute_capability=capability)


def _numa_node(nvml: Nvml, gpu: Handle, sysfs: Path) -> int:
    """Return what the kernel says of the GPU's PCI slot; it has fewer digits for the domain."""
    address = told(lambda: nvml.pci_address(gpu))
    if address is None:
        return UNKNOWN_NUMA_NODE
    domain, _, slot = address.lower().partition(":")
    file = sysfs / "bus/pci/devices" / f"{domain[-4:]}:{slot}" / "numa_node"
    try:
        return max(int(file.read_text(encoding="ascii")), UNKNOWN_NUMA_NODE)
    except (OSError, ValueError):
        # No such file in virtual machines and containers without /sys.
        return UNKNOWN_NUMA_NODE
