"""A whole fleet from a Prometheus into a usage model: its history, then increments.

Run as ``python -m tests.benchmarks.collecting URL START_S END_S LATER_S [EVERY_S ...]`` in a
process of its own: it prints one line of JSON.  ``END_S`` is where the history ends; the increments
of each ``EVERY_S`` run through the ``LATER_S`` seconds after it, with a collector that goes on from
a checkpoint of the history.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from statistics import median

from autoscaler.scaling.cards import GpuModels
from autoscaler.scaling.collect.collecting import Collector
from autoscaler.scaling.fleet.measured_fleet import measured_fleet
from autoscaler.sources.prometheus.inventory import read_inventory
from autoscaler.sources.prometheus.labels import LabelTable
from autoscaler.sources.prometheus.mappings import AGENT
from autoscaler.sources.prometheus.prometheus_source import PrometheusSource
from autoscaler.sources.source import Metric
from recommender.resources import TFLOPS, VRAM
from recommender.usage.checkpoint import _arrays, model_from_bytes, model_to_bytes
from recommender.usage.model import UsageModel
from tests.benchmarks.own_process import Meter
from tests.benchmarks.reading import peak_tflops, source_at

RESOURCES = (TFLOPS, VRAM)
STEP_S = 15
INCREMENTS = 24
"""At most so many of each kind."""
METRICS_OF_A_TICK = (
    Metric.TFLOPS,
    Metric.VRAM_BYTES,
    Metric.EFFECTIVE_SHARE_PERCENT,
    Metric.THROTTLED_RATIO,
    Metric.VRAM_DENIED,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Increment:
    """Increments of one length: the median of many."""

    every_s: int
    count: int
    one_metric_s: float
    """Read through the source alone: TFLOPS."""
    all_metrics_s: float
    """Read through the source alone: all that a tick reads."""
    collected_s: float
    """Read and taken into the model, late samples of the time before included."""
    collected_cpu_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """Bytes of a usage model's arrays."""

    all_bytes: int
    workload_bytes: float
    """Of one workload."""
    worker_bytes: float
    """Of one worker, beside its workload."""


def main(url: str, start_s: int, end_s: int, later_s: int, *every_s: int) -> dict[str, object]:
    source = source_at(url)
    views = views_of(source, end_s)
    model = UsageModel(RESOURCES)
    collector = Collector(source, model, step_s=STEP_S)
    collector.see(views)
    meter = Meter()
    collected = collector.bootstrap(start_s, end_s)
    spent = meter.spent()
    position = collector.position()
    checkpoint = model_to_bytes(model)
    held = held_by(model)

    def continued() -> Collector:
        again = Collector(source, model_from_bytes(checkpoint, RESOURCES), step_s=STEP_S)
        again.see(views)
        again.resume(position)
        return again

    increments = [
        increment(source, continued(), end_s, every, min(later_s // every, INCREMENTS))
        for every in every_s
    ]
    return {
        **asdict(spent),
        "points": sum(collected.samples.values()),
        "accepted": model.counts.accepted,
        "workloads": len(views),
        "workers": sum(len(view.workers) for view in views),
        "held": asdict(held),
        "increments": [asdict(one) for one in increments],
    }


def views_of(source: PrometheusSource, now_s: int) -> tuple:
    """Return the fleet as the server has it."""
    table = LabelTable(AGENT, source.owners.owner_of)
    inventory = read_inventory(source.client, AGENT, table, peak_tflops=peak_tflops, now_s=now_s)
    return measured_fleet(inventory, AGENT, stated={}, gpu_models=GpuModels()).views


def increment(
    source: PrometheusSource, collector: Collector, end_s: int, every_s: int, count: int
) -> Increment:
    one, every, collected, cpu_s = [], [], [], []
    for number in range(count):
        span_s = end_s + every_s * number, end_s + every_s * (number + 1)
        one.append(seconds(partial(read, source, METRICS_OF_A_TICK[:1], span_s)))
        every.append(seconds(partial(read, source, METRICS_OF_A_TICK, span_s)))
        begin_s = time.process_time()
        collected.append(seconds(partial(collector.collect, span_s[1])))
        cpu_s.append(time.process_time() - begin_s)
    return Increment(
        every_s=every_s,
        count=count,
        one_metric_s=median(one),
        all_metrics_s=median(every),
        collected_s=median(collected),
        collected_cpu_s=median(cpu_s),
    )


def read(source: PrometheusSource, metrics: tuple[Metric, ...], span_s: tuple[int, int]) -> None:
    for metric in metrics:
        source.read(metric, *span_s, STEP_S)


def seconds(work: Callable[[], object]) -> float:
    begin_s = time.perf_counter()
    work()
    return time.perf_counter() - begin_s


def held_by(model: UsageModel) -> Held:
    """Return what the model holds; the parts of it by growing an empty one to the same size."""
    empty = UsageModel(model.resources)
    sizes = [array_bytes(empty)]
    rows = empty.workload_rows([key for key in model.workloads.keys if key is not None])
    sizes.append(array_bytes(empty))
    names = [key for key in model.workers.keys if key is not None]
    empty.worker_rows(rows[[row for row, _ in names]], [name for _, name in names])
    sizes.append(array_bytes(empty))
    return Held(
        all_bytes=array_bytes(model),
        workload_bytes=(sizes[1] - sizes[0]) / len(rows),
        worker_bytes=(sizes[2] - sizes[1]) / len(names),
    )


def array_bytes(model: UsageModel) -> int:
    return sum(array.nbytes for _, array, _, _ in _arrays(model))


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1], *map(int, sys.argv[2:]))))
