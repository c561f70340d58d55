"""What the kubelet gave to one container: device IDs, as their plugin or driver spells them."""

from __future__ import annotations

from dataclasses import dataclass

from autoscaler.errors import AutoscalerError


class PodResourcesError(AutoscalerError):
    """The kubelet does not tell what it gave away; the text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Allocation:
    """Devices of one resource, in one container of one pod."""

    resource: str
    """``nvidia.com/gpu`` of a device plugin, or the driver of a resource claim."""
    device_ids: tuple[str, ...]
    pod: str
    """``namespace/name``; from the checkpoint file the UID, as it knows no names."""
