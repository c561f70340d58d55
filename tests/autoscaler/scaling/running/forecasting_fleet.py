"""A workload with a daily pattern that asks for forecasts, and loops over it."""

import numpy as np

from autoscaler.clock import VirtualClock
from autoscaler.scaling.loop import Loop, LoopSettings
from recommender.policy.model import Mode
from recommender.resources import TFLOPS, VRAM
from recommender.usage.model import UsageModel
from tests.autoscaler.scaling.builders import START, StandingCluster, policy, view
from tests.autoscaler.scaling.histories import read_history
from tests.autoscaler.scaling.measured import MinuteSource

HOUR, DAY = 3600, 86400
ON = {"enable": True}
FORECAST = {
    "autoSetLimits": {**ON, "prediction": ON},
    "autoSetRequests": {**ON, "prediction": ON},
    "autoSetReplicas": {**ON, "prediction": ON},
}


class ForecastingFleet:
    """Workloads that use the same at the same time of each day, and what outlives loops over them.

    ``settings`` is the ``autoScalingConfig`` of all of them.
    """

    def __init__(self, *names, settings=FORECAST, past_days=2, coming_s=12 * HOUR):
        names = names or ("chat",)
        self.since_s = START - past_days * DAY
        self.clock = VirtualClock(START)
        self.source = MinuteSource("tflops", "vram_bytes")
        stamps = np.arange(self.since_s, START + coming_s, 60)
        wave = 25 + 18 * np.sin(2 * np.pi * stamps / DAY)
        for number, name in enumerate(names):
            noise = np.random.default_rng(number).normal(0, 1.5, len(stamps))
            use = (wave + noise).clip(0)
            of = {"workload": name, "worker": f"{name}-0"}
            self.source.add("tflops", stamps, use, **of)
            self.source.add("vram_bytes", stamps, 4e9 + use * 1e6, **of)
        asked = policy(profile={"autoScalingConfig": settings})
        self.cluster = StandingCluster(*(view(name, policy=asked) for name in names))

    def loop(self):
        return Loop(
            self.cluster,
            self.source,
            self.clock,
            UsageModel((TFLOPS, VRAM)),
            LoopSettings(mode=Mode.APPLY),
        )

    def loop_with_history(self):
        loop = self.loop()
        read_history(loop, self.since_s)
        return loop

    def move(self, loop, seconds, *, before=lambda: None, step_s=60):
        """Let time pass in ticks; ``before`` is called before each; return the ticks."""
        ticks, end_s = [], self.clock.now_s() + seconds
        while self.clock.now_s() < end_s:
            self.clock.advance_to(self.clock.now_s() + step_s)
            before()
            ticks.append(loop.tick())
        return ticks
