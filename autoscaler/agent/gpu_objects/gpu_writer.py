"""Brings the ``GPU`` objects of this node to what its devices are.

Objects are never removed here: one whose GPU was lost says so, its workers stay where they are, and
it goes with its node, or when whoever took the card out deletes it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from autoscaler.agent.devices.device import Device
from autoscaler.agent.devices.node_devices import NOT_SHOWN, Inventory
from autoscaler.agent.gpu_objects.gpu_object import (
    HOSTNAME,
    OWNER,
    gpu_name,
    lost_status,
    new_gpu,
    present_status,
)
from autoscaler.agent.pod_resources.held_gpus import held_gpus
from autoscaler.agent.pod_resources.whole_gpus import WholeGpus
from autoscaler.api.names import MANAGED_BY
from autoscaler.errors import (
    AlreadyExistsError,
    AutoscalerError,
    ConflictError,
    NotFoundError,
)
from autoscaler.kube.api_server import ApiServer
from autoscaler.kube.resource import GPUS, NODES
from autoscaler.kube.store import Object, Store
from autoscaler.kube.writer import Writer

GONE = f"{NOT_SHOWN}; delete this object if the GPU was taken out"


class GpuObjectError(AutoscalerError):
    """GPUs could not be told of; the text names each with its reason."""


class GpuWriter:
    """Writes the objects of one node; one thread at a time."""

    def __init__(
        self,
        node: str,
        api: ApiServer,
        writer: Writer,
        shown: Store,
        *,
        whole_gpus: Callable[[], WholeGpus],
    ) -> None:
        self._node = node
        self._api = api
        self._writer = writer
        self._shown = shown
        """Has the objects that are labelled as this node's, once it is synced."""
        self._whole_gpus = whole_gpus
        self._known_whole = WholeGpus()
        """The last reading that told something."""

    def tell(self, inventory: Inventory) -> None:
        """Write what is new of all GPUs, each for itself; ``shown`` must be synced.

        Raises a ``KubeError`` where the node cannot be read, and ``GpuObjectError`` that names the
        GPUs that could not be written; the others were.
        """
        node = self._api.get(NODES, self._node, is_metadata_only=True)
        hostname = str((node["metadata"].get("labels") or {}).get(HOSTNAME) or self._node)
        holders = self._holders(inventory)
        present = {gpu_name(device): device for device in inventory.devices}
        writes: dict[str, Callable[[], None]] = {
            name: partial(
                self._write_present,
                device,
                node,
                present_status(device, hostname, holders.get(device.uuid)),
            )
            for name, device in present.items()
        }
        why = "; ".join(inventory.problems) or GONE
        for gpu in self._shown.sorted():
            name = gpu["metadata"]["name"]
            if name not in present:
                writes[name] = partial(self._write_status, gpu, lost_status(gpu, why))
        _all(writes)

    def _holders(self, inventory: Inventory) -> Mapping[str, str]:
        reading = self._whole_gpus()
        if not reading.problem:
            self._known_whole = reading
        return held_gpus(self._known_whole.allocations, inventory.devices)

    def _write_present(self, device: Device, node: Object, status: dict[str, Any]) -> None:
        shown = self._shown.get(None, gpu_name(device))
        self._write_status(shown or self._made(device, node), status)

    def _made(self, device: Device, node: Object) -> Object:
        """Make the object of a device; what is shown may be behind, or it is another node's."""
        try:
            return self._writer.write(lambda api: api.create(GPUS, new_gpu(device, node)))
        except AlreadyExistsError:
            return self._newest(gpu_name(device))

    def _write_status(self, shown: Object, status: dict[str, Any]) -> None:
        try:
            self._writer.write_status(GPUS, shown, status, OWNER)
        except ConflictError:
            # The controller writes the same objects; it alone would not change what is said here.
            newest = self._newest(shown["metadata"]["name"])
            self._writer.write_status(GPUS, newest, status, OWNER)

    def _newest(self, name: str) -> Object:
        """Return an object of this node.  Raises ``KubeError``, and ``GpuObjectError``."""
        # By a list, which is a right that the agent has anyway.
        found = self._api.pages(GPUS, field_selector=f"metadata.name={name}")
        for gpus, _ in found:
            for gpu in gpus:
                if gpu["metadata"]["name"] == name:
                    self._require_own(gpu)
                    return gpu
        raise NotFoundError(f"GPU {name} was there and is gone")

    def _require_own(self, gpu: Object) -> None:
        labelled = (gpu["metadata"].get("labels") or {}).get(MANAGED_BY)
        if labelled != self._node:
            raise GpuObjectError(
                f"the object has the label {MANAGED_BY}={labelled!r} and not {self._node!r}; "
                "delete it if the card was put into another machine"
            )


def _all(writes: Mapping[str, Callable[[], None]]) -> None:
    failures = []
    for name, write in writes.items():
        try:
            write()
        except AutoscalerError as error:
            failures.append(f"GPU {name}: {error}")
    if failures:
        raise GpuObjectError("; ".join(failures))
