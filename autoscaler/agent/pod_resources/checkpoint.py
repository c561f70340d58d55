"""The kubelet's own file of what device plugins gave away, for nodes whose kubelet is not asked.

It knows no claims, and keeps pods that have ended until the kubelet looks at them again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson

from autoscaler.agent.pod_resources.allocation import Allocation, PodResourcesError


def read_checkpoint(file: Path) -> tuple[Allocation, ...]:
    """Return all devices that containers of this node have.  Raises ``PodResourcesError``."""
    try:
        content = orjson.loads(file.read_bytes())
    except OSError as error:
        raise PodResourcesError(f"{file} cannot be read: {error.strerror}") from error
    except orjson.JSONDecodeError as error:
        raise PodResourcesError(f"{file} is no JSON: {error}") from error
    try:
        # The file of a node where no plugin ever ran has null here.
        return tuple(_allocation(entry) for entry in content["Data"]["PodDeviceEntries"] or ())
    except (KeyError, TypeError, AttributeError) as error:
        raise PodResourcesError(
            f"{file} is no checkpoint of the kubelet: {type(error).__name__} {error}"
        ) from error


def _allocation(entry: Mapping[str, Any]) -> Allocation:
    return Allocation(
        resource=str(entry["ResourceName"]),
        device_ids=tuple(_ids(entry["DeviceIDs"])),
        pod=str(entry["PodUID"]),
    )


def _ids(told: Any) -> Iterator[str]:
    """Yield device IDs: a list, or from Kubernetes 1.20 on one for each NUMA node."""
    if isinstance(told, Mapping):
        for ids in told.values():
            yield from map(str, ids)
    else:
        yield from map(str, told or ())
