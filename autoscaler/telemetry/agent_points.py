"""The numbers of the agent, from its snapshot; what is not known has no series."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate
from typing import TYPE_CHECKING

from autoscaler.agent.running.snapshot import APPLY_BUCKETS_S
from autoscaler.telemetry import agent_families as families
from autoscaler.telemetry.family import Distribution, Point

if TYPE_CHECKING:
    from autoscaler.agent.accounting.worker_use import WorkerUse
    from autoscaler.agent.devices.device import Device
    from autoscaler.agent.running.snapshot import AgentCounts, AgentSnapshot, GPUReading
    from autoscaler.telemetry.family import Family

PERCENT = 100.0
HERTZ_PER_MHZ = 1_000_000.0
SM_TIME, TENSOR = "sm_time", "tensor"


def agent_points(agent: AgentSnapshot) -> Iterator[Point | Distribution]:
    """Return the numbers of an agent.

    Raises ``KeyError`` for a worker on a GPU that the snapshot does not hold.
    """
    devices = {reading.device.uuid: reading.device for reading in agent.gpus}
    for use in agent.uses:
        yield from _of_worker(use, devices[use.uuid], agent.node)
    for reading in agent.gpus:
        yield from _of_gpu(reading, agent.node)
    if agent.sampled_s is not None:
        yield Point(family=families.LAST_SAMPLE, value=agent.sampled_s)
    yield Point(family=families.WORKERS, value=agent.workers)
    yield Point(family=families.UNSERVED, value=len(agent.unserved))
    yield from _counted(agent.counts)


def _of_worker(use: WorkerUse, device: Device, node: str) -> Iterator[Point]:
    worker = use.worker
    labels = (
        worker.namespace,
        worker.workload,
        worker.name,
        worker.pool,
        node,
        use.uuid,
        device.gpu_model,
        worker.qos,
    )
    methods = ((SM_TIME, _times(use.compute_share, device.tflops)), (TENSOR, use.tensor_tflops))
    for method, tflops in methods:
        if tflops is not None:
            yield Point(family=families.TFLOPS, value=tflops, labels=(*labels, method))
    for family, value in _values_of_worker(use, device):
        if value is not None:
            yield Point(family=family, value=float(value), labels=labels)
    if use.unknown_symbols is not None and use.uuid == worker.uuids[0]:
        whole = (worker.namespace, worker.workload, worker.name, worker.pool, node, worker.qos)
        yield Point(family=families.UNKNOWN_SYMBOLS, value=use.unknown_symbols, labels=whole)


def _values_of_worker(use: WorkerUse, device: Device) -> Iterator[tuple[Family, float | None]]:
    worker = use.worker
    yield families.COMPUTE_PERCENT, _times(use.compute_share, PERCENT)
    yield families.MEMORY_BYTES, use.memory_bytes
    if device.vram_bytes > 0:
        yield families.MEMORY_PERCENT, _times(use.memory_bytes, PERCENT / device.vram_bytes)
    yield families.TFLOPS_REQUEST, worker.tflops_request
    yield families.TFLOPS_LIMIT, worker.tflops_limit
    yield families.VRAM_REQUEST, worker.vram_request_bytes
    yield families.VRAM_LIMIT, worker.vram_limit_bytes
    yield families.DEVICE_SECONDS, use.device_s
    yield families.EFFECTIVE_SHARE, use.effective_share * PERCENT
    yield families.THROTTLED_SECONDS, use.throttled_s
    yield families.LAUNCHES, use.launches
    yield families.VRAM_DENIED, use.denied_allocations
    yield families.VRAM_DENIED_BYTES, use.denied_bytes
    yield families.UNACCOUNTED_PERCENT, use.unaccounted_share * PERCENT
    yield families.UNACCOUNTED_BYTES, use.unaccounted_bytes
    yield families.OVER_LIMIT_BYTES, use.over_limit_bytes
    yield families.TRIM_RATIO, use.trim_ratio


def _of_gpu(reading: GPUReading, node: str) -> Iterator[Point]:
    device = reading.device
    labels = (node, device.uuid, device.gpu_model)
    for family, value in _values_of_gpu(reading):
        if value is not None:
            yield Point(family=family, value=float(value), labels=labels)


def _values_of_gpu(reading: GPUReading) -> Iterator[tuple[Family, float | None]]:
    device, sample = reading.device, reading.sample
    yield families.GPU_TFLOPS_CAPACITY, device.tflops
    yield families.GPU_MEMORY_CAPACITY, device.vram_bytes
    yield families.GPU_GRANTED_PERCENT, reading.granted_share * PERCENT
    if sample is None:
        return
    yield families.GPU_UP, 0 if sample.problem else 1
    yield families.GPU_TFLOPS, _times(sample.busy_percent, device.tflops / PERCENT)
    yield families.GPU_COMPUTE_PERCENT, sample.busy_percent
    yield families.GPU_TENSOR_PERCENT, sample.tensor_percent
    yield families.GPU_MEMORY_BYTES, sample.memory_used_bytes
    yield families.GPU_TEMPERATURE, sample.temperature_celsius
    yield families.GPU_POWER, sample.power_watts
    yield families.GPU_SM_CLOCK, _times(sample.sm_clock_mhz, HERTZ_PER_MHZ)


def _counted(counts: AgentCounts) -> Iterator[Point | Distribution]:
    for loop, failures in counts.loop_failures.items():
        yield Point(family=families.LOOP_FAILURES, value=failures, labels=(loop,))
    yield Point(family=families.PAGE_ERRORS, value=counts.page_errors)
    ends = [*map(str, APPLY_BUCKETS_S), "+Inf"]
    yield Distribution(
        family=families.LIMIT_APPLY,
        buckets=tuple(zip(ends, accumulate(counts.apply_buckets), strict=True)),
        total=counts.apply_sum_s,
    )


def _times(value: float | None, factor: float) -> float | None:
    return None if value is None else value * factor
