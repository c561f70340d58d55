"""``GET /api/node``: the node as the agent sees it, as JSON for ``tfa agent top`` and scripts.

The same numbers as ``/metrics``, in one document of one moment.  It names workloads and what they
use, and nothing that could be used against them.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from aiohttp import web

from autoscaler.agent.accounting.worker_use import WorkerUse
from autoscaler.agent.running.snapshot import AgentSnapshot, GPUReading

PATH = "/api/node"
SCHEMA = "tensorfusion-agent/v1"


def add_node_page(application: web.Application, snapshot: Callable[[], AgentSnapshot]) -> None:
    """Let an application answer with the node, as it is when it is asked."""

    async def answer(_request: web.Request) -> web.Response:
        return web.json_response(node_document(snapshot(), time.time()))

    application.router.add_get(PATH, answer)


def node_document(snapshot: AgentSnapshot, now_s: float) -> dict[str, Any]:
    """Return the document; what is not known is null, amounts are in base units.

    ``now_s`` is UTC seconds.
    """
    return {
        "schema": SCHEMA,
        "time": now_s,
        "node": snapshot.node,
        "sampledAt": snapshot.sampled_s,
        "gpus": [_gpu(reading) for reading in snapshot.gpus],
        "workers": [_worker(use) for use in snapshot.uses],
        "unserved": dict(sorted(snapshot.unserved.items())),
    }


def _gpu(reading: GPUReading) -> dict[str, Any]:
    device, sample = reading.device, reading.sample
    return {
        "uuid": device.uuid,
        "index": device.index,
        "gpuModel": device.gpu_model,
        "tflops": device.tflops,
        "tflopsDerived": device.is_derived,
        "vramBytes": device.vram_bytes,
        "sharedBy": _shared_by(reading),
        "grantedShare": reading.granted_share,
        "problem": sample.problem if sample else "it was not looked at yet",
        "busyPercent": sample.busy_percent if sample else None,
        "memoryBytes": sample.memory_used_bytes if sample else None,
        "temperatureCelsius": sample.temperature_celsius if sample else None,
        "powerWatts": sample.power_watts if sample else None,
    }


def _shared_by(reading: GPUReading) -> str | None:
    """Return what a share of the GPU is one of; None where it cannot be read."""
    sample = reading.sample
    if reading.device.is_mig:
        return "mig"
    if sample is None or sample.problem:
        return None
    return "mps" if sample.is_under_mps else "time"


def _worker(use: WorkerUse) -> dict[str, Any]:
    worker = use.worker
    return {
        "namespace": worker.namespace,
        "workload": worker.workload,
        "worker": worker.name,
        "qos": worker.qos,
        "uuid": use.uuid,
        "computeShare": use.compute_share,
        "effectiveShare": use.effective_share,
        "tflopsRequest": worker.tflops_request,
        "tflopsLimit": worker.tflops_limit,
        "memoryBytes": use.memory_bytes,
        "vramLimitBytes": worker.vram_limit_bytes,
        "deviceSeconds": use.device_s,
        "throttledSeconds": use.throttled_s,
        "launches": use.launches,
        "deniedAllocations": use.denied_allocations,
        "unknownSymbols": use.unknown_symbols,
        "trimRatio": use.trim_ratio,
        "unaccountedShare": use.unaccounted_share,
        "unaccountedBytes": use.unaccounted_bytes,
    }
