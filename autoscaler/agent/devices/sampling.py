"""One look at a device: who computes on it, and how it is.

What changes within a second is read at each look, the rest at most once a second: lists of
processes, and figures of the board, cost the driver up to a millisecond each.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from autoscaler.agent.devices.discovery import FoundDevice
from autoscaler.agent.devices.nvml import Nvml, told
from autoscaler.agent.devices.process_utilization import ProcessUtilization
from autoscaler.agent.devices.samples import DeviceSample, ProcessSample
from autoscaler.agent.devices.tensor_activity import TensorActivity

BOARD_S = 1.0
"""Between two looks at what changes slowly."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Slow:
    """The board, and the memory of each process, as read last."""

    sample: DeviceSample
    memory_by_pid: Mapping[int, int | None]


class DeviceSampler:
    """Looks at one device, from one start of NVML to its stop; one thread at a time."""

    def __init__(self, found: FoundDevice) -> None:
        self.device = found.device
        self._handle = found.handle
        self._utilization = ProcessUtilization()
        self._tensor = TensorActivity()
        self._slow: _Slow | None = None

    def sample(self, nvml: Nvml, *, monotonic_s: float, time_us: int) -> DeviceSample:
        """Return how the device is.  Raises ``NvmlError``."""
        slow = self._slow
        if slow is None or monotonic_s - slow.sample.monotonic_s >= BOARD_S:
            slow = self._slow = self._look_slowly(nvml, monotonic_s)
        percents = None
        if not self.device.is_mig:
            percents = self._utilization.read(
                nvml, self._handle, monotonic_s=monotonic_s, time_us=time_us
            )
        pids = sorted(slow.memory_by_pid.keys() | (percents or {}).keys())
        processes = tuple(
            ProcessSample(
                pid=pid,
                uuid=self.device.uuid,
                sm_percent=None if percents is None else percents.get(pid, 0.0),
                memory_bytes=slow.memory_by_pid.get(pid),
            )
            for pid in pids
        )
        return replace(slow.sample, monotonic_s=monotonic_s, processes=processes)

    def close(self, nvml: Nvml) -> None:
        """Give back what the driver holds for it.  Raises ``NvmlError``."""
        self._tensor.close(nvml)

    def _look_slowly(self, nvml: Nvml, monotonic_s: float) -> _Slow:
        handle = self._handle
        memory = nvml.memory(handle)
        processes = told(lambda: nvml.processes(handle)) or ()
        is_mig = self.device.is_mig
        clients = () if is_mig else told(lambda: nvml.mps_clients(handle)) or ()
        has_tensor = self.device.has_tensor_activity
        sample = DeviceSample(
            uuid=self.device.uuid,
            monotonic_s=monotonic_s,
            is_under_mps=bool(clients),
            busy_percent=told(lambda: nvml.busy_percent(handle)),
            tensor_percent=self._tensor.read(nvml, handle, monotonic_s=monotonic_s)
            if has_tensor
            else None,
            memory_used_bytes=memory.used_bytes,
            temperature_celsius=told(lambda: nvml.temperature_celsius(handle)),
            power_watts=told(lambda: nvml.power_watts(handle)),
            sm_clock_mhz=told(lambda: nvml.sm_clock_mhz(handle)),
            max_sm_clock_mhz=told(lambda: nvml.max_sm_clock_mhz(handle)),
        )
        return _Slow(
            sample=sample,
            # The driver may list clients of MPS in one of the two lists, or in both.
            memory_by_pid={each.pid: each.memory_bytes for each in (*clients, *processes)},
        )
