"""The ``GPU`` object of a device, and what the agent says in its status.  Pure.

Pools, what is free, who runs on it and who gives it away are the controller's to say.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from autoscaler.agent.devices.device import Device
from autoscaler.api.names import API_VERSION, MANAGED_BY, FieldManager
from autoscaler.kube.status_apply import StatusOwner
from recommender.quantities import format_quantity, format_tflops

HOSTNAME = "kubernetes.io/hostname"
RUNNING, HELD, LOST = "Running", "Pending", "Unknown"
"""Workers are placed on a GPU that is Running only."""
SOFT = "soft"
"""Workers are kept apart by the limiter in each of them."""
OWNER = StatusOwner(
    field_manager=FieldManager.AGENT,
    fields=frozenset(
        {
            "phase",
            "vendor",
            "gpuModel",
            "model",
            "uuid",
            "index",
            "numaNode",
            "nodeSelector",
            "isolationMode",
            "message",
            "capacity",
        }
    ),
)


def gpu_name(device: Device) -> str:
    """Return the name of a device's object."""
    return device.uuid.lower()


def new_gpu(device: Device, node: Mapping[str, Any]) -> dict[str, Any]:
    """Return the object of a device, to be made; it goes with its node, of which it is told."""
    name = node["metadata"]["name"]
    owner = {"apiVersion": "v1", "kind": "Node", "name": name, "uid": node["metadata"]["uid"]}
    return {
        "apiVersion": API_VERSION,
        "kind": "GPU",
        "metadata": {
            "name": gpu_name(device),
            "labels": {MANAGED_BY: name},
            "ownerReferences": [owner],
        },
    }


def present_status(device: Device, hostname: str, holder: str | None) -> dict[str, Any]:
    """Return the agent's part of the status of a device that is there.

    ``hostname`` is its node's, and ``holder`` the pod that has it whole, if one has.
    """
    message = _held(holder) if holder else _remark(device)
    return {
        "phase": HELD if holder else RUNNING,
        "vendor": device.vendor,
        "gpuModel": device.gpu_model,
        "model": device.model,
        "uuid": device.uuid,
        "index": device.index,
        "numaNode": device.numa_node,
        "nodeSelector": {HOSTNAME: hostname},
        "isolationMode": SOFT,
        "capacity": _capacity(device),
        **({"message": message} if message else {}),
    }


def lost_status(shown: Mapping[str, Any], why: str) -> dict[str, Any]:
    """Return the agent's part of the status of a GPU that is not there, else as it was shown."""
    return {**OWNER.part_of(shown.get("status") or {}), "phase": LOST, "message": why}


def _capacity(device: Device) -> dict[str, str]:
    """Return what is known of the amounts; what is not is absent, never zero."""
    tflops = {"tflops": format_tflops(device.tflops)} if device.tflops > 0 else {}
    vram = format_quantity(Decimal(device.vram_bytes), "binary")
    return {**tflops, "vram": vram}


def _held(holder: str) -> str:
    return f"given whole to pod {holder} by the kubelet: no worker can be placed on it"


def _remark(device: Device) -> str:
    how = f"state them as gpuModels of {device.gpu_model!r} in the agent's settings"
    if not device.tflops:
        return f"the peak FP16 TFLOPS are not known, so no worker can be placed on it: {how}"
    if device.is_derived:
        return f"the peak FP16 TFLOPS are derived from cores and clock; {how} to be exact"
    return ""
