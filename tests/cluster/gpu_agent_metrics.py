"""What an agent shows of its workers and cards: the series of the metrics contract."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from tests.cluster.gpu_agent_use import Use
from tests.cluster.gpu_agent_workers import Card, Worker
from tests.components.worker_metrics import (
    COMPUTE_PERCENT,
    DEVICE_SECONDS,
    EFFECTIVE_SHARE,
    LABELS,
    MEMORY_BYTES,
    TFLOPS,
    TFLOPS_LIMIT,
    TFLOPS_REQUEST,
    THROTTLED_SECONDS,
    VRAM_DENIED,
    VRAM_LIMIT,
    VRAM_REQUEST,
    WorkerMetric,
)

MEMORY_PERCENT = WorkerMetric("tf_worker_memory_percentage")
LAUNCHES = WorkerMetric("tf_worker_launches_total", "counter")
VRAM_DENIED_BYTES = WorkerMetric("tf_worker_vram_denied_bytes_total", "counter")
UNACCOUNTED_PERCENT = WorkerMetric("tf_worker_unaccounted_percentage")
UNACCOUNTED_BYTES = WorkerMetric("tf_worker_unaccounted_bytes")
OVER_LIMIT_BYTES = WorkerMetric("tf_worker_memory_over_limit_bytes")
TRIM_RATIO = WorkerMetric("tf_worker_trim_ratio")
METRICS = (
    TFLOPS,
    COMPUTE_PERCENT,
    MEMORY_BYTES,
    MEMORY_PERCENT,
    TFLOPS_REQUEST,
    TFLOPS_LIMIT,
    VRAM_REQUEST,
    VRAM_LIMIT,
    DEVICE_SECONDS,
    EFFECTIVE_SHARE,
    THROTTLED_SECONDS,
    LAUNCHES,
    VRAM_DENIED,
    VRAM_DENIED_BYTES,
    UNACCOUNTED_PERCENT,
    UNACCOUNTED_BYTES,
    OVER_LIMIT_BYTES,
    TRIM_RATIO,
)
GPU_LABELS = ("node", "uuid", "gpu_model")


def labels_of(worker: Worker, use: Use, node: str) -> dict[str, str]:
    """Return the labels of a worker on one of its devices."""
    return {
        "namespace": worker.namespace,
        "workload": worker.workload,
        "worker": worker.name,
        "pool": worker.pool,
        "node": node,
        "uuid": use.card.uuid,
        "gpu_model": use.card.gpu_model,
        "qos": worker.qos,
    }


def values_of(worker: Worker, use: Use) -> dict[str, float]:
    """Return the value of each series of a worker on one of its devices, by name."""
    card, shown = use.card, use.shown_ratio
    memory_bytes = use.highest_bytes * shown
    return {
        TFLOPS.name: use.tflops * shown,
        COMPUTE_PERCENT.name: 100.0 * use.tflops * shown / card.tflops,
        MEMORY_BYTES.name: memory_bytes,
        MEMORY_PERCENT.name: 100.0 * memory_bytes / card.vram_bytes,
        TFLOPS_REQUEST.name: worker.tflops_request,
        TFLOPS_LIMIT.name: worker.tflops_limit,
        VRAM_REQUEST.name: worker.vram_request_bytes,
        VRAM_LIMIT.name: worker.vram_limit_bytes,
        DEVICE_SECONDS.name: use.device_s * shown,
        EFFECTIVE_SHARE.name: 100.0 * use.share_tflops / card.tflops,
        THROTTLED_SECONDS.name: use.throttled_s,
        LAUNCHES.name: use.launches,
        VRAM_DENIED.name: use.denied,
        VRAM_DENIED_BYTES.name: use.denied_bytes,
        UNACCOUNTED_PERCENT.name: 0.0,
        UNACCOUNTED_BYTES.name: 0.0,
        OVER_LIMIT_BYTES.name: max(use.resident_bytes - worker.vram_limit_bytes, 0.0),
        TRIM_RATIO.name: 1.0,
    }


def families(
    uses: Iterable[tuple[Worker, Use]], cards: Mapping[str, Card], node: str, now_s: float
) -> Iterator[Metric]:
    """Yield what a scrape sees."""
    pairs = list(uses)
    rows = [(labels_of(*pair, node), values_of(*pair)) for pair in pairs]
    for metric in METRICS:
        family = _family(metric)
        for labels, values in rows:
            own = [labels[label] for label in LABELS]
            family.add_metric([*own, *metric.labels.values()], values[metric.name])
        yield family
    yield from _of_cards(pairs, cards, node)
    sampled = GaugeMetricFamily("tf_agent_last_sample_timestamp_seconds", "Of the agent.")
    sampled.add_metric([], now_s)
    yield sampled


def _family(metric: WorkerMetric) -> GaugeMetricFamily | CounterMetricFamily:
    kind = CounterMetricFamily if metric.kind == "counter" else GaugeMetricFamily
    return kind(metric.name, "A series of a worker.", labels=[*LABELS, *metric.labels])


def _of_cards(
    pairs: Sequence[tuple[Worker, Use]], cards: Mapping[str, Card], node: str
) -> Iterator[Metric]:
    """Yield what is there of each card, and what is used of it."""
    tables = {
        "tf_gpu_tflops_capacity": {uuid: card.tflops for uuid, card in cards.items()},
        "tf_gpu_memory_bytes_capacity": {uuid: card.vram_bytes for uuid, card in cards.items()},
        "tf_gpu_compute_tflops": dict.fromkeys(cards, 0.0),
        "tf_gpu_memory_bytes": dict.fromkeys(cards, 0.0),
    }
    for _, use in pairs:
        tables["tf_gpu_compute_tflops"][use.card.uuid] += use.tflops
        tables["tf_gpu_memory_bytes"][use.card.uuid] += use.resident_bytes
    for name, values in tables.items():
        family = GaugeMetricFamily(name, "Of a GPU.", labels=GPU_LABELS)
        for uuid, value in values.items():
            family.add_metric([node, uuid, cards[uuid].gpu_model], value)
        yield family
