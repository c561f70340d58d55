"""The devices of this node over time: found, lost, and found again, whatever the driver does.

A driver that is not there yet, is exchanged, or loses a GPU is a state that is told, never an error
that ends the agent: what runs on the other GPUs is to be served.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from autoscaler.agent.devices.device import Device
from autoscaler.agent.devices.discovery import SYSFS, Discovery, discover
from autoscaler.agent.devices.nvml import Nvml, NvmlError
from autoscaler.agent.devices.samples import DeviceSample
from autoscaler.agent.devices.sampling import DeviceSampler
from recommender.gpu_models import GpuModel

RETRY_S = 5.0
"""Between two tries to start NVML again."""
NOT_SHOWN = "the driver shows it no more"
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Inventory:
    """What a look has found."""

    devices: tuple[Device, ...] = ()
    """Present, by index."""
    lost: tuple[Device, ...] = ()
    """There since the agent started, and no more; in the order in which they were found."""
    problems: tuple[str, ...] = ()
    """Which GPUs cannot be read, or why the driver does not answer; nothing follows then from what
    is lost."""


_NOTHING = Inventory()
"""Before the first look."""


class NodeDevices:
    """Finds and samples the devices; thread-safe.  No method raises because of the driver."""

    def __init__(
        self,
        nvml: Nvml,
        *,
        overrides: Sequence[GpuModel] = (),
        sysfs: Path = SYSFS,
        monotonic_s: Callable[[], float] = time.monotonic,
        time_s: Callable[[], float] = time.time,
    ) -> None:
        self._nvml = nvml
        self._overrides = tuple(overrides)
        self._sysfs = sysfs
        self._monotonic_s = monotonic_s
        self._time_s = time_s
        self._lock = Lock()
        self._is_started = False
        self._tried_s: float | None = None
        self._known: dict[str, Device] = {}
        """All that was ever found, by UUID."""
        self._samplers: dict[str, DeviceSampler] = {}
        """Of those that are present."""
        self._failing: set[str] = set()
        """Those of them that could not be read at the last sample."""
        self._under_mps: set[str] = set()
        """Those that were ever seen so; a tenant can begin and end it as often as he likes."""
        self._inventory = _NOTHING

    @property
    def inventory(self) -> Inventory:
        """Return what the last look has found."""
        return self._inventory

    def discover(self) -> Inventory:
        """Look for devices; NVML is started anew where none of the known ones can be read."""
        with self._lock:
            if self._samplers and self._failing == self._samplers.keys():
                self._stop()
            self._look()
            return self._inventory

    def sample(self) -> tuple[DeviceSample, ...]:
        """Return a sample of each device that is or was there; where it has a problem, that.

        Where the driver went away it is looked for again, at most every ``RETRY_S`` seconds.
        """
        with self._lock:
            now_s = self._monotonic_s()
            if not self._is_started and (self._tried_s is None or now_s - self._tried_s >= RETRY_S):
                self._look()
            time_us = int(self._time_s() * 1e6)
            return tuple(self._sample(uuid, now_s, time_us) for uuid in list(self._known))

    def close(self) -> None:
        """Give back all that the driver holds for the agent."""
        with self._lock:
            self._stop()

    def _look(self) -> None:
        self._tried_s = self._monotonic_s()
        try:
            if not self._is_started:
                self._nvml.start()
                self._is_started = True
            discovery = discover(self._nvml, self._overrides, self._sysfs)
        except NvmlError as error:
            self._stop()
            discovery = Discovery(found=(), problems=(str(error),))
        self._take(discovery)

    def _take(self, discovery: Discovery) -> None:
        found = {each.device.uuid: each for each in discovery.found}
        for uuid in self._samplers.keys() - found.keys():
            self._quietly(self._samplers.pop(uuid).close, self._nvml)
        for uuid, each in found.items():
            sampler = self._samplers.get(uuid)
            if sampler is not None and sampler.device != each.device:
                self._quietly(sampler.close, self._nvml)
                sampler = None
            self._samplers[uuid] = sampler or DeviceSampler(each)
        self._failing &= found.keys()
        self._known |= {uuid: each.device for uuid, each in found.items()}
        inventory = Inventory(
            devices=tuple(each.device for each in discovery.found),
            lost=tuple(device for uuid, device in self._known.items() if uuid not in found),
            problems=discovery.problems,
        )
        for problem in set(inventory.problems) - set(self._inventory.problems):
            _log.warning("%s", problem)
        if inventory.devices != self._inventory.devices or self._inventory is _NOTHING:
            shown = (f"{each.index} {each.gpu_model} {each.uuid}" for each in inventory.devices)
            _log.info("GPUs: %s", ", ".join(shown) or "none")
        self._inventory = inventory

    def _sample(self, uuid: str, now_s: float, time_us: int) -> DeviceSample:
        sampler = self._samplers.get(uuid)
        if sampler is None:
            problem = "; ".join(self._inventory.problems) or NOT_SHOWN
            return DeviceSample(uuid=uuid, monotonic_s=now_s, problem=problem)
        try:
            sample = sampler.sample(self._nvml, monotonic_s=now_s, time_us=time_us)
        except NvmlError as error:
            if uuid not in self._failing:
                _log.warning("%s cannot be read: %s", uuid, error)
            self._failing.add(uuid)
            if error.is_of_driver:
                self._stop()
                self._take(Discovery(found=(), problems=(str(error),)))
            return DeviceSample(uuid=uuid, monotonic_s=now_s, problem=str(error))
        self._failing.discard(uuid)
        if sample.is_under_mps and uuid not in self._under_mps:
            self._under_mps.add(uuid)
            _log.warning(
                "%s: processes use it through MPS; while they do, a share of it is no share of "
                "time, and the use of time is not judged",
                uuid,
            )
        return sample

    def _stop(self) -> None:
        for sampler in self._samplers.values():
            self._quietly(sampler.close, self._nvml)
        self._samplers.clear()
        if self._is_started:
            self._is_started = False
            self._quietly(self._nvml.stop)

    def _quietly(self, end: Callable[..., None], *arguments: Nvml) -> None:
        """End something of a driver that may be gone itself."""
        try:
            end(*arguments)
        except NvmlError as error:
            _log.debug("a device is left: %s", error)
