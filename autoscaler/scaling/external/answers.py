"""What the endpoint of a workload asks for, as the loop sees it.

An answer is one more input of ``decide``: it takes part as a wish, beside those of use and of cron
rules.  How it came here is ``asking``.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from autoscaler.scaling.cluster import Amounts, amounts


@dataclass(frozen=True, slots=True, kw_only=True)
class ExternalAnswer:
    """The wishes of one answer; what is absent is not wished for."""

    request: Amounts = field(default_factory=amounts)
    """In TFLOPS, percent of a card and bytes, per worker and GPU device."""
    limit: Amounts = field(default_factory=amounts)
    replicas: int | None = None
    """Ours beyond the protocol of the upstream operator."""

    @property
    def is_empty(self) -> bool:
        """Return whether nothing is wished for."""
        return not self.request and not self.limit and self.replicas is None
