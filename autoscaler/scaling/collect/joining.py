"""Bringing samples of several metrics and devices together, without a loop over samples.

Pure functions on columns; which metric means what is the collector's business.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from autoscaler.scaling.collect.series import UNLABELLED, SeriesRows
from recommender.observation import Bools, Floats, Ints

if TYPE_CHECKING:
    from autoscaler.sources.source import Samples

_STAMP_BITS = 37
"""Enough for stamps up to 10^11, above which a source refuses them; leaves 2^26 series."""

ROWS_FOR_STEP = 4096
SERIES_FOR_STEP = 64
ROWS_AT_ONCE = 1 << 18
"""Stamps are matched in parts, so that a long history takes little more memory than its columns."""


@dataclass(frozen=True, slots=True)
class Columns:
    """Samples of one metric, rows in any order; what a series says stands once, in ``table``."""

    table: SeriesRows
    index: NDArray[np.int32]
    """Row of ``table``."""
    ts: Ints
    value: NDArray[np.float32]
    top: NDArray[np.float32] | None = None
    """Maximum of each minute where the source aggregated; ``value`` is then its mean."""

    def __len__(self) -> int:
        return len(self.ts)

    @property
    def series(self) -> Ints:
        """Number of each sample's worker and device, the same in every metric."""
        return self.table.series[self.index]

    @property
    def worker(self) -> Ints:
        """Worker row of each sample."""
        return self.table.worker[self.index]

    @property
    def workload(self) -> Ints:
        """Workload row of each sample."""
        return self.table.workload[self.index]

    def taken(self, rows: Ints | Bools) -> Columns:
        """Return some rows."""
        top = None if self.top is None else self.top[rows]
        return Columns(self.table, self.index[rows], self.ts[rows], self.value[rows], top)


def columns_of(samples: Samples, table: SeriesRows) -> Columns:
    """Return samples as columns, without those of series that name no worker."""
    columns = Columns(
        table,
        samples.series.astype(np.int32, copy=False),
        samples.ts.astype(np.int64, copy=False),
        samples.value.astype(np.float32, copy=False),
        None if samples.top is None else samples.top.astype(np.float32, copy=False),
    )
    if not (table.series == UNLABELLED).any():
        return columns
    return columns.taken(columns.series != UNLABELLED)


def sample_keys(series: Ints, ts: Ints) -> Ints:
    """Return one number per (series, stamp), so that two metrics can be matched."""
    return (series << _STAMP_BITS) | ts


def values_at(wanted: Columns, offered: Columns | None) -> Floats:
    """Return the value that ``offered`` has at each (series, stamp) of ``wanted``; NaN: none.

    Of several values under one stamp the last one of the column counts.
    """
    if offered is None or not len(offered):
        return np.broadcast_to(np.float64(np.nan), len(wanted))
    keys = sample_keys(offered.series, offered.ts)
    order = np.argsort(keys, kind="stable")
    keys = keys[order]
    values = np.full(len(wanted), np.nan)
    for start in range(0, len(wanted), ROWS_AT_ONCE):
        part = slice(start, start + ROWS_AT_ONCE)
        asked = sample_keys(wanted.table.series[wanted.index[part]], wanted.ts[part])
        at = np.searchsorted(keys, asked, side="right") - 1
        found = (at >= 0) & (keys[at] == asked)
        values[part][found] = offered.value[order[at[found]]]
    return values


def highest_per_worker(samples: Columns) -> tuple[Ints, NDArray[np.float32] | None]:
    """Return the rows that stand for their worker: its device with the highest use, per stamp.

    With them the largest maximum of all its devices, where the source aggregated.  Rows with NaN
    lose against any number.
    """
    value = np.where(np.isnan(samples.value), -np.inf, samples.value)
    worker = samples.worker
    order = np.lexsort((value, samples.ts, worker))
    worker, ts = worker[order], samples.ts[order]
    is_last = np.ones(len(order), bool)
    is_last[:-1] = (worker[1:] != worker[:-1]) | (ts[1:] != ts[:-1])
    rows: Ints = order[is_last]
    if samples.top is None or not len(rows):
        return rows, samples.top
    first = np.append(0, np.flatnonzero(is_last)[:-1] + 1)
    return rows, np.fmax.reduceat(samples.top[order], first)


def summed_per_workload(samples: Columns) -> tuple[Ints, Ints, Floats]:
    """Return one sample per workload and stamp, under one of its workers: the sum over all.

    Returns (worker, ts, sum).  NaN counts as zero.
    """
    workload = samples.workload
    order = np.lexsort((samples.ts, workload))
    workload, ts = workload[order], samples.ts[order]
    is_first = np.ones(len(order), bool)
    is_first[1:] = (workload[1:] != workload[:-1]) | (ts[1:] != ts[:-1])
    first = np.flatnonzero(is_first)
    if not len(first):
        return samples.worker, samples.ts, samples.value.astype(np.float64)
    sums = np.add.reduceat(np.nan_to_num(samples.value[order].astype(np.float64)), first)
    return samples.worker[order[first]], ts[first], sums


def usual_step_s(samples: Columns) -> int | None:
    """Return the most frequent distance between neighbouring samples of a series.

    A few series are enough to tell; None where no two of their samples are neighbours.
    """
    few = np.unique(samples.index[:ROWS_FOR_STEP])[:SERIES_FOR_STEP]
    rows = np.flatnonzero(np.isin(samples.index, few))
    order = rows[np.lexsort((samples.ts[rows], samples.index[rows]))]
    series, ts = samples.index[order], samples.ts[order]
    steps = np.diff(ts)[(series[1:] == series[:-1]) & (ts[1:] > ts[:-1])]
    if not len(steps):
        return None
    distances, counts = np.unique(steps, return_counts=True)
    return int(distances[counts.argmax()])
