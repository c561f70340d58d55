"""The series of a worker that a node agent exposes, as the tests' exporter and histories use them.

Names, types and labels are those of the metrics contract; nothing here says what a value is.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

LABELS = ("namespace", "workload", "worker", "pool", "node", "uuid", "gpu_model", "qos")
"""Every series of a worker has these."""

Kind = Literal["gauge", "counter"]


@dataclass(frozen=True, slots=True)
class WorkerMetric:
    """One series of a worker."""

    name: str
    """As a query asks for it: a counter ends with ``_total``."""
    kind: Kind = "gauge"
    labels: Mapping[str, str] = field(default_factory=dict)
    """Labels beside the worker's own."""


TFLOPS = WorkerMetric("tf_worker_compute_tflops", labels={"method": "sm_time"})
COMPUTE_PERCENT = WorkerMetric("tf_worker_compute_percentage")
MEMORY_BYTES = WorkerMetric("tf_worker_memory_bytes")
EFFECTIVE_SHARE = WorkerMetric("tf_worker_effective_share_percentage")
TFLOPS_REQUEST = WorkerMetric("tf_worker_tflops_request")
TFLOPS_LIMIT = WorkerMetric("tf_worker_tflops_limit")
VRAM_REQUEST = WorkerMetric("tf_worker_vram_bytes_request")
VRAM_LIMIT = WorkerMetric("tf_worker_vram_bytes_limit")
DEVICE_SECONDS = WorkerMetric("tf_worker_device_seconds_total", "counter")
THROTTLED_SECONDS = WorkerMetric("tf_worker_compute_throttled_seconds_total", "counter")
VRAM_DENIED = WorkerMetric("tf_worker_vram_denied_total", "counter")
MEMORY_PERCENT = WorkerMetric("tf_worker_memory_percentage")
LAUNCHES = WorkerMetric("tf_worker_launches_total", "counter")
VRAM_DENIED_BYTES = WorkerMetric("tf_worker_vram_denied_bytes_total", "counter")
UNACCOUNTED_PERCENT = WorkerMetric("tf_worker_unaccounted_percentage")
UNACCOUNTED_BYTES = WorkerMetric("tf_worker_unaccounted_bytes")
OVER_LIMIT_BYTES = WorkerMetric("tf_worker_memory_over_limit_bytes")
TRIM_RATIO = WorkerMetric("tf_worker_trim_ratio")

WORKER_METRICS = (
    TFLOPS,
    COMPUTE_PERCENT,
    MEMORY_BYTES,
    EFFECTIVE_SHARE,
    TFLOPS_REQUEST,
    TFLOPS_LIMIT,
    VRAM_REQUEST,
    VRAM_LIMIT,
    DEVICE_SECONDS,
    THROTTLED_SECONDS,
    VRAM_DENIED,
)
"""What the exporter of the tests shows."""
AGENT_METRICS = (
    *WORKER_METRICS,
    MEMORY_PERCENT,
    LAUNCHES,
    VRAM_DENIED_BYTES,
    UNACCOUNTED_PERCENT,
    UNACCOUNTED_BYTES,
    OVER_LIMIT_BYTES,
    TRIM_RATIO,
)
"""What an agent shows."""
