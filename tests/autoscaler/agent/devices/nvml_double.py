"""NVML in memory: cards that tests describe, change and break; handles are voided by a stop."""

from dataclasses import dataclass, field

from autoscaler.agent.devices.nvml import (
    GPU_IS_LOST,
    LIBRARY_NOT_FOUND,
    NOT_SUPPORTED,
    UNINITIALIZED,
    Memory,
    NvmlError,
    RunningProcess,
)

GIB = 2**30
H100 = "NVIDIA H100 80GB HBM3"
H100_MULTIPROCESSORS = 132
H100_MEMORY = Memory(total_bytes=80 * GIB, used_bytes=2 * GIB, reserved_bytes=GIB)


def uuid(number: int, kind: str = "GPU") -> str:
    return f"{kind}-00000000-0000-0000-0000-{number:012x}"


@dataclass
class Card:
    """One GPU; a figure that is None is not supported."""

    uuid: str
    name: str = H100
    minor: int | None = 0
    pci_address: str | None = "00000000:3B:00.0"
    cores: int | None = H100_MULTIPROCESSORS * 128
    compute_capability: tuple[int, int] | None = (9, 0)
    max_sm_clock_mhz: int | None = 1980
    memory: Memory = H100_MEMORY
    processes: list[RunningProcess] | None = field(default_factory=list)
    mps_clients: list[RunningProcess] | None = field(default_factory=list)
    utilization: list | None = field(default_factory=list)
    busy_percent: float | None = 0.0
    temperature_celsius: int | None = 40
    power_watts: float | None = 100.0
    sm_clock_mhz: int | None = 1500
    tensor_percent: float | None = None
    """None: no GPM."""
    instances: list["Instance"] | None = None
    is_lost: bool = False


@dataclass
class Instance:
    uuid: str
    name: str
    multiprocessors: int
    memory: Memory
    processes: list[RunningProcess] = field(default_factory=list)


@dataclass(frozen=True)
class _Handle:
    card: Card | Instance = field(hash=False, compare=False)
    start: int = 0


class NvmlDouble:
    def __init__(self, *cards: Card) -> None:
        self.cards = list(cards)
        self.starts = 0
        self.asked = []
        """Names of calls for figures."""
        self.readings = 0
        """Of activity that were not freed."""
        self.no_driver: NvmlError | None = None
        self._is_started = False

    def lose_driver(self) -> None:
        self.no_driver = NvmlError("nvmlInit: Driver Not Loaded", 9)

    def lose_library(self) -> None:
        self.no_driver = NvmlError("the NVML library cannot be loaded", LIBRARY_NOT_FOUND)

    def start(self) -> None:
        if self.no_driver:
            raise self.no_driver
        assert not self._is_started
        self.starts += 1
        self._is_started = True

    def stop(self) -> None:
        assert self._is_started
        self._is_started = False
        if self.no_driver:
            raise self.no_driver

    def device_count(self):
        self._require_started()
        return len(self.cards)

    def device(self, index):
        self._require_started()
        return self._open(self.cards[index])

    def instances(self, gpu):
        found = self._card(gpu).instances
        return None if found is None else [self._open(each) for each in found]

    def multiprocessors(self, instance):
        return self._card(instance).multiprocessors

    def uuid(self, device):
        return self._card(device).uuid

    def name(self, device):
        return self._card(device).name

    def memory(self, device):
        return self._card(device).memory

    def processes(self, device):
        return self._figure(device, "processes")

    def mps_clients(self, gpu):
        return self._figure(gpu, "mps_clients")

    def utilization(self, gpu, since_us):
        return [each for each in self._figure(gpu, "utilization") if each.time_us >= since_us]

    def has_tensor_activity(self, gpu):
        return getattr(self._card(gpu), "tensor_percent", None) is not None

    def activity(self, gpu):
        self._figure(gpu, "tensor_percent")
        self.readings += 1
        return self._card(gpu)

    def free_activity(self, reading):
        self.readings -= 1

    def tensor_percent(self, earlier, later):
        assert earlier is later
        return later.tensor_percent

    def minor(self, gpu):
        return self._figure(gpu, "minor")

    def pci_address(self, gpu):
        return self._figure(gpu, "pci_address")

    def cores(self, gpu):
        return self._figure(gpu, "cores")

    def compute_capability(self, gpu):
        return self._figure(gpu, "compute_capability")

    def busy_percent(self, gpu):
        return self._figure(gpu, "busy_percent")

    def temperature_celsius(self, gpu):
        return self._figure(gpu, "temperature_celsius")

    def power_watts(self, gpu):
        return self._figure(gpu, "power_watts")

    def sm_clock_mhz(self, gpu):
        return self._figure(gpu, "sm_clock_mhz")

    def max_sm_clock_mhz(self, gpu):
        return self._figure(gpu, "max_sm_clock_mhz")

    def _open(self, card):
        if getattr(card, "is_lost", False):
            raise NvmlError("nvmlDeviceGetHandleByIndex: GPU is lost", GPU_IS_LOST)
        return _Handle(card, self.starts)

    def _card(self, handle):
        self._require_started()
        assert handle.start == self.starts, "a handle of before the last stop"
        if getattr(handle.card, "is_lost", False):
            raise NvmlError("NVML: GPU is lost", GPU_IS_LOST)
        return handle.card

    def _figure(self, handle, name):
        self.asked.append(name)
        figure = getattr(self._card(handle), name, None)
        if figure is None:
            raise NvmlError(f"{name}: Not Supported", NOT_SUPPORTED)
        return figure

    def _require_started(self):
        if self.no_driver:
            raise self.no_driver
        if not self._is_started:
            raise NvmlError("NVML: Uninitialized", UNINITIALIZED)


def started(*cards: Card) -> NvmlDouble:
    nvml = NvmlDouble(*cards)
    nvml.start()
    return nvml
