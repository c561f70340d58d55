"""The compute limit of TensorFusion's node agent in Go, as its controller is described.

Every 500 ms a rate of tokens follows the utilisation of the whole device, with a feed-forward
term and a PID factor; the limiter in the process prices a launch by its threads.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from tests.autoscaler.agent.simulator.laws.token_law import Admission, Reading, clamp
from tests.autoscaler.agent.simulator.scripts import Kernel

DEAD_BAND_RATIO = 0.03
MOST_INTEGRAL = 1.5
MOST_INCREASE_RATIO = 0.35
MOST_DECREASE_RATIO = 0.25
RESERVE_RATIO = 0.35
DRAIN_RATIO_PER_S = 0.80
FIRST_RATE_PER_S = 100.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Gains:
    """Settings of the controller; the defaults are those of the code."""

    alpha: float = 0.25
    proportional: float = 0.9
    integral: float = 0.35
    derivative: float = 0.10
    decay: float = 0.85
    rate_range_per_s: tuple[float, float] = (10.0, 200_000.0)
    capacity_range: tuple[float, float] = (200.0, 200_000.0)
    burst_s: float = 0.5


CODE_GAINS = Gains()
HELM_GAINS = Gains(
    alpha=0.30,
    proportional=0.12,
    integral=0.4,
    derivative=1.0,
    rate_range_per_s=(80.0, 12_000.0),
    capacity_range=(150.0, 6_000.0),
)


def price_by_threads(kernel: Kernel) -> float:
    """Return the tokens of a launch: 0.1 to 10, by its threads."""
    return 0.1 + 9.9 * (1 - math.exp(-kernel.threads / 400_000))


@dataclass(slots=True, kw_only=True)
class TensorFusionGo:
    """The law of one worker; ``limit_ratio`` is rounded up to whole percents."""

    limit_ratio: float
    gains: Gains = CODE_GAINS
    rate_per_s: float = FIRST_RATE_PER_S
    smoothed_ratio: float | None = field(default=None, init=False)
    integral: float = field(default=0.0, init=False)
    last_error: float = field(default=0.0, init=False)
    period_ns: int = field(default=500_000_000, init=False)
    admission: Admission = field(default=Admission.COVERED, init=False)
    is_open_without_agent: bool = field(default=False, init=False)
    is_in_process: bool = field(default=False, init=False)

    def price(self, kernel: Kernel) -> float:
        return price_by_threads(kernel)

    def refilled(self, tokens: float, reading: Reading, elapsed_s: float) -> float:
        gains = self.gains
        target = math.ceil(round(self.limit_ratio * 100, 6)) / 100
        used = self._smoothed(reading.device_ratio)
        self.rate_per_s = self._next_rate(target, used, elapsed_s)
        capacity = clamp(self.rate_per_s * gains.burst_s, *gains.capacity_range)
        tokens += self.rate_per_s * elapsed_s
        drained = capacity * DRAIN_RATIO_PER_S * elapsed_s
        reserve = capacity * RESERVE_RATIO
        if tokens > capacity:
            return max(capacity, tokens - drained)
        if used > target + DEAD_BAND_RATIO and tokens > reserve:
            return max(reserve, tokens - drained)
        return tokens

    def _smoothed(self, ratio: float) -> float:
        if self.smoothed_ratio is None:
            self.smoothed_ratio = ratio
        self.smoothed_ratio += self.gains.alpha * (ratio - self.smoothed_ratio)
        return self.smoothed_ratio

    def _next_rate(self, target: float, used: float, elapsed_s: float) -> float:
        gains = self.gains
        low, high = gains.rate_range_per_s
        if used <= 0.01:
            return min(self.rate_per_s * (1 + MOST_INCREASE_RATIO), high)
        error = target - used
        if abs(error) < DEAD_BAND_RATIO:
            self.integral *= gains.decay
            return self.rate_per_s
        total = self.integral * gains.decay + error * elapsed_s
        self.integral = clamp(total, -MOST_INTEGRAL, MOST_INTEGRAL)
        slope = (error - self.last_error) / elapsed_s
        self.last_error = error
        factor = (
            1
            + gains.proportional * error
            + gains.integral * self.integral
            + gains.derivative * slope
        )
        fed_forward = self.rate_per_s * target / max(used, 0.05)
        wanted = clamp(fed_forward * clamp(factor, 0.5, 1.5), low, high)
        return clamp(
            wanted,
            self.rate_per_s * (1 - MOST_DECREASE_RATIO),
            self.rate_per_s * (1 + MOST_INCREASE_RATIO),
        )
