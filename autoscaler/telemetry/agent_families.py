"""Metric families of the agent: the metrics contract; their numbers are ``agent_points``.

TFLOPS and percentages are means since the last multiple of five seconds, memory is the most since
then, and what is in force is the value of now.  Counters of workers go on where they were when an
agent starts again.
"""

from __future__ import annotations

from autoscaler.telemetry.family import Family, Kind

WORKER_LABELS = ("namespace", "workload", "worker", "pool", "node", "uuid", "gpu_model", "qos")
WHOLE_WORKER_LABELS = ("namespace", "workload", "worker", "pool", "node", "qos")
"""Of what a worker has once, however many GPUs."""
GPU_LABELS = ("node", "uuid", "gpu_model")


def _worker(name: str, kind: Kind, meaning: str, *labels: str) -> Family:
    return Family(
        name=f"tf_worker_{name}", kind=kind, meaning=meaning, labels=(*WORKER_LABELS, *labels)
    )


def _gpu(name: str, meaning: str) -> Family:
    return Family(name=f"tf_gpu_{name}", kind=Kind.GAUGE, meaning=meaning, labels=GPU_LABELS)


TFLOPS = _worker(
    "compute_tflops",
    Kind.GAUGE,
    "Compute in use by method: sm_time is the share of device time times the peak of FP16, which "
    "scaling rests on; tensor is the activity of the tensor cores times that peak, apportioned by "
    "device time where several workers share the GPU, and absent where the driver does not tell it",
    "method",
)
COMPUTE_PERCENT = _worker(
    "compute_percentage", Kind.GAUGE, "Share of the device time in use, 0 to 100"
)
MEMORY_BYTES = _worker("memory_bytes", Kind.GAUGE, "VRAM in use, contexts included")
MEMORY_PERCENT = _worker(
    "memory_percentage", Kind.GAUGE, "VRAM in use as a share of the GPU's, 0 to 100"
)
TFLOPS_REQUEST = _worker("tflops_request", Kind.GAUGE, "FP16 TFLOPS requested, as in force")
TFLOPS_LIMIT = _worker(
    "tflops_limit",
    Kind.GAUGE,
    "Limit in FP16 TFLOPS, as in force; the GPU's peak where none is set",
)
VRAM_REQUEST = _worker("vram_bytes_request", Kind.GAUGE, "VRAM requested, as in force")
VRAM_LIMIT = _worker(
    "vram_bytes_limit", Kind.GAUGE, "Limit of VRAM, as in force; the GPU's VRAM where none is set"
)
DEVICE_SECONDS = _worker("device_seconds_total", Kind.COUNTER, "Device time used")
EFFECTIVE_SHARE = _worker(
    "effective_share_percentage",
    Kind.GAUGE,
    "Share of the device time that bounds the worker now, after quality of service, 0 to 100",
)
THROTTLED_SECONDS = _worker(
    "compute_throttled_seconds_total",
    Kind.COUNTER,
    "Time that launches waited for their share: the sign that a limit is too low",
)
LAUNCHES = _worker("launches_total", Kind.COUNTER, "Kernels and graphs launched")
VRAM_DENIED = _worker("vram_denied_total", Kind.COUNTER, "Allocations refused by the VRAM limit")
VRAM_DENIED_BYTES = _worker(
    "vram_denied_bytes_total", Kind.COUNTER, "Bytes of the allocations that were refused"
)
UNACCOUNTED_PERCENT = _worker(
    "unaccounted_percentage",
    Kind.GAUGE,
    "Share of the device time that the worker used past the limiter, 0 to 100",
)
UNACCOUNTED_BYTES = _worker(
    "unaccounted_bytes", Kind.GAUGE, "VRAM that the worker holds past the limiter"
)
UNKNOWN_SYMBOLS = Family(
    name="tf_worker_unknown_symbols_total",
    kind=Kind.COUNTER,
    meaning="Functions of the driver that the worker asked for in a version that its limiter does "
    "not know: what they launch or allocate is unaccounted, and a newer limiter is needed",
    labels=WHOLE_WORKER_LABELS,
)
OVER_LIMIT_BYTES = _worker(
    "memory_over_limit_bytes",
    Kind.GAUGE,
    "VRAM held above the limit: it was lowered below what was in use, or the limiter was bypassed",
)
TRIM_RATIO = _worker(
    "trim_ratio",
    Kind.GAUGE,
    "What the learned costs of kernels are multiplied by, so that they agree with the driver",
)
GPU_UP = _gpu("up", "1 while the driver tells of the GPU, else 0")
GPU_TFLOPS_CAPACITY = _gpu(
    "tflops_capacity", "Peak of dense FP16 in TFLOPS; 0 where the model is not known"
)
GPU_MEMORY_CAPACITY = _gpu("memory_bytes_capacity", "VRAM of the GPU")
GPU_TFLOPS = _gpu("compute_tflops", "Share of the time with any kernel times the peak of FP16")
GPU_COMPUTE_PERCENT = _gpu("compute_percentage", "Share of the time with any kernel, 0 to 100")
GPU_TENSOR_PERCENT = _gpu(
    "tensor_percentage",
    "How busy the tensor cores were, 0 to 100; absent where the driver does not tell it",
)
GPU_GRANTED_PERCENT = _gpu(
    "granted_share_percentage",
    "Sum of the shares in force of its workers; above 100 where some have no work",
)
GPU_MEMORY_BYTES = _gpu("memory_bytes", "VRAM in use by everybody")
GPU_TEMPERATURE = _gpu("temperature_celsius", "Temperature of the GPU")
GPU_POWER = _gpu("power_watts", "Power that the GPU takes")
GPU_SM_CLOCK = _gpu("sm_clock_hertz", "Clock of the multiprocessors")
LAST_SAMPLE = Family(
    name="tf_agent_last_sample_timestamp_seconds",
    kind=Kind.GAUGE,
    meaning="When the driver last told of a GPU; absent before the first time",
)
WORKERS = Family(
    name="tf_agent_workers", kind=Kind.GAUGE, meaning="Workers of the node that the agent serves"
)
UNSERVED = Family(
    name="tf_agent_unserved_pods",
    kind=Kind.GAUGE,
    meaning="Worker pods of the node that it cannot serve, for a reason that its log tells",
)
LOOP_FAILURES = Family(
    name="tf_agent_loop_failures_total",
    kind=Kind.COUNTER,
    meaning="Turns of a loop that ended with an error, by loop: control, sampling, inventory",
    labels=("loop",),
)
PAGE_ERRORS = Family(
    name="tf_agent_page_errors_total",
    kind=Kind.COUNTER,
    meaning="Pages of workers that could not be read or written, or do not hold what they should",
)
LIMIT_APPLY = Family(
    name="tf_agent_limit_apply_seconds",
    kind=Kind.HISTOGRAM,
    meaning="Time from the change of a worker, as the agent saw it, to its control page",
)

AGENT_FAMILIES = (
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
    UNKNOWN_SYMBOLS,
    OVER_LIMIT_BYTES,
    TRIM_RATIO,
    GPU_UP,
    GPU_TFLOPS_CAPACITY,
    GPU_MEMORY_CAPACITY,
    GPU_TFLOPS,
    GPU_COMPUTE_PERCENT,
    GPU_TENSOR_PERCENT,
    GPU_GRANTED_PERCENT,
    GPU_MEMORY_BYTES,
    GPU_TEMPERATURE,
    GPU_POWER,
    GPU_SM_CLOCK,
    LAST_SAMPLE,
    WORKERS,
    UNSERVED,
    LOOP_FAILURES,
    PAGE_ERRORS,
    LIMIT_APPLY,
)
