"""What the agent shows of one moment: to the exporter, and to ``tfa agent top``.

Made by the loops, read by whoever asks; nothing here is measured or computed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from autoscaler.agent.accounting.worker_use import WorkerUse
from autoscaler.agent.devices.device import Device
from autoscaler.agent.devices.samples import DeviceSample

APPLY_BUCKETS_S = (0.005, 0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1.0, 5.0)
"""Ends of the buckets of the time from a change of a worker to its page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GPUReading:
    """One GPU of the node, and what was last read of it."""

    device: Device
    sample: DeviceSample | None
    """None before the first look."""
    granted_share: float
    """Sum of the shares in force of its workers; above 1 where some of them have no work."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentCounts:
    """What the agent has done since it started."""

    loop_failures: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))
    """Turns of each loop that ended with an error."""
    page_errors: int = 0
    """Pages of workers that could not be read or written."""
    apply_buckets: tuple[int, ...] = (0,) * (len(APPLY_BUCKETS_S) + 1)
    """Changes of what is in force by the time until the page had it, one more than ends."""
    apply_sum_s: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class AgentSnapshot:
    """The node as the agent sees it."""

    node: str
    gpus: tuple[GPUReading, ...] = ()
    uses: tuple[WorkerUse, ...] = ()
    """Of each worker on each of its GPUs."""
    workers: int = 0
    """Workers that are served."""
    unserved: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    """``namespace/name`` of pods that are not, and why."""
    sampled_s: float | None = None
    """UTC seconds of the last look at the GPUs that told something; None before the first."""
    counts: AgentCounts = field(default_factory=AgentCounts)
