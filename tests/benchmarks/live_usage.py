"""How the workers of a large cluster use their GPUs: little, with a peak in each minute.

What they have in force about fits that: before there is a history, a peak raises some limits.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from tests.benchmarks.gpu_cells import MODEL, POOL
from tests.benchmarks.live_cells import LIMIT_TFLOPS, PEAK_TFLOPS, Placed
from tests.components.openmetrics import Family, Series
from tests.components.worker_metrics import (
    EFFECTIVE_SHARE,
    MEMORY_BYTES,
    TFLOPS,
    THROTTLED_SECONDS,
    VRAM_DENIED,
)
from tests.components.worker_series import worker_labels

METRICS = (TFLOPS, MEMORY_BYTES, EFFECTIVE_SHARE, THROTTLED_SECONDS, VRAM_DENIED)
NAMESPACE = "benchmark"
VRAM_BYTES = 7 * 2.0**30
SHARE_PERCENT = 100.0 * LIMIT_TFLOPS / PEAK_TFLOPS
QUARTER_S = 15


@dataclass(frozen=True, slots=True)
class Level:
    """TFLOPS that a worker uses."""

    tflops: float


USUAL, PEAK, SATURATED = Level(6.1), Level(16.5), Level(LIMIT_TFLOPS)
MEAN_TFLOPS = (3 * USUAL.tflops + PEAK.tflops) / 4


def level_at(time_s: float) -> Level:
    """Return what is used where nobody is saturated: a peak in one of four quarters of a minute."""
    return PEAK if int(time_s) // QUARTER_S % 4 == 0 else USUAL


def labels_of(worker: Placed) -> dict[str, str]:
    """Return the labels of all series of a worker."""
    return worker_labels(
        NAMESPACE,
        worker.workload,
        worker.name,
        pool=POOL,
        node=worker.node,
        uuid=worker.uuid,
        gpu_model=MODEL,
    )


def values_at(level: Level) -> dict[str, float]:
    """Return the value of each series at a level; counters stand still."""
    values = (level.tflops, VRAM_BYTES, SHARE_PERCENT, 0.0, 0.0)
    return dict(zip((metric.name for metric in METRICS), values, strict=True))


def past_families(workers: Sequence[Placed], *, end_s: int, minutes: int) -> Iterator[Family]:
    """Yield the series of the last minutes, one sample a minute, which is its mean."""
    ts_ms = 1000 * (end_s - 60 * np.arange(minutes, 0, -1, dtype=np.int64))
    values = values_at(Level(MEAN_TFLOPS))
    for metric in METRICS:
        value = np.full(minutes, values[metric.name])
        series = (
            Series(labels={**labels_of(worker), **metric.labels}, ts_ms=ts_ms, value=value)
            for worker in workers
        )
        yield Family(name=metric.name, kind=metric.kind, series=series)
