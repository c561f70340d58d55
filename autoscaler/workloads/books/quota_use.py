"""What the workers of a namespace have together, as quotas count it.

Amounts count for each GPU of a worker.  What is allowed is ``quota_totals``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Self

from autoscaler.workloads.books.claim import Claim
from autoscaler.workloads.books.gpu_amounts import GpuAmounts

REQUESTS_TFLOPS, REQUESTS_VRAM, LIMITS_TFLOPS, LIMITS_VRAM, WORKERS = FIELDS = (
    "requests.tflops",
    "requests.vram",
    "limits.tflops",
    "limits.vram",
    "maxWorkers",
)
"""What is counted, as the fields below ``spec.total`` of a quota are called."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QuotaUse:
    """Requests, limits and number of workers; a difference may be negative."""

    requests: GpuAmounts = field(default_factory=GpuAmounts)
    limits: GpuAmounts = field(default_factory=GpuAmounts)
    workers: int = 0

    @classmethod
    def of(cls, claim: Claim | None) -> Self:
        """Return what one worker has; nothing without a claim."""
        if claim is None:
            return cls()
        return cls(requests=claim.total_request, limits=claim.total_limit, workers=1)

    def by_field(self) -> dict[str, int]:
        """Return the amounts by ``FIELDS``, in millionths of TFLOPS, bytes and workers."""
        return {
            REQUESTS_TFLOPS: self.requests.microtflops,
            REQUESTS_VRAM: self.requests.vram_bytes,
            LIMITS_TFLOPS: self.limits.microtflops,
            LIMITS_VRAM: self.limits.vram_bytes,
            WORKERS: self.workers,
        }

    def __add__(self, other: QuotaUse) -> QuotaUse:
        return QuotaUse(
            requests=self.requests + other.requests,
            limits=self.limits + other.limits,
            workers=self.workers + other.workers,
        )

    def __sub__(self, other: QuotaUse) -> QuotaUse:
        return QuotaUse(
            requests=self.requests - other.requests,
            limits=self.limits - other.limits,
            workers=self.workers - other.workers,
        )

    def fits_in(self, room: QuotaUse) -> bool:
        """Return whether no amount is above that of ``room``."""
        return (
            self.requests.fits_in(room.requests)
            and self.limits.fits_in(room.limits)
            and self.workers <= room.workers
        )
