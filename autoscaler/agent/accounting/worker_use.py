"""What the exporter shows of one worker on one GPU: the columns of the metrics contract."""

from __future__ import annotations

from dataclasses import dataclass

from autoscaler.agent.workers.worker import Worker


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerUse:
    """One worker on one of its GPUs; shares are parts of the whole GPU.

    Counters come from the page of use, so that they go on where they were when an agent starts
    again.  None: there is nothing that tells it, and no series is shown.
    """

    worker: Worker
    uuid: str
    compute_share: float | None
    """Of device time, 0 to 1: mean since the last multiple of five seconds."""
    tensor_tflops: float | None
    """Tensor activity of the device, apportioned by device time; mean of the same time."""
    memory_bytes: int | None
    """The most since that boundary."""
    device_s: float | None
    """Device time charged in all, in seconds."""
    throttled_s: float | None
    """Time that launches were held in all, in seconds."""
    launches: int | None
    denied_allocations: int | None
    denied_bytes: int | None
    unknown_symbols: int | None
    """Of the worker on all its GPUs: functions of the driver that it asked for and that its limiter
    does not know in that version."""
    effective_share: float
    """In force now, 0 to 1."""
    trim_ratio: float
    """What learned costs are multiplied by now."""
    unaccounted_share: float
    """Device time past the limiter, 0 to 1."""
    unaccounted_bytes: int
    """Memory past the limiter."""
    over_limit_bytes: int
    """Memory held above a limit that was lowered, or past the limiter."""
