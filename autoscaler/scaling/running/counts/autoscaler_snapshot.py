"""What the process exports as metrics beside caches, queue and lead, as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

from autoscaler.scaling.running.counts.forecast_counts import UpkeepSnapshot
from autoscaler.scaling.running.counts.promise_counts import PromiseSnapshot

if TYPE_CHECKING:
    from autoscaler.api.condition_reasons import ExternalReason
    from autoscaler.scaling.live.writing.write_results import WriteOutcome
    from autoscaler.scaling.running.counts.job_counts import JobSnapshot
    from autoscaler.scaling.running.counts.tick_counts import TickSnapshot
    from autoscaler.scaling.running.health_gate import GatePart


@dataclass(frozen=True, slots=True, kw_only=True)
class AutoscalerSnapshot:
    """One process at one moment."""

    ticks: TickSnapshot
    jobs: Mapping[str, JobSnapshot]
    gate: Mapping[GatePart, tuple[str, ...]]
    """Part to what is wrong with it; nothing: it is healthy."""
    warming_progress_ratio: float | None = None
    """How much of the history was read; None: it is not being read."""
    writes: Mapping[WriteOutcome, int] = field(default_factory=lambda: MappingProxyType({}))
    """Outcome to statuses of workloads, since the process started."""
    write_backlog: int = 0
    """Workloads whose status waits to be written, or is being written."""
    questions: Mapping[ExternalReason, int] = field(default_factory=lambda: MappingProxyType({}))
    """How questions to external scalers ended, since the process started."""
    promises: PromiseSnapshot = field(default_factory=PromiseSnapshot)
    upkeep: UpkeepSnapshot = field(default_factory=UpkeepSnapshot)
    """Of forecasts."""
