"""From samples to one-minute blocks per worker: maximum, mean, and whether one was saturated.

Some sources aggregate to minutes themselves.  Where a minute has both, what the source made of all
its samples is the mean, because the single ones may be a part of them; the largest value of either
is the maximum, and a saturated sample of either saturates it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from recommender.observation import Bools, Floats, Ints

MINUTE_S = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Minutes:
    """One row per worker and minute, ``[n]`` each, in any order, each pair once."""

    worker: Ints
    minute: Ints
    """Number of the minute since the epoch."""
    top: Floats
    mean: Floats
    is_saturated: Bools
    duplicates: int = 0
    """Samples that fell on a stamp of their worker that was there already."""

    def __len__(self) -> int:
        return len(self.worker)

    def taken(self, rows: Ints) -> Minutes:
        """Return some of them."""
        return Minutes(
            worker=self.worker[rows],
            minute=self.minute[rows],
            top=self.top[rows],
            mean=self.mean[rows],
            is_saturated=self.is_saturated[rows],
        )


@dataclass(frozen=True, slots=True)
class Groups:
    """Rows sorted by a key: ``order`` sorts them, ``start`` begins each group."""

    order: Ints
    start: Ints
    first: Ints
    """A row of each group, to read its key from."""

    def largest(self, values: Floats) -> Floats:
        """Return each group's maximum."""
        return np.maximum.reduceat(values[self.order], self.start)

    def total(self, values: Floats) -> Floats:
        """Return each group's sum."""
        return np.add.reduceat(values[self.order], self.start)

    def size(self) -> Ints:
        """Return each group's number of rows."""
        return np.diff(np.append(self.start, len(self.order)))


def grouped(major: Ints, minor: Ints) -> Groups:
    """Group rows by the pair (major, minor); both hold no negative numbers."""
    low = int(minor.min())
    key = major * (int(minor.max()) - low + 1) + (minor - low)
    order = np.argsort(key, kind="stable")
    ordered = key[order]
    start = np.flatnonzero(np.append([True], ordered[1:] != ordered[:-1]))
    return Groups(order, start, order[start])


def minutes_of(
    worker: Ints, ts: Ints, value: Floats, saturated: Bools, top: Floats | None = None
) -> Minutes:
    """Reduce samples (at least one) to minutes; of two under one stamp the larger counts.

    Where ``top`` is a number, ``value`` is the mean of its minute and ``top`` the maximum; NaN, and
    everywhere without ``top``: a single sample.
    """
    is_minute = np.zeros(len(ts), np.bool_) if top is None else ~np.isnan(top)
    if top is None or not is_minute.any():
        return _of_samples(worker, ts, value, saturated)
    if is_minute.all():
        return _of_minutes(worker, ts, value, saturated, top)
    rest = ~is_minute
    return _merged(
        _of_minutes(
            worker[is_minute], ts[is_minute], value[is_minute], saturated[is_minute], top[is_minute]
        ),
        _of_samples(worker[rest], ts[rest], value[rest], saturated[rest]),
    )


def minutes_until(minutes: Minutes | None, stops_s: Sequence[int]) -> list[Minutes | None]:
    """Return the minutes before each stop (ascending) and not before an earlier one; None: none."""
    if minutes is None:
        return [None for _ in stops_s]
    if len(stops_s) == 1:
        return [minutes]
    order = np.argsort(minutes.minute, kind="stable")
    ends = np.searchsorted(minutes.minute[order], np.asarray(stops_s) // MINUTE_S)
    begins = [0, *ends[:-1].tolist()]
    return [
        minutes.taken(order[begin:end]) if end > begin else None
        for begin, end in zip(begins, ends.tolist(), strict=True)
    ]


def _of_samples(worker: Ints, ts: Ints, value: Floats, saturated: Bools) -> Minutes:
    stamps = grouped(worker, ts)
    duplicates = len(ts) - len(stamps.first)
    worker, ts = worker[stamps.first], ts[stamps.first]
    value = stamps.largest(value)
    saturated = stamps.largest(saturated.astype(np.float64)) > 0
    minute = ts // MINUTE_S
    groups = grouped(worker, minute)
    return Minutes(
        worker=worker[groups.first],
        minute=minute[groups.first],
        top=groups.largest(value),
        mean=groups.total(value) / groups.size(),
        is_saturated=groups.largest(saturated.astype(np.float64)) > 0,
        duplicates=duplicates,
    )


def _of_minutes(worker: Ints, ts: Ints, mean: Floats, saturated: Bools, top: Floats) -> Minutes:
    minute = ts // MINUTE_S
    groups = grouped(worker, minute)
    return Minutes(
        worker=worker[groups.first],
        minute=minute[groups.first],
        top=groups.largest(top),
        mean=groups.largest(mean),
        is_saturated=groups.largest(saturated.astype(np.float64)) > 0,
        duplicates=len(ts) - len(groups.first),
    )


def _merged(aggregated: Minutes, single: Minutes) -> Minutes:
    parts = aggregated, single
    worker = np.concatenate([part.worker for part in parts])
    minute = np.concatenate([part.minute for part in parts])
    saturated = np.concatenate([part.is_saturated for part in parts])
    # the order within a group is that of the rows: the aggregated one, where there is one, is first
    groups = grouped(worker, minute)
    return Minutes(
        worker=worker[groups.first],
        minute=minute[groups.first],
        top=groups.largest(np.concatenate([part.top for part in parts])),
        mean=np.concatenate([part.mean for part in parts])[groups.first],
        is_saturated=groups.largest(saturated.astype(np.float64)) > 0,
        duplicates=aggregated.duplicates + single.duplicates,
    )
