"""What a source must give for a history that is known sample by sample."""

from collections import defaultdict

import numpy as np

from autoscaler.sources.source import Samples
from tests.components.worker_metrics import WorkerMetric
from tests.components.worker_series import History

Table = dict[tuple[str, int], float]
"""(worker, stamp) to value."""


def raw_samples(history: History, metric: WorkerMetric, start_s: int, end_s: int) -> Table:
    """Return the samples with ``start_s <= ts < end_s`` that are finite, by their whole second."""
    table = {}
    for worker, ts_ms, value in _series(history, metric):
        inside = (ts_ms >= 1000 * start_s) & (ts_ms < 1000 * end_s)
        table |= {
            (worker, int(ms) // 1000): float(v)
            for ms, v in zip(ts_ms[inside], value[inside], strict=True)
        }
    return table


def minute_blocks(
    history: History, metric: WorkerMetric, start_s: int, end_s: int
) -> tuple[Table, Table]:
    """Return mean and maximum of each minute that holds only finite samples."""
    means, tops = {}, {}
    for worker, ts_ms, value in _series(history, metric, only_finite=False):
        minutes = defaultdict(list)
        for ms, v in zip(ts_ms.tolist(), value.tolist(), strict=True):
            if 1000 * start_s <= ms < 1000 * end_s:
                minutes[ms // 60_000 * 60].append(v)
        for minute, values in minutes.items():
            if np.isfinite(values).all():
                means[worker, minute] = float(np.mean(values))
                tops[worker, minute] = max(values)
    return means, tops


def gains(history: History, metric: WorkerMetric, start_s: int, end_s: int) -> Table:
    """Return what a counter gained in the interval that ends at each sample."""
    table = {}
    for worker, ts_ms, value in _series(history, metric):
        gained = np.diff(value)
        gained = np.where(gained < 0, value[1:], gained)
        for ms, v in zip(ts_ms[1:].tolist(), gained.tolist(), strict=True):
            if 1000 * start_s <= ms < 1000 * end_s:
                table[worker, ms // 1000] = v
    return table


def of_samples(samples: Samples, values: np.ndarray | None = None) -> Table:
    """Return the finite samples of an answer; each (worker, stamp) may be there once."""
    values = samples.value if values is None else values
    workers = [label["worker"] for label in samples.labels]
    table: Table = {}
    for series, ts, value in zip(
        samples.series.tolist(), samples.ts.tolist(), values.tolist(), strict=True
    ):
        if np.isfinite(value):
            key = workers[series], ts
            assert key not in table, f"{key} was delivered twice"
            table[key] = value
    return table


def assert_equal(actual: Table, expected: Table) -> None:
    """Compare stamps exactly and values within float32."""
    assert actual.keys() == expected.keys()
    keys = sorted(expected)
    np.testing.assert_allclose(
        [actual[key] for key in keys], [expected[key] for key in keys], rtol=2e-6, atol=1e-6
    )


def _series(history: History, metric: WorkerMetric, *, only_finite: bool = True):
    for series in history.series(metric):
        kept = np.isfinite(series.value) if only_finite else np.ones(len(series.value), bool)
        yield series.labels["worker"], series.ts_ms[kept], series.value[kept]
