"""What an agent reads of the card: NVML as it is, or as the foreign laws' own notes assume it.

As it is, each of two neighbours reads nearly the whole card, windows are 200 ms, and a reading may
be biased.  The kinder one knows each process' share exactly but for 2 % of noise, every sixth of a
second or so; simulations of these laws that others made rest on it.  Both are whole percents.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Protocol

from tests.autoscaler.agent.simulator.laws.token_law import Reading
from tests.autoscaler.agent.simulator.simulation import Simulation

NOISE_RATIO = 0.02
KIND_PERIOD_NS = 170_000_000
"""No divisor of a law's period, so that no law always looks at the same part of its own cycle."""


class Sampler(Protocol):
    """Reads the card for agents."""

    def sample(self) -> None:
        """Take a sample now; to be called every ``KIND_PERIOD_NS``."""
        ...

    def reading(self, processes: Sequence[int]) -> Reading:
        """Return what the last sample says of the processes of one worker."""
        ...


class MeasuredSampler:
    """NVML as it was measured."""

    def __init__(self, simulation: Simulation) -> None:
        self._simulation = simulation

    def sample(self) -> None:
        """Do nothing: the card keeps its own windows."""

    def reading(self, processes: Sequence[int]) -> Reading:
        counts = [self._simulation.counts(process) for process in processes]
        return Reading(
            device_ratio=counts[0].nvml_card_ratio,
            worker_ratio=min(1.0, sum(each.nvml_ratio for each in counts)),
        )


@dataclass(slots=True)
class _Use:
    last_busy_ns: int = 0
    ratio: float = 0.0


class KindSampler:
    """NVML as if it could divide the card."""

    def __init__(self, simulation: Simulation, processes: Sequence[int], seed: int = 0) -> None:
        self._simulation = simulation
        self._uses = {process: _Use() for process in processes}
        self._noise = Random(seed)
        self._last_ns = 0

    def sample(self) -> None:
        elapsed_ns = self._simulation.now_ns - self._last_ns
        self._last_ns = self._simulation.now_ns
        for process, use in self._uses.items():
            busy_ns = self._simulation.counts(process).busy_ns
            true_ratio = (busy_ns - use.last_busy_ns) / elapsed_ns
            use.last_busy_ns = busy_ns
            noisy = true_ratio * self._noise.gauss(1.0, NOISE_RATIO)
            use.ratio = min(1.0, round(noisy * 100) / 100)

    def reading(self, processes: Sequence[int]) -> Reading:
        return Reading(
            device_ratio=min(1.0, sum(use.ratio for use in self._uses.values())),
            worker_ratio=min(1.0, sum(self._uses[process].ratio for process in processes)),
        )
