"""Moments of a node for tests: a GPU, a worker on it, and what an agent shows of both."""

from __future__ import annotations

from typing import Any

from autoscaler.agent.accounting.worker_use import WorkerUse
from autoscaler.agent.devices.device import Device
from autoscaler.agent.devices.samples import DeviceSample
from autoscaler.agent.running.snapshot import (
    APPLY_BUCKETS_S,
    AgentCounts,
    AgentSnapshot,
    GPUReading,
)
from autoscaler.agent.workers.worker import Worker

GIB = 2**30
UUID = "GPU-00000000-0000-0000-0000-000000000001"
NODE = "node-1"


def device(**changes: Any) -> Device:
    """Return an A100."""
    values = {
        "uuid": UUID,
        "index": 0,
        "minor": 0,
        "gpu_model": "NVIDIA A100-SXM4-80GB",
        "model": "A100",
        "tflops": 312.0,
        "vram_bytes": 80 * GIB,
        "is_derived": False,
        "is_mig": False,
    }
    return Device(**{**values, **changes})


def worker(**changes: Any) -> Worker:
    """Return a worker that has half of an A100 at most."""
    values = {
        "uid": "11111111-2222-3333-4444-555555555555",
        "namespace": "team",
        "workload": "chat",
        "name": "chat-0",
        "pool": "pool",
        "qos": "high",
        "uuids": (UUID,),
        "tflops_request": 78.0,
        "tflops_limit": 156.0,
        "vram_request_bytes": 10 * GIB,
        "vram_limit_bytes": 20 * GIB,
        "is_ready": True,
    }
    return Worker(**{**values, **changes})


def use(**changes: Any) -> WorkerUse:
    """Return what the worker uses, each figure another number."""
    values = {
        "worker": worker(),
        "uuid": UUID,
        "compute_share": 0.25,
        "tensor_tflops": 40.0,
        "memory_bytes": 8 * GIB,
        "device_s": 12.5,
        "throttled_s": 1.5,
        "launches": 1000,
        "denied_allocations": 3,
        "denied_bytes": 4096,
        "unknown_symbols": 2,
        "effective_share": 0.5,
        "trim_ratio": 1.1,
        "unaccounted_share": 0.02,
        "unaccounted_bytes": 77,
        "over_limit_bytes": 55,
    }
    return WorkerUse(**{**values, **changes})


def sample(**changes: Any) -> DeviceSample:
    """Return what the driver tells of the A100."""
    values = {
        "uuid": UUID,
        "monotonic_s": 10.0,
        "busy_percent": 50.0,
        "tensor_percent": 20.0,
        "memory_used_bytes": 9 * GIB,
        "temperature_celsius": 61,
        "power_watts": 300.5,
        "sm_clock_mhz": 1410,
        "max_sm_clock_mhz": 1410,
    }
    return DeviceSample(**{**values, **changes})


def snapshot(**changes: Any) -> AgentSnapshot:
    """Return a node with one GPU and one worker."""
    values = {
        "node": NODE,
        "gpus": (GPUReading(device=device(), sample=sample(), granted_share=0.5),),
        "uses": (use(),),
        "workers": 1,
        "unserved": {"team/other": "it names no GPU of this node"},
        "sampled_s": 1000.5,
        "counts": AgentCounts(
            loop_failures={"control": 1, "sampling": 2, "inventory": 0},
            page_errors=4,
            apply_buckets=(2, *(0,) * (len(APPLY_BUCKETS_S) - 1), 1),
            apply_sum_s=7.5,
        ),
    }
    return AgentSnapshot(**{**values, **changes})
