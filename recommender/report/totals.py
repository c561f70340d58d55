"""Sums over the items of a report."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from recommender.report.blocks import HOURS_PER_MONTH, Severity
from recommender.report.model import Item, PoolTotals, Totals


def totals_of(items: Sequence[Item], pools: Sequence[PoolTotals] = ()) -> Totals:
    """Return the sums.  Money stands once per workload, so plain sums are right.

    ``pools`` are known for a whole fleet only; without them nothing is said of whole GPUs.
    """
    counts = Counter(item.severity for item in items)
    money = [item.money for item in items if item.money is not None]
    costs = [part.current_per_hour for part in money if part.current_per_hour is not None]
    savings = [part.saving_per_month for part in money if part.saving_per_month is not None]
    freed = [part.freed_gpus for part in money if part.freed_gpus is not None]
    releasable = [pool.releasable_gpus for pool in pools if pool.releasable_gpus is not None]
    return Totals(
        severities={str(severity): counts.get(severity, 0) for severity in Severity},
        workloads=len({item.identity.key for item in items}),
        current_per_month=round(sum(costs) * HOURS_PER_MONTH, 2) if costs else None,
        saving_per_month=round(sum(savings), 2) if savings else None,
        priced_workloads=len(costs),
        freed_gpus=round(sum(freed), 4) if freed else None,
        releasable_gpus=sum(releasable) if releasable else None,
        pools=tuple(pools),
    )
