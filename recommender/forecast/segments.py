"""Parts of the day with a level each: what a request is planned by.

One level for all day pays for the night as if it were noon, and one for each hour changes too
often.  Up to four parts are the cheapest way between the two.  A day is a circle: a part may last
over midnight.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recommender.observation import Bools, Floats, Ints

HOURS = 24
MOST_SEGMENTS = 4
LEAST_SAVING = 0.1
"""Less than this share of one level for all day is not worth the changes."""
SEGMENT_PRICE = 0.02
"""A further segment saves at least this share of one level for all day."""
_BATCH = 128
"""Series at once: what is kept for each of them fits into a cache."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Segments:
    """The levels of a day, ``[24, S]``."""

    level: Floats
    """Highest hour of the segment that an hour belongs to; NaN where one level lasts all day."""
    edge: Bools
    """Whether a segment with another level begins with the hour."""


def daily_segments(profile: Floats) -> Segments:
    """Return the segments of days with these hours, ``[24, S]``; NaN: nothing is known of an hour.

    The sum of their levels over the hours, with a price for each segment, is the smallest that up
    to four of them have.  An hour that is not known may be the highest of all.
    """
    level = np.full(profile.shape, np.nan)
    known = np.flatnonzero(~np.isnan(profile).all(axis=0))
    for start in range(0, len(known), _BATCH):
        batch = known[start : start + _BATCH]
        hours = profile[:, batch]
        highest = np.nanmax(hours, axis=0)
        found = _levels(np.where(np.isnan(hours), highest, hours))
        saves = found.sum(axis=0) <= (1 - LEAST_SAVING) * HOURS * highest
        level[:, batch] = np.where(saves & (highest > 0), found, np.nan)
    before = np.roll(level, 1, axis=0)
    return Segments(level=level, edge=(level != before) & ~np.isnan(level))


def _levels(hours: Floats) -> Floats:
    """Return the cheapest levels of known hours, ``[24, S]``.

    A day of four segments is two arcs of two segments each, so that only arcs need be tried.
    """
    highest = _highest(hours)
    price = SEGMENT_PRICE * HOURS * highest[HOURS, 0]
    cost = highest * np.arange(HOURS + 1)[:, None, None] + price
    pair = _pairs(cost)
    twice = np.concatenate([pair, pair], axis=1)
    best, length = pair[HOURS], np.full(hours.shape, HOURS, np.int64)
    for first in range(1, HOURS):
        both = pair[first] + twice[HOURS - first, first : first + HOURS]
        length = np.where(both < best, first, length)
        best = np.minimum(both, best)
    series = np.arange(hours.shape[1])
    begin = best.argmin(axis=0)
    first = length[begin, series]
    level = np.empty_like(hours)
    for arc_begin, arc in ((begin, first), ((begin + first) % HOURS, HOURS - first)):
        split = _cut(cost, arc, arc_begin)
        for at, lasts in ((arc_begin, split), ((arc_begin + split) % HOURS, arc - split)):
            inside = (np.arange(HOURS)[:, None] - at) % HOURS < lasts
            level = np.where(inside, highest[lasts, at, series], level)
    return level


def _highest(hours: Floats) -> Floats:
    """Return the highest hour of each arc by its length and first hour, ``[25, 24, S]``."""
    highest = np.zeros((HOURS + 1, *hours.shape))
    highest[1] = hours
    for length in range(2, HOURS + 1):
        newest = np.roll(hours, 1 - length, axis=0)
        highest[length] = np.maximum(highest[length - 1], newest)
    return highest


def _pairs(cost: Floats) -> Floats:
    """Return what an arc costs as one or two segments, the cheaper of them.

    ``cost`` and the result are ``[25, 24, S]``, by the length and the first hour of the arc.
    """
    pair, twice = cost.copy(), np.concatenate([cost, cost], axis=1)
    both = np.empty(cost.shape[1:])
    for length in range(2, HOURS + 1):
        for first in range(1, length):
            np.add(cost[first], twice[length - first, first : first + HOURS], out=both)
            np.minimum(pair[length], both, out=pair[length])
    return pair


def _cut(cost: Floats, arc: Ints, begin: Ints) -> Ints:
    """Return how long the first segment of one arc of each series is, ``[S]``; all of it: one."""
    first, series = np.arange(1, HOURS)[:, None], np.arange(len(arc))
    rest = np.maximum(arc - first, 0)
    both = cost[first, begin, series] + cost[rest, (begin + first) % HOURS, series]
    both = np.where(first < arc, both, np.inf)
    cheapest = both.argmin(axis=0)
    splits = both[cheapest, series] < cost[arc, begin, series]
    return np.where(splits, cheapest + 1, arc)
