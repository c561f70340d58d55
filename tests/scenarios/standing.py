"""Workloads whose use a test states, under the real loop, a standing cluster, a virtual clock."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from autoscaler.clock import VirtualClock
from autoscaler.scaling.cluster import WorkerView, amounts
from autoscaler.scaling.loop import Loop, LoopSettings
from recommender.decision import Layer
from recommender.policy.model import Mode
from recommender.resources import GIB, TFLOPS, VRAM
from recommender.usage.model import UsageModel
from tests.autoscaler.scaling.builders import START, StandingCluster, policy, view
from tests.autoscaler.scaling.histories import read_history
from tests.autoscaler.scaling.measured import MinuteSource

MINUTE, HOUR, DAY = 60, 3600, 86400
STEP_S = 15
PERIODS = {Layer.REQUESTS: 60, Layer.LIMITS: 15, Layer.REPLICAS: 15}


def configured(config, *enrolled):
    """Return the policy of a workload with this ``autoScalingConfig``."""
    return policy(*enrolled, profile={"autoScalingConfig": config})


def workers(*names, started_s=START - DAY, ready_s=START - DAY + 60, is_surplus=False):
    return tuple(
        WorkerView(name=name, started_s=started_s, ready_s=ready_s, is_surplus=is_surplus)
        for name in names
    )


class Standing:
    """A loop over views that stay as they are but for what it changes."""

    def __init__(self, *views, days=2, mode=Mode.APPLY, cluster=StandingCluster):
        self.source = MinuteSource("tflops", "vram_bytes", "vram_denied", "throttled_ratio")
        self.begin_s = START + days * DAY
        """When the loop begins to tick."""
        self.clock = VirtualClock(self.begin_s)
        self.cluster = cluster(*views)
        self.loop = Loop(
            self.cluster,
            self.source,
            self.clock,
            UsageModel((TFLOPS, VRAM)),
            LoopSettings(mode=mode, period_s=PERIODS),
        )
        self.ticks = []

    def use(self, tflops=None, vram_gib=None, *, begin_s=None, length_s=6 * HOUR, **labels):
        """State the use of a worker, from the beginning of its history where nothing else is."""
        begin_s = START if begin_s is None else begin_s
        end_s = max(self.begin_s, begin_s) + length_s
        for metric, value in (("tflops", tflops), ("vram_bytes", vram_gib)):
            if value is not None:
                scale = GIB if metric == "vram_bytes" else 1.0
                self.source.add(metric, np.arange(begin_s, end_s, STEP_S), value * scale, **labels)
        return self

    def known(self):
        """Read the history."""
        read_history(self.loop, START)
        return self

    def tick(self, *, after_s=0):
        """Let time pass, and tick."""
        self.clock.advance_to(self.clock.now_s() + after_s)
        self.ticks.append(self.loop.tick())
        return self.ticks[-1]

    def run(self, length_s, *, tick_s=60):
        """Tick until so much time has passed."""
        end_s = self.clock.now_s() + length_s
        while self.clock.now_s() < end_s:
            self.tick(after_s=tick_s)
        return self

    def at(self, time_s):
        """Tick at a time."""
        return self.tick(after_s=time_s - self.clock.now_s())

    def view(self, row=0):
        return self.cluster.views[row]

    def set(self, row=0, **columns):
        """Change a workload, as its owner would."""
        self.cluster.views[row] = replace(self.cluster.views[row], **columns)

    def code(self, layer, resource=0, row=0):
        """Return the codes of the last tick's steps."""
        return {step.code for step in self.ticks[-1].decisions.steps.of(row, layer, resource)}


def tflops(value):
    return amounts({"tflops": value})


__all__ = [
    "DAY", "GIB", "HOUR", "MINUTE", "START", "Standing", "StandingCluster", "amounts", "configured",
    "policy", "tflops", "view", "workers",
]  # fmt: skip
