"""NVML by the library of the driver: the only place where ``pynvml`` is asked anything.

A process has one such library: the one that was named when NVML was first started in it.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pynvml  # type: ignore[import-untyped]

from autoscaler.agent.devices.nvml import (
    FUNCTION_NOT_FOUND,
    LIBRARY_NOT_FOUND,
    NOT_FOUND,
    NOT_SUPPORTED,
    Answer,
    Handle,
    Memory,
    NvmlError,
    RunningProcess,
    Utilization,
    told,
)

SUCCESS, INSUFFICIENT_SIZE = 0, 7
TRIES = 3
"""A list that grows between the question for its size and its reading is asked for again."""


class NvmlLibrary:
    """``Nvml`` by ``libnvidia-ml.so.1``; one thread at a time."""

    def __init__(self, library: Path | None = None) -> None:
        self._path = library
        """None: where the dynamic linker finds it."""

    def start(self) -> None:
        """Load the library, and begin."""
        if self._path is not None and pynvml.nvmlLib is None:
            try:
                pynvml.nvmlLib = ctypes.CDLL(str(self._path))
            except OSError as error:
                text = f"the NVML library cannot be loaded: {error}; --nvml names another one"
                raise NvmlError(text, LIBRARY_NOT_FOUND) from error
        _ask(pynvml.nvmlInit)

    def stop(self) -> None:
        """End."""
        _ask(pynvml.nvmlShutdown)

    def device_count(self) -> int:
        """Return how many GPUs the driver has."""
        return int(_ask(pynvml.nvmlDeviceGetCount))

    def device(self, index: int) -> Handle:
        """Return a GPU."""
        return _ask(pynvml.nvmlDeviceGetHandleByIndex, index)

    def instances(self, gpu: Handle) -> Sequence[Handle] | None:
        """Return the MIG instances of a GPU; None where MIG is off."""
        mode = told(lambda: _ask(pynvml.nvmlDeviceGetMigMode, gpu))
        if mode is None or mode[0] != pynvml.NVML_DEVICE_MIG_ENABLE:
            return None
        most = int(_ask(pynvml.nvmlDeviceGetMaxMigDeviceCount, gpu))
        found = (
            told(partial(_ask, pynvml.nvmlDeviceGetMigDeviceHandleByIndex, gpu, at))
            for at in range(most)
        )
        return [each for each in found if each is not None]

    def uuid(self, device: Handle) -> str:
        """Return its UUID."""
        return str(_ask(pynvml.nvmlDeviceGetUUID, device))

    def name(self, device: Handle) -> str:
        """Return the full name of its model."""
        return str(_ask(pynvml.nvmlDeviceGetName, device))

    def minor(self, gpu: Handle) -> int:
        """Return the number in the name of its device file."""
        return int(_ask(pynvml.nvmlDeviceGetMinorNumber, gpu))

    def pci_address(self, gpu: Handle) -> str:
        """Return its address."""
        return str(_ask(pynvml.nvmlDeviceGetPciInfo, gpu).busId)

    def cores(self, gpu: Handle) -> int:
        """Return how many CUDA cores it has."""
        return int(_ask(pynvml.nvmlDeviceGetNumGpuCores, gpu))

    def compute_capability(self, gpu: Handle) -> tuple[int, int]:
        """Return the major and the minor number."""
        major, minor = _ask(pynvml.nvmlDeviceGetCudaComputeCapability, gpu)
        return int(major), int(minor)

    def multiprocessors(self, instance: Handle) -> int:
        """Return how many multiprocessors a MIG instance has."""
        return int(_ask(pynvml.nvmlDeviceGetAttributes_v2, instance).multiprocessorCount)

    def memory(self, device: Handle) -> Memory:
        """Return its VRAM; drivers before 510 do not tell apart what they keep for themselves."""
        told_apart = told(
            lambda: _ask(pynvml.nvmlDeviceGetMemoryInfo, device, pynvml.nvmlMemory_v2)
        )
        if told_apart is not None:
            return Memory(
                total_bytes=int(told_apart.total),
                used_bytes=int(told_apart.used),
                reserved_bytes=int(told_apart.reserved),
            )
        whole = _ask(pynvml.nvmlDeviceGetMemoryInfo, device)
        return Memory(total_bytes=int(whole.total), used_bytes=int(whole.used))

    def processes(self, device: Handle) -> Sequence[RunningProcess]:
        """Return who computes on it."""
        return _running(pynvml.nvmlDeviceGetComputeRunningProcesses, device)

    def mps_clients(self, gpu: Handle) -> Sequence[RunningProcess]:
        """Return who computes on it through a server of MPS."""
        return _running(pynvml.nvmlDeviceGetMPSComputeRunningProcesses, gpu)

    def utilization(self, gpu: Handle, since_us: int) -> Sequence[Utilization]:
        """Return the samples after a time, by the second of two calls where the first is absent."""
        try:
            found = _list(pynvml.nvmlDeviceGetProcessUtilization, gpu, since_us)
        except NvmlError as error:
            if error.code not in {NOT_SUPPORTED, FUNCTION_NOT_FOUND}:
                raise
            found = _list(pynvml.nvmlDeviceGetProcessesUtilizationInfo, gpu, since_us)
        return [
            Utilization(
                pid=int(each.pid), time_us=int(each.timeStamp), sm_percent=float(each.smUtil)
            )
            for each in found
        ]

    def busy_percent(self, gpu: Handle) -> float:
        """Return for how much of the time of late it had any kernel."""
        return float(_ask(pynvml.nvmlDeviceGetUtilizationRates, gpu).gpu)

    def temperature_celsius(self, gpu: Handle) -> int:
        """Return its temperature."""
        sensor = pynvml.NVML_TEMPERATURE_GPU
        return int(_ask(pynvml.nvmlDeviceGetTemperature, gpu, sensor))

    def power_watts(self, gpu: Handle) -> float:
        """Return what it draws."""
        return float(_ask(pynvml.nvmlDeviceGetPowerUsage, gpu)) / 1000

    def sm_clock_mhz(self, gpu: Handle) -> int:
        """Return the clock of its multiprocessors now."""
        return int(_ask(pynvml.nvmlDeviceGetClockInfo, gpu, pynvml.NVML_CLOCK_SM))

    def max_sm_clock_mhz(self, gpu: Handle) -> int:
        """Return the highest that clock can be."""
        return int(_ask(pynvml.nvmlDeviceGetMaxClockInfo, gpu, pynvml.NVML_CLOCK_SM))

    def has_tensor_activity(self, gpu: Handle) -> bool:
        """Return whether GPM is offered."""
        support = told(lambda: _ask(pynvml.nvmlGpmQueryDeviceSupport, gpu))
        return support is not None and bool(support.isSupportedDevice)

    def activity(self, gpu: Handle) -> object:
        """Return a GPM sample."""
        reading = _ask(pynvml.nvmlGpmSampleAlloc)
        try:
            _ask(pynvml.nvmlGpmSampleGet, gpu, reading)
        except NvmlError:
            self.free_activity(reading)
            raise
        return reading

    def free_activity(self, reading: object) -> None:
        """Give a GPM sample back."""
        _ask(pynvml.nvmlGpmSampleFree, reading)

    def tensor_percent(self, earlier: object, later: object) -> float:
        """Return how busy the tensor cores were between two GPM samples."""
        question = pynvml.c_nvmlGpmMetricsGet_t()
        question.version = pynvml.NVML_GPM_METRICS_GET_VERSION
        question.numMetrics = 1
        question.sample1, question.sample2 = earlier, later
        question.metrics[0].metricId = pynvml.NVML_GPM_METRIC_ANY_TENSOR_UTIL
        metric = _ask(pynvml.nvmlGpmMetricsGet, question).metrics[0]
        if metric.nvmlReturn != SUCCESS:
            raise NvmlError("nvmlGpmMetricsGet: the metric was not computed", metric.nvmlReturn)
        return float(metric.value)


def _ask(function: Callable[..., Answer], *arguments: Any) -> Answer:
    try:
        return function(*arguments)
    except pynvml.NVMLError as error:
        name = getattr(function, "__name__", "NVML")
        raise NvmlError(f"{name}: {error}", int(error.value)) from error


def _running(function: Callable[..., Sequence[Any]], device: Handle) -> Sequence[RunningProcess]:
    return [
        RunningProcess(
            pid=int(each.pid),
            memory_bytes=None if each.usedGpuMemory is None else int(each.usedGpuMemory),
        )
        for each in _list(function, device)
    ]


def _list(function: Callable[..., Sequence[Any]], *arguments: Any) -> Sequence[Any]:
    """Return a list that NVML fills; pynvml tells an empty one as an error, and even as success."""
    tries = TRIES
    while True:
        try:
            return _ask(function, *arguments)
        except NvmlError as error:
            tries -= 1
            if error.code in {SUCCESS, NOT_FOUND}:
                return []
            if error.code != INSUFFICIENT_SIZE or not tries:
                raise
