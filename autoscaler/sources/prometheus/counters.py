"""From counters to what happened in each interval, resets included.

A counter loses nothing between two scrapes, which a rate over a window does: it sees neither the
first nor the last piece of its window.  So neighbouring samples are subtracted here.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recommender.observation import Floats, Ints

LONGEST_INTERVAL_S = 300
"""A share of a longer interval says nothing about the sample at its end."""


@dataclass(frozen=True, slots=True)
class Increments:
    """What a counter gained, one row per interval, in the order of series and time."""

    series: Ints
    ts: Floats
    """End of the interval, in seconds."""
    gained: Floats
    interval_s: Floats


def increments(series: NDArray[np.integer[Any]], ts: Floats, value: Floats) -> Increments:
    """Return what each series gained between neighbouring samples; ``[n]`` each, in any order.

    A counter that fell was reset, and gained what it shows since.  The first sample of a series has
    no interval: when it began to count is not known.  Samples that are no finite number are left
    out, and of samples under one stamp the larger counts.
    """
    kept = np.isfinite(value) & np.isfinite(ts)
    series, ts, value = series[kept], ts[kept], value[kept]
    order = np.lexsort((value, ts, series))
    series, ts, value = series[order], ts[order], value[order]
    is_last = np.ones(len(ts), np.bool_)
    is_last[:-1] = (series[1:] != series[:-1]) | (ts[1:] != ts[:-1])
    series, ts, value = series[is_last], ts[is_last], value[is_last]
    follows = np.flatnonzero(series[1:] == series[:-1]) + 1
    before, after = value[follows - 1], value[follows]
    return Increments(
        series=series[follows].astype(np.int64),
        ts=ts[follows],
        gained=np.where(after >= before, after - before, after),
        interval_s=ts[follows] - ts[follows - 1],
    )


def shares_of_time(gained: Increments) -> tuple[Ints, Floats, Floats]:
    """Return (series, ts, share 0 to 1) of a counter of seconds, for intervals up to 5 minutes.

    Scrapes are not exactly as far apart as their stamps say, so that a share can pass 1 a little.
    """
    kept = gained.interval_s <= LONGEST_INTERVAL_S
    share = np.clip(gained.gained[kept] / gained.interval_s[kept], 0.0, 1.0)
    return gained.series[kept], gained.ts[kept], share


def events(gained: Increments) -> tuple[Ints, Floats, Floats]:
    """Return (series, ts, count) of the intervals in which a counter of events grew."""
    kept = gained.gained > 0
    return gained.series[kept], gained.ts[kept], gained.gained[kept]
