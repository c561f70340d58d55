"""Bringing samples of several metrics and devices together, without a loop over samples.

Pure functions on columns; which metric means what is the collector's business.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recommender.observation import Floats, Ints

_STAMP_BITS = 37
"""Enough for stamps up to 10^11, above which a source refuses them; leaves 2^26 series."""

ROWS_FOR_STEP = 4096
SERIES_FOR_STEP = 64


@dataclass(frozen=True, slots=True)
class Columns:
    """Samples of one metric, rows in any order."""

    series: Ints
    worker: Ints
    workload: Ints
    ts: Ints
    value: Floats
    is_shared: bool = False
    """Some worker has several series, one per device."""

    def __len__(self) -> int:
        return len(self.ts)

    def taken(self, rows: Ints) -> Columns:
        """Return some rows."""
        return Columns(
            self.series[rows],
            self.worker[rows],
            self.workload[rows],
            self.ts[rows],
            self.value[rows],
            self.is_shared,
        )


def sample_keys(series: Ints, ts: Ints) -> Ints:
    """Return one number per (series, stamp), so that two metrics can be matched."""
    return (series << _STAMP_BITS) | ts


def values_at(wanted: Columns, offered: Columns | None) -> Floats:
    """Return the value that ``offered`` has at each (series, stamp) of ``wanted``; NaN: none.

    Of several values under one stamp the last one of the column counts.
    """
    values = np.full(len(wanted), np.nan)
    if offered is None or not len(offered):
        return values
    offered_keys = sample_keys(offered.series, offered.ts)
    order = np.argsort(offered_keys, kind="stable")
    ordered = offered_keys[order]
    wanted_keys = sample_keys(wanted.series, wanted.ts)
    at = np.searchsorted(ordered, wanted_keys, side="right") - 1
    found = (at >= 0) & (ordered[at] == wanted_keys)
    values[found] = offered.value[order[at[found]]]
    return values


def highest_per_worker(samples: Columns) -> Ints:
    """Return the rows that stand for their worker: its device with the highest use, per stamp.

    Rows with NaN lose against any number.
    """
    value = np.where(np.isnan(samples.value), -np.inf, samples.value)
    order = np.lexsort((value, samples.ts, samples.worker))
    worker, ts = samples.worker[order], samples.ts[order]
    is_last = np.ones(len(order), bool)
    is_last[:-1] = (worker[1:] != worker[:-1]) | (ts[1:] != ts[:-1])
    rows: Ints = order[is_last]
    return rows


def summed_per_workload(samples: Columns) -> Columns:
    """Return one sample per workload and stamp, under one of its workers: the sum over all.

    NaN counts as zero.
    """
    order = np.lexsort((samples.ts, samples.workload))
    workload, ts = samples.workload[order], samples.ts[order]
    is_first = np.ones(len(order), bool)
    is_first[1:] = (workload[1:] != workload[:-1]) | (ts[1:] != ts[:-1])
    first = np.flatnonzero(is_first)
    if not len(first):
        return samples
    sums = np.add.reduceat(np.nan_to_num(samples.value[order]), first)
    one = samples.taken(order[first])
    return Columns(one.series, one.worker, one.workload, one.ts, sums)


def usual_step_s(samples: Columns) -> int | None:
    """Return the most frequent distance between neighbouring samples of a series.

    A few series are enough to tell; None where no two of their samples are neighbours.
    """
    few = np.unique(samples.series[:ROWS_FOR_STEP])[:SERIES_FOR_STEP]
    rows = np.flatnonzero(np.isin(samples.series, few))
    order = rows[np.lexsort((samples.ts[rows], samples.series[rows]))]
    series, ts = samples.series[order], samples.ts[order]
    steps = np.diff(ts)[(series[1:] == series[:-1]) & (ts[1:] > ts[:-1])]
    if not len(steps):
        return None
    distances, counts = np.unique(steps, return_counts=True)
    return int(distances[counts.argmax()])
