"""How large a series usually is: what errors, features and losses are measured in.

A share of the highest use ever would be set by one spike for weeks; a mean would explode where a
workload idles first.  What needs a look at whole days is made anew once an hour.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from recommender.forecast.past import DAYS_KEPT, Past, highest, quantiles
from recommender.observation import Floats

HALF_LIFE_DAYS = 14.0
HOURS_KEPT = 24 * DAYS_KEPT
DAY_LEVELS = (0.5, 0.9, 1.0)
HOUR_LEVELS = (0.5, 0.9, 1.0)
USUAL = HOUR_LEVELS.index(0.9)
LEAST_SHARE = 0.05
"""Of the highest use, which counts less from day to day."""
SMALLEST = 1e-9
CEILING_RATIO = 1.25
YOUNG_RATIO = 0.75
"""Beyond the former, on the first day: what is new has not shown its highest use yet."""


@dataclass(slots=True)
class Standing:
    """Of all series, kept up to date block by block."""

    peak: Floats
    """[S] highest use, which halves in 14 days."""
    highest: Floats
    """[S] highest use ever."""
    seen: Floats
    """[S] blocks with use."""
    day: Floats
    """[L, S] quantiles at ``DAY_LEVELS`` of the blocks of the last day."""
    hours: Floats
    """[L, S] quantiles at ``HOUR_LEVELS`` of the hours' highest use in the last 7 days."""
    hour_tops: NDArray[np.float32]
    """[HOURS_KEPT, S] highest use of each hour; a ring.  [0, S] where blocks are hours."""
    blocks: int = 0

    @classmethod
    def empty(cls, series: int, hour: int) -> Standing:
        """Return that of series without use; ``hour`` is blocks of an hour."""
        return cls(
            peak=np.zeros(series),
            highest=np.zeros(series),
            seen=np.zeros(series),
            day=np.full((len(DAY_LEVELS), series), np.nan),
            hours=np.full((len(HOUR_LEVELS), series), np.nan),
            hour_tops=_no_hours(hour, series),
        )

    @classmethod
    def caught_up(cls, past: Past, blocks: int) -> Standing:
        """Return that of series which were advanced with each block of the past that is held.

        ``blocks`` is how many went by for the series beside them.
        """
        week = past.last(HOURS_KEPT * past.hour)
        ages = np.arange(len(week))[::-1]
        faded = week * (0.5 ** (ages / (HALF_LIFE_DAYS * past.day)))[:, None]
        hour_tops = _no_hours(past.hour, past.series)
        if past.hour > 1:
            hours = (blocks - 1 - ages) // past.hour
            kept = hours > (blocks - 1) // past.hour - HOURS_KEPT
            np.fmax.at(hour_tops, hours[kept] % HOURS_KEPT, week[kept])
        return cls(
            peak=np.nan_to_num(highest(faded)),
            highest=np.nan_to_num(highest(week)),
            seen=(~np.isnan(week)).sum(axis=0).astype(np.float64),
            day=quantiles(past.last(past.day), DAY_LEVELS),
            hours=_quantiles_of_hours(past, hour_tops),
            hour_tops=hour_tops,
            blocks=blocks,
        )

    def advance(self, past: Past) -> None:
        """Take the newest block."""
        newest = past.lag(0)
        known = np.nan_to_num(newest)
        self.peak = np.maximum(self.peak * 0.5 ** (1 / (HALF_LIFE_DAYS * past.day)), known)
        self.highest = np.maximum(self.highest, known)
        self.seen = self.seen + ~np.isnan(newest)
        hour, begun = divmod(self.blocks, past.hour)
        if past.hour > 1:
            before = self.hour_tops[hour % HOURS_KEPT] if begun else np.nan
            self.hour_tops[hour % HOURS_KEPT] = np.fmax(before, newest)
        is_young = self.blocks < past.day // 4
        if is_young or begun == past.hour - 1:
            self.day = past.in_parts(lambda part, _: quantiles(part.last(part.day), DAY_LEVELS))
            self.hours = _quantiles_of_hours(past, self.hour_tops)
        self.blocks += 1

    @property
    def scale(self) -> Floats:
        """[S] the unit of a series; never 0."""
        least = np.maximum(LEAST_SHARE * self.peak, SMALLEST)
        return np.asarray(np.maximum(np.nan_to_num(self.hours[USUAL]), least), np.float64)

    def ceiling(self, day: int) -> Floats:
        """Return the most that a forecast may say, ``[S]``; ``day`` is blocks of a day."""
        young = YOUNG_RATIO * np.exp(-self.seen / day)
        return np.asarray((CEILING_RATIO + young) * self.highest, np.float64)


def _no_hours(hour: int, series: int) -> NDArray[np.float32]:
    return np.full((HOURS_KEPT if hour > 1 else 0, series), np.nan, np.float32)


def _quantiles_of_hours(past: Past, hour_tops: NDArray[np.float32]) -> Floats:
    if past.hour > 1:
        return quantiles(hour_tops, HOUR_LEVELS)
    # where blocks are hours the past has them already, however far a forecast may look back
    hours = replace(past, reach=None)
    return hours.in_parts(lambda few, _: quantiles(few.last(HOURS_KEPT), HOUR_LEVELS))
