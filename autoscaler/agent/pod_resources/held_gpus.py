"""Which of our devices a pod holds whole, by the names that plugins and drivers give them.  Pure.

A device that workers share is never given out so, but a node may have both by mistake, or a GPU
may be reserved for a pool while an older pod still runs on it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from autoscaler.agent.devices.device import Device
from autoscaler.agent.pod_resources.allocation import Allocation
from autoscaler.api.names import PREFIX

VENDOR = "nvidia.com"
UUID = re.compile(r"(?:GPU|MIG)-[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.IGNORECASE)
"""As in ``GPU-…``, ``GPU-…::2`` (time slices), ``MIG-…``, and ``MIG-GPU-…/1/0`` of old drivers."""
CLAIMED = re.compile(r"gpu-(?P<minor>\d+)(?:-mig-.*)?")
"""Of NVIDIA's driver for resource claims; which instance it is, is not told."""


def held_gpus(allocations: Iterable[Allocation], devices: Iterable[Device]) -> Mapping[str, str]:
    """Return UUIDs of devices that pods hold past this project, each with the first such pod."""
    devices = tuple(devices)
    held: dict[str, str] = {}
    for allocation in allocations:
        if allocation.resource.startswith(PREFIX):
            continue
        for device_id in allocation.device_ids:
            for device in _meant(device_id, allocation.resource, devices):
                held.setdefault(device.uuid, allocation.pod)
    return held


def _meant(device_id: str, resource: str, devices: Iterable[Device]) -> Iterator[Device]:
    uuid = UUID.search(device_id)
    if uuid:
        yield from (each for each in devices if each.uuid.lower() == uuid[0].lower())
        return
    if VENDOR not in resource:
        return
    claimed = CLAIMED.fullmatch(device_id)
    if claimed:
        yield from (each for each in devices if each.minor == int(claimed["minor"]))
    elif device_id.isdecimal():
        # Plugins may be told to name GPUs by index.
        yield from (each for each in devices if each.index == int(device_id) and not each.is_mig)
