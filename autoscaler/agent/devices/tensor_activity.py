"""How busy the tensor cores of a device were between two looks, where its driver tells (GPM)."""

from __future__ import annotations

from autoscaler.agent.devices.nvml import Handle, Nvml, told

SHORTEST_S = 0.1
"""Between two readings of the driver; closer ones have no meaning."""


class TensorActivity:
    """One device from one start of NVML to its stop; one thread at a time."""

    def __init__(self) -> None:
        self._earlier: object | None = None
        self._earlier_s = 0.0
        self._percent: float | None = None

    def read(self, nvml: Nvml, gpu: Handle, *, monotonic_s: float) -> float | None:
        """Return percent since the last look; None at the first.  Raises ``NvmlError``."""
        if self._earlier is not None and monotonic_s - self._earlier_s < SHORTEST_S:
            return self._percent
        earlier, later = self._earlier, told(lambda: nvml.activity(gpu))
        self._earlier, self._earlier_s = later, monotonic_s
        if earlier is None:
            return None
        try:
            self._percent = (
                None if later is None else told(lambda: nvml.tensor_percent(earlier, later))
            )
        finally:
            nvml.free_activity(earlier)
        return self._percent

    def close(self, nvml: Nvml) -> None:
        """Give back what is held; before NVML is stopped.  Raises ``NvmlError``."""
        if self._earlier is not None:
            held, self._earlier = self._earlier, None
            nvml.free_activity(held)
