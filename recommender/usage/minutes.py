"""From samples to one-minute blocks per worker: maximum, mean, and whether one was saturated."""

from __future__ import annotations

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


def minutes_of(worker: Ints, ts: Ints, value: Floats, saturated: Bools) -> Minutes:
    """Reduce samples (at least one) to minutes; of two under one stamp the larger counts."""
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
