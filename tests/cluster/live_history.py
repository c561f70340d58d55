"""The past of workloads that begin to run in a test, as Prometheus would have kept it.

It ends some minutes before the present, when other workers of theirs were there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.gpus import A100
from tests.components.openmetrics import blocks, write_openmetrics
from tests.components.worker_metrics import (
    COMPUTE_PERCENT,
    EFFECTIVE_SHARE,
    MEMORY_BYTES,
    TFLOPS,
    THROTTLED_SECONDS,
    VRAM_DENIED,
)
from tests.components.worker_series import Formula, History, Worker, constant, worker_labels

DAY_S, MINUTE_S = 86_400, 60
DAYS = 3
GAP_S = 660
"""Longer than a sample is fresh, so that no worker of the past counts as one of now, and than the
newest samples are read one by one, which would be taken for a minute apart as those of the past."""
METRICS = (
    TFLOPS,
    COMPUTE_PERCENT,
    MEMORY_BYTES,
    EFFECTIVE_SHARE,
    THROTTLED_SECONDS,
    VRAM_DENIED,
)
CARD_TFLOPS = 312.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Past:
    """What one workload used."""

    namespace: str
    workload: str
    tflops: Formula
    vram_bytes: float
    gpu_model: str = A100


def write_past(folder: Path, pasts: Sequence[Past], now_s: float, *, days: int = DAYS) -> Path:
    """Write the last days as blocks of a database and return its folder.

    Raises ``ValueError`` and ``ProgramMissingError`` as ``openmetrics.blocks``.
    """
    end_s = int(now_s - GAP_S) // MINUTE_S * MINUTE_S
    history = History(
        workers=tuple(_worker(past) for past in pasts),
        metrics=METRICS,
        start_s=end_s - days * DAY_S,
        end_s=end_s,
        step_s=MINUTE_S,
    )
    text = folder / "past.om"
    write_openmetrics(text, history.families())
    return blocks(text, folder / "tsdb")


def _worker(past: Past) -> Worker:
    name = f"{past.workload}-before"
    return Worker(
        labels=worker_labels(past.namespace, past.workload, name, gpu_model=past.gpu_model),
        formulas={
            TFLOPS.name: past.tflops,
            COMPUTE_PERCENT.name: lambda t_s: 100.0 * past.tflops(t_s) / CARD_TFLOPS,
            MEMORY_BYTES.name: constant(past.vram_bytes),
            EFFECTIVE_SHARE.name: constant(100.0),
            THROTTLED_SECONDS.name: constant(0.0),
            VRAM_DENIED.name: constant(0.0),
        },
    )
