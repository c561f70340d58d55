"""The compute limit of HAMi-core, as its watcher is described.

Every 120 ms a thread of the process adds tokens, which it has moved towards the limit by the
utilisation of its container; a launch costs its blocks and passes while there is no debt.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.autoscaler.agent.simulator.laws.token_law import Admission, Reading, clamp
from tests.autoscaler.agent.simulator.scripts import Kernel

MULTIPROCESSORS = 132
THREADS_PER_MULTIPROCESSOR = 2048
LEAST_STEP_PERCENT = 5


@dataclass(slots=True, kw_only=True)
class Hami:
    """The law of one process.

    ``is_linear``: the step grows with the number of multiprocessors, as its proposed changes have
    it, in place of the square of it.
    """

    limit_ratio: float
    is_linear: bool = False
    share_blocks: float = field(default=0.0, init=False)
    period_ns: int = field(default=120_000_000, init=False)
    admission: Admission = field(default=Admission.NOT_IN_DEBT, init=False)
    is_open_without_agent: bool = field(default=False, init=False)
    is_in_process: bool = field(default=True, init=False)

    def price(self, kernel: Kernel) -> float:
        return float(kernel.blocks)

    def refilled(self, tokens: float, reading: Reading, elapsed_s: float) -> float:
        del elapsed_s
        limit_percent = round(self.limit_ratio * 100)
        used_percent = int(reading.worker_ratio * 100)
        total_blocks = THREADS_PER_MULTIPROCESSOR * MULTIPROCESSORS * 32
        distance = abs(limit_percent - used_percent)
        step_percent = max(LEAST_STEP_PERCENT, distance)
        size = MULTIPROCESSORS if self.is_linear else MULTIPROCESSORS**2
        step_blocks = size * THREADS_PER_MULTIPROCESSOR * step_percent / 2560
        if step_percent > limit_percent / 2:
            step_blocks *= 2 * step_percent / (limit_percent + 1)
        sign = 1 if used_percent <= limit_percent else -1
        self.share_blocks = clamp(self.share_blocks + sign * step_blocks, 0, total_blocks)
        return min(total_blocks, tokens + self.share_blocks)
