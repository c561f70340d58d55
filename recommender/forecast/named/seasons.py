"""The day's and the week's season of a series, by STL (Cleveland et al. 1990) of statsmodels.

The season is the same on every day (every week) of a history: one that may drift follows noise
where there are only a few cycles.  Day and week together are found as by MSTL (Bandara, Hyndman
and Bergmeir 2021).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from recommender.forecast.named.steps import filled
from recommender.observation import Bools, Floats

DAY_HOURS = 24
WEEK_HOURS = 7 * DAY_HOURS
LEAST_WEEKS = 2
ROUNDS = 2
LEAST_ROBUST_CYCLES = 3
"""Of two cycles nobody can say which one is the outlier: both would count for nothing, and where
none does, STL takes the season for what was measured, to the last hour."""
JUMPS_A_PERIOD = 10
"""Smooth curves are computed at so many points of a period and lines drawn between them: a tenth
of the time, strengths that differ in the second digit of noise only."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Seasons:
    """Of many series; NaN in a series that was left out."""

    day_ratio: Floats
    """[S] strength of the day's season, 0 to 1."""
    week_ratio: Floats
    """[S] strength of the week's; NaN below two weeks."""
    level: Floats
    """[T, S] use without its seasons, gaps filled; NaN before the first value."""


class _Parts(NamedTuple):
    """One series: its seasons ``[K, N]``, day first, and what they and the trend leave ``[N]``."""

    seasons: Floats
    remainder: Floats


def seasons_of(hours: Floats, is_wanted: Bools) -> Seasons:
    """Return the seasons of the wanted columns of ``hours``, ``[T, S]``."""
    count = hours.shape[1]
    day, week = np.full(count, np.nan), np.full(count, np.nan)
    level = np.full_like(hours, np.nan)
    for i in np.flatnonzero(is_wanted):
        begin = int(np.flatnonzero(~np.isnan(hours[:, i]))[0])
        known = ~np.isnan(hours[begin:, i])
        whole = filled(hours[:, i], DAY_HOURS)
        parts = _decomposed(whole)
        strength = [_strength(season, parts.remainder, known) for season in parts.seasons]
        day[i] = strength[0]
        if len(strength) > 1:
            week[i] = strength[1]
        level[begin:, i] = whole - parts.seasons.sum(axis=0)
    return Seasons(day_ratio=day, week_ratio=week, level=level)


def _decomposed(values: Floats) -> _Parts:
    """Take the day out of what is left by the week, and the week by the day, twice.

    That is MSTL; the one of statsmodels leaves out the week of exactly two weeks.
    """
    from statsmodels.tsa.seasonal import STL

    periods = (DAY_HOURS, WEEK_HOURS) if len(values) >= LEAST_WEEKS * WEEK_HOURS else (DAY_HOURS,)
    seasons = np.zeros((len(periods), len(values)))
    trend = np.zeros(len(values))
    for _ in range(ROUNDS if len(periods) > 1 else 1):
        for season, period in zip(seasons, periods, strict=True):
            season[:] = 0.0
            rest = values - seasons.sum(axis=0)
            made = STL(
                rest,
                period=period,
                seasonal=10 * len(values) + 1,
                seasonal_deg=0,
                seasonal_jump=len(values) // period,
                trend_jump=-(-period // JUMPS_A_PERIOD),
                low_pass_jump=-(-period // JUMPS_A_PERIOD),
                robust=len(values) // period >= LEAST_ROBUST_CYCLES,
            ).fit()
            season[:], trend = made.seasonal, made.trend
    return _Parts(seasons, values - seasons.sum(axis=0) - trend)


def _strength(season: Floats, remainder: Floats, known: Bools) -> float:
    """Return ``max(0, 1 - Var(R) / Var(S + R))`` over what was measured (Wang et al. 2006)."""
    left = float(np.var(remainder[known]))
    both = float(np.var((season + remainder)[known]))
    return max(0.0, 1 - left / both) if both > 0 else 0.0
