"""What is to be in force for a worker: by its share, its statement, and the rules of the node."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from autoscaler.agent.pages.terms import GPUTerms, Terms

if TYPE_CHECKING:
    from autoscaler.agent.running.kept_worker import KeptWorker


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitRules:
    """How strictly the limiter holds, for all workers of a node; 0 s is its own default."""

    burst_s: float = 0.0
    """Wall time that an idle worker may catch up at once."""
    inflight_s: float = 0.0
    """Device time that one process may have launched ahead."""
    counts_contexts: bool = True
    """Whether VRAM that contexts themselves take counts for the limit of a worker."""


def terms_of(kept: KeptWorker, rules: LimitRules, share_of: Callable[[str], float]) -> Terms:
    """Return what is to be in force for a worker; ``share_of`` takes the UUID of a GPU."""
    worker = kept.worker
    return Terms(
        pod_uid=worker.uid,
        gpus=tuple(
            GPUTerms(
                uuid=uuid,
                share=share_of(uuid),
                memory_limit_bytes=worker.vram_limit_bytes,
                hidden_bytes=meter.hidden_bytes if rules.counts_contexts else 0,
                qos_rank=worker.qos_rank,
                trim_k=meter.trim_k,
                left_share=meter.left_share,
                is_time_shared=meter.is_time_shared,
                burst_s=rules.burst_s,
                inflight_s=rules.inflight_s,
            )
            for uuid, meter in kept.meters.items()
        ),
        counts_contexts=rules.counts_contexts,
    )
