"""What the agent asks NVML, as a protocol: the library stands behind it, and so do doubles of it.

Handles are opaque and count from one ``start`` to the next ``stop``.  Every call may raise
``NvmlError``; whether a figure that is not told matters is for the caller (``told``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from autoscaler.errors import AutoscalerError

Answer = TypeVar("Answer")
Handle = object
INVALID_ARGUMENT, NOT_SUPPORTED, NO_PERMISSION, NOT_FOUND = 2, 3, 4, 6
FUNCTION_NOT_FOUND, GPU_IS_LOST = 13, 15
UNINITIALIZED, DRIVER_NOT_LOADED, LIBRARY_NOT_FOUND, VERSION_MISMATCH = 1, 9, 12, 18
_NOT_TOLD = {INVALID_ARGUMENT, NOT_SUPPORTED, NO_PERMISSION, NOT_FOUND, FUNCTION_NOT_FOUND}
_NO_DRIVER = {UNINITIALIZED, DRIVER_NOT_LOADED, LIBRARY_NOT_FOUND, VERSION_MISMATCH}


class NvmlError(AutoscalerError):
    """NVML did not do as asked; the text names the call and quotes the library."""

    def __init__(self, text: str, code: int) -> None:
        super().__init__(text)
        self.code = code
        """``nvmlReturn_t``."""

    @property
    def is_not_told(self) -> bool:
        """Return whether this device or driver just has no such figure."""
        return self.code in _NOT_TOLD

    @property
    def is_of_driver(self) -> bool:
        """Return whether NVML must be started again: the driver is gone, or another one came."""
        return self.code in _NO_DRIVER


def told(ask: Callable[[], Answer]) -> Answer | None:
    """Return what NVML tells; None where this device or driver has no such figure.

    Raises ``NvmlError`` where something is wrong.
    """
    try:
        return ask()
    except NvmlError as error:
        if error.is_not_told:
            return None
        raise


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """VRAM of one device."""

    total_bytes: int
    used_bytes: int
    """By programs, where ``reserved_bytes`` is told; else what is reserved is in it."""
    reserved_bytes: int = 0
    """What the driver keeps for itself; 0 where it does not tell that apart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningProcess:
    """A process with a context on a device."""

    pid: int
    memory_bytes: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Utilization:
    """The share of time that a process had a kernel on a device, in one sample of the driver."""

    pid: int
    time_us: int
    """By the clock of the machine, from the epoch."""
    sm_percent: float


class Nvml(Protocol):
    """NVML, in the units of the project; calls come from one thread at a time."""

    def start(self) -> None:
        """Begin; other calls are allowed from now on."""

    def stop(self) -> None:
        """End, so that ``start`` begins anew; all handles are void."""

    def device_count(self) -> int:
        """Return how many GPUs the driver has."""

    def device(self, index: int) -> Handle:
        """Return a GPU."""

    def instances(self, gpu: Handle) -> Sequence[Handle] | None:
        """Return the MIG instances of a GPU; None where MIG is off."""

    def uuid(self, device: Handle) -> str:
        """Return its UUID, with ``GPU-`` or ``MIG-`` before it."""

    def name(self, device: Handle) -> str:
        """Return the full name of its model."""

    def minor(self, gpu: Handle) -> int:
        """Return the number in the name of its device file."""

    def pci_address(self, gpu: Handle) -> str:
        """Return its address, as ``00000000:3B:00.0``."""

    def cores(self, gpu: Handle) -> int:
        """Return how many CUDA cores it has."""

    def compute_capability(self, gpu: Handle) -> tuple[int, int]:
        """Return the major and the minor number."""

    def multiprocessors(self, instance: Handle) -> int:
        """Return how many multiprocessors a MIG instance has."""

    def memory(self, device: Handle) -> Memory:
        """Return its VRAM, as it is now."""

    def processes(self, device: Handle) -> Sequence[RunningProcess]:
        """Return who computes on it."""

    def mps_clients(self, gpu: Handle) -> Sequence[RunningProcess]:
        """Return who computes on it through a server of MPS."""

    def utilization(self, gpu: Handle, since_us: int) -> Sequence[Utilization]:
        """Return the samples after a time; none where nobody had a kernel."""

    def busy_percent(self, gpu: Handle) -> float:
        """Return for how much of the time of late it had any kernel."""

    def temperature_celsius(self, gpu: Handle) -> int:
        """Return its temperature."""

    def power_watts(self, gpu: Handle) -> float:
        """Return what it draws."""

    def sm_clock_mhz(self, gpu: Handle) -> int:
        """Return the clock of its multiprocessors now."""

    def max_sm_clock_mhz(self, gpu: Handle) -> int:
        """Return the highest that clock can be."""

    def has_tensor_activity(self, gpu: Handle) -> bool:
        """Return whether ``activity`` can be read."""

    def activity(self, gpu: Handle) -> object:
        """Return a reading of its activity, to be freed by ``free_activity``."""

    def free_activity(self, reading: object) -> None:
        """Give a reading back."""

    def tensor_percent(self, earlier: object, later: object) -> float:
        """Return how busy its tensor cores were between two readings, at least 100 ms apart."""
