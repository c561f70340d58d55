from __future__ import annotations

from dataclasses import replace

import numpy as np

from autoscaler.clock import VirtualClock
from autoscaler.scaling.cluster import WorkerView
from autoscaler.scaling.loop import Loop
from autoscaler.sources.source import Samples
from recommender.resources import TFLOPS, VRAM
from recommender.usage.checkpoint import _arrays
from recommender.usage.model import UsageModel
from tests.autoscaler.scaling.builders import START, ListSource, StandingCluster, policy, view
from tests.autoscaler.scaling.histories import read_history

HOUR, DAY = 3600, 86400
RESOURCES = (TFLOPS, VRAM)


class Generations:
    """A source and a cluster whose two workers get new names and devices every half-hour."""

    every_s = 1800

    def __init__(self, clock):
        self._clock = clock

    def names(self, now_s):
        generation = (now_s - START) // self.every_s
        return [f"chat-{generation}-{i}" for i in range(2)]

    def snapshot(self):
        now_s = self._clock.now_s()
        workers = [
            WorkerView(name=name, started_s=now_s - 600, ready_s=now_s - 590)
            for name in self.names(now_s)
        ]
        return [replace(view("chat"), workers=tuple(workers))]

    def metrics(self):
        return frozenset({"tflops", "vram_bytes"})

    def read(self, metric, start_s, end_s, step_s):
        ts = np.arange(-(-start_s // 60) * 60, end_s, 60)
        named = [
            {"namespace": "team", "workload": "chat", "worker": name, "uuid": f"gpu-{name}"}
            for stamp in ts.tolist()
            for name in self.names(stamp)
        ]
        unique = list({label["worker"]: label for label in named}.values())
        row = {label["worker"]: i for i, label in enumerate(unique)}
        return Samples(
            series=np.array([row[label["worker"]] for label in named], np.int32),
            ts=np.repeat(ts, 2),
            value=np.full(2 * len(ts), 5.0, np.float32),
            labels=tuple(unique),
        )


def _held_bytes(loop):
    return sum(array.nbytes for _, array, _, _ in _arrays(loop.model))


def _series_known(loop):
    index = loop._collector.index
    return len(index._number), len(index._worker), len(index._view_workers)


def test_two_hundred_generations_of_workers_take_no_more_memory_than_a_few():
    clock = VirtualClock(START)
    cluster = source = Generations(clock)
    loop = Loop(cluster, source, clock, UsageModel(RESOURCES))
    sizes = {}
    for generation in range(200):
        clock.advance_to(START + (generation + 1) * Generations.every_s)
        loop.tick()
        sizes[generation] = _held_bytes(loop), *_series_known(loop), len(loop.checkpoint()) // 4096

    assert max(size[:4] for g, size in sizes.items() if g >= 20) <= max(
        size[:4] for g, size in sizes.items() if g < 20
    )
    assert sizes[199][4] <= 2 * sizes[20][4]
    assert len([key for key in loop.model.workers.keys if key is not None]) <= 14


def test_a_workload_is_kept_for_as_long_as_its_policy_looks_back():
    clock, source = VirtualClock(START + HOUR), ListSource("tflops", "vram_bytes")
    month = {"autoSetResources": {"historyDataPeriod": "30d"}}
    long = policy(profile={"autoScalingConfig": month})
    cluster = StandingCluster(view("chat"), view("report", policy=long), view("job"))
    for workload in ("chat", "report", "job"):
        source.put("tflops", START + 1800, 5.0, workload=workload, worker=f"{workload}-0")
    loop = Loop(cluster, source, clock, UsageModel(RESOURCES))
    read_history(loop, START)
    loop.tick()
    cluster.views = cluster.views[:1]
    kept = {}
    for days in (13, 16, 29, 31):
        clock.advance_to(START + HOUR + days * DAY)
        loop.tick()
        keys = [key for key in loop.model.workloads.keys if key is not None]
        kept[days] = sorted(key[1] for key in keys)

    assert kept == {
        13: ["chat", "job", "report"],
        16: ["chat", "report"],
        29: ["chat", "report"],
        31: ["chat"],
    }
