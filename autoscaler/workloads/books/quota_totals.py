"""Whether what workers are to have together fits the totals of their namespace's quotas.

All quotas of a namespace bind together.  What one worker may have is checked at admission.
"""

from __future__ import annotations

from collections.abc import Sequence

from autoscaler.kube.store import Object
from autoscaler.workloads.books.quota_maxima import Maximum, Total, read_total
from autoscaler.workloads.books.quota_use import QuotaUse


def read_totals(quotas: Sequence[Object]) -> tuple[Total, ...]:
    """Return what the quotas of one namespace allow all its workers, by name of the quota."""
    return tuple(sorted(map(read_total, quotas), key=lambda total: total.quota))


def exceeded(totals: Sequence[Total], use: QuotaUse, added: QuotaUse) -> str:
    """Return which totals forbid that so much is added to what is in use; empty: none does.

    What does not grow is never forbidden, even where a quota was lowered below what is in use.
    """
    used, asked = use.by_field(), added.by_field()
    return "; ".join(
        f"GPUResourceQuota {total.quota} {_why(maximum, used[maximum.field], asked[maximum.field])}"
        for total in totals
        for maximum in total.maxima
        if asked[maximum.field] > maximum.left(used[maximum.field])
    )


def _why(maximum: Maximum, used: int, asked: int) -> str:
    if maximum.problem:
        return f"{maximum.problem}; nothing is added until it is corrected"
    most, text = maximum.text(maximum.amount), maximum.text
    return (
        f"spec.total.{maximum.field}: {text(used)} in use and {text(asked)} more are above it; "
        f"allowed: at most {most}"
    )
