"""A metrics source that tells how far reading is, by the times that it is asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from autoscaler.sources.source import MetricsSource, Samples


class WatchedSource:
    """A ``MetricsSource`` in front of another one.

    ``advance`` is told the share of ``[start_s, end_s)`` that was read, 0 to 1 and never less than
    before: a history is read from its oldest part on.
    """

    def __init__(
        self, source: MetricsSource, start_s: int, end_s: int, advance: Callable[[float], None]
    ) -> None:
        self._source = source
        self._start_s = start_s
        self._length_s = max(end_s - start_s, 1)
        self._advance = advance
        self._share = 0.0

    def metrics(self) -> frozenset[str]:
        """Return the metrics of the source behind."""
        return self._source.metrics()

    def read(self, metric: str, start_s: int, end_s: int, step_s: int) -> Samples:
        """Read from the source behind, then tell how far that is."""
        samples = self._source.read(metric, start_s, end_s, step_s)
        share = min((end_s - self._start_s) / self._length_s, 1.0)
        if share > self._share:
            self._share = share
            self._advance(share)
        return samples
