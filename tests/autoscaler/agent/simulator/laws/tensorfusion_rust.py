"""The compute limit of TensorFusion's open limiter in Rust, as its controller is described.

Every 100 ms the rate of tokens is set from what the worker drew of them and from its own
utilisation.  Without the agent's heartbeat the limiter lets launches pass.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from tests.autoscaler.agent.simulator.laws.tensorfusion_go import price_by_threads
from tests.autoscaler.agent.simulator.laws.token_law import Admission, Reading, clamp
from tests.autoscaler.agent.simulator.scripts import Kernel

PROPORTIONAL = 0.5
INTEGRAL = 0.1
DERIVATIVE = 0.05
ALPHA = 0.3
DECAY = 0.95
BURST_S = 2.0
RATE_RANGE_PER_S = (10.0, 100_000.0)
CAPACITY_RANGE = (100.0, 200_000.0)
LEAST_RATIO = 0.01
"""Of utilisation, below which nothing can be divided by it and the rate stays."""


@dataclass(slots=True, kw_only=True)
class TensorFusionRust:
    """The law of one worker."""

    limit_ratio: float
    rate_per_s: float = RATE_RANGE_PER_S[0]
    last_tokens: float = field(default=0.0, init=False)
    smoothed_ratio: float | None = field(default=None, init=False)
    integral: float = field(default=0.0, init=False)
    last_error: float = field(default=0.0, init=False)
    period_ns: int = field(default=100_000_000, init=False)
    admission: Admission = field(default=Admission.COVERED, init=False)
    is_open_without_agent: bool = field(default=True, init=False)
    is_in_process: bool = field(default=False, init=False)

    def price(self, kernel: Kernel) -> float:
        return price_by_threads(kernel)

    def refilled(self, tokens: float, reading: Reading, elapsed_s: float) -> float:
        if self.smoothed_ratio is None:
            self.smoothed_ratio = reading.worker_ratio
        self.smoothed_ratio += ALPHA * (reading.worker_ratio - self.smoothed_ratio)
        drained_per_s = max(0.0, (self.last_tokens - tokens) / elapsed_s)
        self.rate_per_s = self._next_rate(drained_per_s, self.smoothed_ratio, elapsed_s)
        capacity = clamp(self.rate_per_s * BURST_S, *CAPACITY_RANGE)
        self.last_tokens = min(capacity, tokens + self.rate_per_s * elapsed_s)
        return self.last_tokens

    def _next_rate(self, drained_per_s: float, used: float, elapsed_s: float) -> float:
        error = self.limit_ratio - used
        self.integral = self.integral * DECAY + error * elapsed_s
        slope = (error - self.last_error) / elapsed_s
        self.last_error = error
        term = PROPORTIONAL * error + INTEGRAL * self.integral + DERIVATIVE * slope
        factor = 1 + clamp(term, -0.5, 0.5)
        is_seen = used > LEAST_RATIO and drained_per_s > 0
        base_per_s = drained_per_s * self.limit_ratio / used if is_seen else self.rate_per_s
        return clamp(base_per_s * factor, *RATE_RANGE_PER_S)
