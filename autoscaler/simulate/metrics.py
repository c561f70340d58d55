"""A metrics source that remembers what the simulated workers used.

It answers as Prometheus would: all samples of one metric between two times.  An outage can be
stated, for as long as which every read fails.
"""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING

import numpy as np

from autoscaler.errors import SourceUnavailableError
from autoscaler.sources.source import Metric, Samples

if TYPE_CHECKING:
    from collections.abc import Mapping

    from recommender.observation import Bools, Floats, Ints

METRICS = (
    Metric.TFLOPS,
    Metric.VRAM_BYTES,
    Metric.EFFECTIVE_SHARE_PERCENT,
    Metric.THROTTLED_RATIO,
    Metric.VRAM_DENIED,
)


class SimulatedMetrics:
    """Samples in the order of time, one chunk per step of the cluster."""

    def __init__(self) -> None:
        self.is_down = False
        self._labels: tuple[Mapping[str, str], ...] = ()
        self._new_labels: list[Mapping[str, str]] = []
        self._end_s: list[int] = []
        self._series: list[Ints] = []
        self._ts: list[Ints] = []
        self._values: dict[str, list[Floats]] = {str(metric): [] for metric in METRICS}

    def add_series(self, labels: Mapping[str, str]) -> int:
        """Return the number of a new series."""
        self._new_labels.append(labels)
        return len(self._labels) + len(self._new_labels) - 1

    def record(
        self, ts: Ints, series: Ints, values: Mapping[Metric, Floats], is_missing: Bools
    ) -> None:
        """Append samples of ``[S]`` moments and ``[D]`` series; values and gaps are ``[S, D]``."""
        kept = ~is_missing.ravel()
        self._end_s.append(int(ts[-1]) + 1)
        self._series.append(np.tile(series, len(ts))[kept].astype(np.int32))
        self._ts.append(np.repeat(ts, len(series))[kept])
        for metric, column in values.items():
            self._values[metric].append(column.ravel()[kept].astype(np.float32))

    def metrics(self) -> frozenset[str]:
        """Return the metrics that the simulated agent exports."""
        return frozenset(self._values)

    def read(self, metric: str, start_s: int, end_s: int, step_s: int) -> Samples:  # noqa: ARG002
        """Return samples with ``start_s <= ts < end_s`` as they were scraped.

        Raises ``SourceUnavailableError`` during an outage.
        """
        if self.is_down:
            raise SourceUnavailableError("the simulated metrics source is down")
        if self._new_labels:
            self._labels = (*self._labels, *self._new_labels)
            self._new_labels = []
        first = bisect_left(self._end_s, start_s + 1)
        last = bisect_left(self._end_s, end_s) + 1
        chunks = self._values.get(metric, [])[first:last]
        ts = np.concatenate([np.empty(0, np.int64), *self._ts[first:last]])
        series = np.concatenate([np.empty(0, np.int32), *self._series[first:last]])
        value = np.concatenate([np.empty(0, np.float32), *chunks])
        if len(value) != len(ts):
            return Samples(series=series[:0], ts=ts[:0], value=value[:0], labels=self._labels)
        wanted = (ts >= start_s) & (ts < end_s)
        if metric == Metric.VRAM_DENIED:
            wanted &= value > 0
        return Samples(
            series=series[wanted], ts=ts[wanted], value=value[wanted], labels=self._labels
        )
