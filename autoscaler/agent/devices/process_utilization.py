"""How much of the time each process had a kernel on a device, from the driver's samples.

The driver samples by itself, a few times a second, and a look between two samples finds nothing
new: that is no sign that a process is idle, so the figures stay until there are newer ones.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from statistics import fmean
from types import MappingProxyType

from autoscaler.agent.devices.nvml import Handle, Nvml, Utilization, told

KEPT_S = 1.2
"""So long without a newer sample of any process, all are idle; drivers sample each 1/6 to 1 s."""
FIRST_LOOK_US = 1_000_000
"""So far back the first look goes: the driver keeps older samples, which say nothing of now."""
MOST_PERCENT = 100.0
"""Drivers were seen to tell more."""


class ProcessUtilization:
    """The processes of one device; one thread at a time."""

    def __init__(self) -> None:
        self._newest_us: int | None = None
        self._seen_s = 0.0
        self._percents: Mapping[int, float] = MappingProxyType({})

    def read(
        self, nvml: Nvml, gpu: Handle, *, monotonic_s: float, time_us: int
    ) -> Mapping[int, float] | None:
        """Return percent by PID, means since the last look; who is not in it had no kernel.

        None where the device does not tell it.  ``time_us`` is the time now from the epoch.
        Raises ``NvmlError``.
        """
        since_us = self._newest_us
        if since_us is None or since_us > time_us:
            # The first look, or the clock was set back.
            since_us = time_us - FIRST_LOOK_US
        samples = told(lambda: nvml.utilization(gpu, since_us))
        if samples is None:
            return None
        # Slots that the driver has not filled have neither PID nor time.
        new = [each for each in samples if each.pid and each.time_us > since_us]
        if new:
            self._newest_us = max(each.time_us for each in new)
            self._seen_s = monotonic_s
            self._percents = _means(new)
        elif monotonic_s - self._seen_s > KEPT_S:
            self._percents = MappingProxyType({})
        return self._percents


def _means(samples: Sequence[Utilization]) -> Mapping[int, float]:
    by_pid: defaultdict[int, list[float]] = defaultdict(list)
    for each in samples:
        by_pid[each.pid].append(min(each.sm_percent, MOST_PERCENT))
    return MappingProxyType({pid: fmean(percents) for pid, percents in by_pid.items()})
