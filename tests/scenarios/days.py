"""Hours and days of a small fleet: the loop, the simulated cluster and the virtual clock."""

from __future__ import annotations

import numpy as np

from autoscaler.clock import VirtualClock
from autoscaler.scaling.loop import Loop, LoopSettings
from autoscaler.simulate.cluster import SimulatedCluster
from autoscaler.simulate.declaring import declared
from autoscaler.simulate.families import Planned
from autoscaler.simulate.fleet import RESOURCES, CardGroup, Fleet
from recommender.policy.model import Mode
from recommender.usage.model import UsageModel

START = 1_767_571_200
HOUR = 3600
CHAT = ("team", "chat")


def course(*points, noise_ratio=0.0):
    """Return a load: (hours, TFLOPS, VRAM in GiB) from each point on."""
    return Planned(
        points=tuple((round(hours * HOUR), tflops, vram) for hours, tflops, vram in points),
        noise_ratio=noise_ratio,
    )


def workload(load, *enrolled, name="team/chat", amounts=(40, 80, 10, 16), replicas=1, **more):
    """Declare a workload; ``amounts`` are TFLOPS request and limit, VRAM request and limit."""
    annotations = {
        "tflops-request": str(amounts[0]),
        "tflops-limit": str(amounts[1]),
        "vram-request": f"{amounts[2]}Gi",
        "vram-limit": f"{amounts[3]}Gi",
        "replicas": str(replicas),
        **dict.fromkeys(enrolled, "true"),
    }
    return declared(name, load, pool="p", gpu_model="A100", annotations=annotations, **more)


class Days:
    """A running simulation that a test moves on and looks at."""

    def __init__(self, *workloads, cards=8, tick_s=60, length_h=72, cluster=SimulatedCluster):
        fleet = Fleet(
            cards=(CardGroup(pool="p", gpu_model="A100", count=cards),), workloads=workloads
        )
        self.cluster = cluster(
            fleet, start_s=START, length_s=length_h * HOUR, rng=np.random.default_rng(5)
        )
        self.clock = VirtualClock(START)
        self.tick_s = tick_s
        self.ticks = []
        self.loop = self.new_loop()

    def new_loop(self):
        """Return a loop as after a restart of the process."""
        return Loop(
            self.cluster,
            self.cluster.metrics,
            self.clock,
            UsageModel(RESOURCES),
            LoopSettings(mode=Mode.APPLY),
        )

    @property
    def hours(self):
        return (self.clock.now_s() - START) / HOUR

    def move(self):
        """Let one tick's time pass without a tick."""
        now_s = self.clock.now_s() + self.tick_s
        self.cluster.run_until(now_s)
        self.clock.advance_to(now_s)

    def step(self):
        """Move on by one tick and return it."""
        self.move()
        self.ticks.append(self.loop.tick())
        return self.ticks[-1]

    def until(self, hours):
        """Tick until so many hours from the start."""
        while self.hours < hours - 1e-9:
            self.step()
        return self

    def view(self, key=CHAT):
        return self.cluster.view(key)

    def limit(self, resource="tflops", key=CHAT):
        return self.view(key).limit[resource]

    def request(self, resource="tflops", key=CHAT):
        return self.view(key).request[resource]

    def entries(self, key=CHAT):
        return self.loop.records.history_of(key)
