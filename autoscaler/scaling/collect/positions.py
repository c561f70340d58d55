"""Up to where each metric has been read, and where the next read begins.

A resource is complete where it and the metrics joined to it have been read; until then its minutes
stay open.  Nothing is read that no open minute can take any more.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from autoscaler.scaling.collect.windows import RAW_TAIL_S
from autoscaler.sources.source import Metric
from recommender.usage.store import CLOSE_AFTER_S, closable_until_s

if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Sequence

    from recommender.resources import Resource
    from recommender.usage.model import UsageModel

LATE_S = CLOSE_AFTER_S
"""So much is read again before minutes close: they take late samples for so long."""
NEAR_S = 30
"""So much is read again in between, before the newest sample: few come later than that."""
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
        self._whole_end_s: dict[str, int] = {}
        """Metric to the end of the last read that took all that could be late."""
        self._behind_s = LATE_S
        """By so much the newest samples were behind the end of what was read last."""

    def note_read(self, newest_s: Iterable[int], end_s: int, *, is_whole: bool) -> None:
        """Note a read up to ``end_s``, given the newest sample of each metric.

        ``is_whole`` says that it took all that could be late.
        """
        self._behind_s = max((end_s - each_s for each_s in newest_s), default=LATE_S)
        if is_whole:
            self._whole_end_s |= {m: at_s for m, at_s in self.end_s.items() if at_s == end_s}

    def is_closing(self, now_s: int) -> bool:
        """Return whether minutes are about to close, so that all is read that they can take."""
        stores = self._model.stores
        return any(closable_until_s(now_s) > store.closed_until_s for store in stores)

    def begin(self, metrics: Sequence[str], start_s: int) -> None:
        """Have the metrics that were never read begin at ``start_s``."""
        for metric in metrics:
            if metric not in self.end_s:
                self.end_s[metric] = self._whole_end_s[metric] = start_s

    def starts(self, metrics: Sequence[str], now_s: int) -> dict[str, int]:
        """Return where each metric is read on from.

        A resource begins where a joined metric stopped, so that its samples are judged again.  All
        that may still be late is read right before minutes close, and else only what often is.
        """
        starts = {metric: self._again_s(metric, self.end_s[metric], now_s) for metric in metrics}
        open_since_s = []
        for resource, store in zip(self._model.resources, self._model.stores, strict=True):
            if resource.name in starts:
                until_s = self.complete_until_s(resource, metrics)
                again_s = self._again_s(resource.name, until_s, now_s)
                starts[resource.name] = max(again_s, store.closed_until_s)
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

    def _again_s(self, metric: str, until_s: int, now_s: int) -> int:
        """Return where to begin anew what was read up to ``until_s``."""
        if not self.is_closing(now_s):
            return until_s - min(self._behind_s + NEAR_S, LATE_S)
        # Between whole reads lies no more than a minute, of which a checkpoint knows nothing.
        whole_s = self._whole_end_s.get(metric, self.end_s[metric] - LATE_S)
        return min(until_s, whole_s) - LATE_S

    def complete_until_s(self, resource: Resource, metrics: Container[str]) -> int:
        """Return up to where a resource, with what is joined to it, has been read."""
        end_s = self.end_s[resource.name]
        if not resource.is_compressible:
            return end_s
        joined_s = [self.end_s[metric] for metric in JOINED_METRICS if metric in metrics]
        return min([end_s, *(other_s for other_s in joined_s if other_s >= end_s - HOLD_S)])
