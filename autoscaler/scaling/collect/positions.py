"""Up to where each metric has been read, and where the next read begins.

A resource is complete where it and the metrics joined to it have been read; until then its minutes
stay open.  Nothing is read that no open minute can take any more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from autoscaler.scaling.collect.windows import RAW_TAIL_S
from autoscaler.sources.source import Metric
from recommender.usage.store import CLOSE_AFTER_S

if TYPE_CHECKING:
    from collections.abc import Container, Sequence

    from recommender.resources import Resource
    from recommender.usage.model import UsageModel

LATE_S = CLOSE_AFTER_S
"""So much is read again: blocks take late samples for so long."""
HOLD_S = 600
"""A joined metric that cannot be read keeps the minutes of the others open for so long: what guards
a decrease looks at closed minutes, and must not be blind for long."""
JOINED_METRICS = (Metric.EFFECTIVE_SHARE_PERCENT, Metric.THROTTLED_RATIO)


class Positions:
    """Reading positions of one model's metrics, in UTC seconds."""

    def __init__(self, model: UsageModel) -> None:
        self.end_s: dict[str, int] = {}
        """Metric to the end of what was read of it."""
        self._model = model

    def begin(self, metrics: Sequence[str], start_s: int) -> None:
        """Have the metrics that were never read begin at ``start_s``."""
        for metric in metrics:
            self.end_s.setdefault(metric, start_s)

    def starts(self, metrics: Sequence[str], now_s: int) -> dict[str, int]:
        """Return where each metric is read on from.

        A resource begins where a joined metric stopped, so that its samples are judged again.
        """
        starts = {metric: self.end_s[metric] - LATE_S for metric in metrics}
        open_since_s = []
        for resource, store in zip(self._model.resources, self._model.stores, strict=True):
            if resource.name in starts:
                until_s = self.complete_until_s(resource, metrics)
                starts[resource.name] = max(until_s - LATE_S, store.closed_until_s)
                if resource.is_compressible:
                    open_since_s.append(store.closed_until_s)
        for metric in JOINED_METRICS:
            if metric in starts and open_since_s:
                starts[metric] = max(starts[metric], min(open_since_s))
        denied = str(Metric.VRAM_DENIED)
        if denied in starts and starts[denied] < now_s - RAW_TAIL_S:
            # among minutes, what was read one by one cannot be recognised
            starts[denied] = self.end_s[denied]
        return starts

    def complete_until_s(self, resource: Resource, metrics: Container[str]) -> int:
        """Return up to where a resource, with what is joined to it, has been read."""
        end_s = self.end_s[resource.name]
        if not resource.is_compressible:
            return end_s
        joined_s = [self.end_s[metric] for metric in JOINED_METRICS if metric in metrics]
        return min([end_s, *(other_s for other_s in joined_s if other_s >= end_s - HOLD_S)])
