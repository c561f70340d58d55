"""A source that aggregates histories to minutes as a Prometheus does, and its failures."""

from __future__ import annotations

import numpy as np

from autoscaler.errors import SourceUnavailableError
from autoscaler.sources.source import Samples


class MinuteSource:
    """Series from arrays; metrics in ``down`` fail, and metrics in ``partial`` answer in part.

    Asked for steps of a minute or more, it answers with means and maxima of whole blocks, where
    ``aggregates`` says so; else with its own samples, as a recorded file does.
    """

    def __init__(self, *metrics, aggregates=True):
        self._series = {metric: [] for metric in metrics}
        self._labels = dict.fromkeys(metrics, ())
        self.aggregates = aggregates
        self.down = set()
        self.partial = set()
        self.reads = []

    def add(self, metric, ts, value, **labels):
        """Append a series; ``value`` may be one number for all stamps."""
        ts = np.asarray(ts, np.int64)
        named = {"namespace": "team", "workload": "chat", "worker": "chat-0"} | labels
        self._series[metric].append((ts, np.broadcast_to(np.asarray(value, np.float64), len(ts))))
        self._labels[metric] = (*self._labels[metric], named)

    def spans(self, metric):
        return [(start, end, step) for name, start, end, step in self.reads if name == metric]

    def metrics(self):
        return frozenset(self._series)

    def read(self, metric, start_s, end_s, step_s):
        self.reads.append((metric, start_s, end_s, step_s))
        if metric in self.down:
            raise SourceUnavailableError(f"{metric} cannot be read")
        blocks = self.aggregates and step_s >= 60
        columns = [
            _column(i, ts, value, (start_s, end_s), step_s if blocks else None)
            for i, (ts, value) in enumerate(self._series[metric])
        ]
        series, ts, value, top = (
            np.concatenate([np.empty(0), *(column[k] for column in columns)]) for k in range(4)
        )
        is_partial = metric in self.partial
        return Samples(
            series=series.astype(np.int32),
            ts=ts.astype(np.int64),
            value=value.astype(np.float32),
            top=top.astype(np.float32) if blocks else None,
            labels=self._labels[metric],
            is_partial=is_partial,
            warnings=(f"one store did not answer for {metric}",) if is_partial else (),
        )


def _column(series, ts, value, span, block_s):
    seen = (ts >= span[0]) & (ts < span[1])
    ts, value = ts[seen], value[seen]
    if block_s is not None and len(ts):
        start, first = np.unique(ts // block_s * block_s, return_index=True)
        count = np.diff(np.append(first, len(ts)))
        mean = np.add.reduceat(value, first) / count
        return np.full(len(start), series), start, mean, np.maximum.reduceat(value, first)
    return np.full(len(ts), series), ts, value, value
