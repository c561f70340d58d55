"""Recorded usage as a metrics source: the loop asks a file as it would ask Prometheus.

Reading and cleaning of the file is ``usage_rows``; what is in force is ``recorded_cluster``.
"""

from __future__ import annotations

import numpy as np

from autoscaler.sources.recorded_usage import RecordedUsage
from autoscaler.sources.source import Samples


class RecordedSource:
    """A ``MetricsSource`` over one file of recorded usage."""

    def __init__(self, usage: RecordedUsage) -> None:
        self._usage = usage
        self._values = {
            name: column.value.astype(np.float32) for name, column in usage.columns.items()
        }

    @property
    def usage(self) -> RecordedUsage:
        """The usage behind this source."""
        return self._usage

    def metrics(self) -> frozenset[str]:
        """Return the resources of the file."""
        return frozenset(self._usage.columns)

    def step_s(self, metric: str) -> int:
        """Return the distance of the samples of one metric, in seconds."""
        return self._usage.columns[metric].step_s

    def read(self, metric: str, start_s: int, end_s: int, step_s: int) -> Samples:  # noqa: ARG002 - a file answers in its own step
        """Return the samples with ``start_s <= ts < end_s``, ordered by time."""
        column = self._usage.columns.get(metric)
        if column is None:
            nothing = np.empty(0, np.int64)
            return Samples(
                series=nothing.astype(np.int32),
                ts=nothing,
                value=nothing.astype(np.float32),
                labels=self._usage.labels,
            )
        first, last = np.searchsorted(column.ts, [start_s, end_s])
        return Samples(
            series=column.series[first:last],
            ts=column.ts[first:last],
            value=self._values[metric][first:last],
            labels=self._usage.labels,
        )
