"""What one worker holds: its GPUs, and how much of each it requests."""

from __future__ import annotations

from dataclasses import dataclass

from autoscaler.workloads.books.gpu_amounts import GpuAmounts


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """The claim of one worker pod on its GPUs; amounts are per GPU."""

    uid: str
    """Of the pod."""
    namespace: str
    pod: str
    workload: str
    pool: str
    qos: str
    gpus: tuple[str, ...]
    """Names of the GPU objects, in the order of ``gpu-ids``."""
    request: GpuAmounts
    limit: GpuAmounts
    """What it may use at most; all of a card where it states no limit."""

    @property
    def total_request(self) -> GpuAmounts:
        """Return what it requests of all its GPUs together, as quotas count it."""
        return self.request * len(self.gpus)

    @property
    def total_limit(self) -> GpuAmounts:
        """Return its limits of all its GPUs together, as quotas count them."""
        return self.limit * len(self.gpus)
