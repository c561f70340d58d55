"""What the fleet's model is told of a series: its recent use, its days and its week, and its fleet.

All is relative to the level of the series, so that one model serves all of them; no name, no age
beyond three classes and no calendar is in it, for it would learn when its history was taken.
Workloads of one fleet often share what drives them (users, a service in front of them), so that
what all of them do now says what one of them will do next.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from recommender.forecast.fleet_sum import fleet_sum
from recommender.forecast.past import DAYS_KEPT, Past, average, deviation, highest, quantiles
from recommender.forecast.standing import Standing
from recommender.observation import Bools, Floats

RECENT = (3, 6, 12, 36)
"""Blocks."""
AROUND = (-1, 0, 1, 2)
"""Blocks beside the one that a forecast is about, of an earlier day."""
OF_FLEET = 7
"""Features that are the same for all series."""
SMALLEST_SHARE = 0.003
LARGEST_SHARE = 10.0

Matrix = NDArray[np.float32]


def features_of(past: Past, standing: Standing) -> Matrix:
    """Return ``[S, F]``; NaN where a series is too young for one."""
    scale, fleet = standing.scale, _of_fleet(past, standing)

    def of_some(part: Past, few: slice) -> Floats:
        levels = *standing.day[:, few], *standing.hours[:, few]
        amounts = np.stack([*_recent(part), *levels, *_earlier_days(part)])
        with np.errstate(invalid="ignore"):
            shares = np.clip(amounts / scale[few], 0.0, LARGEST_SHARE)
            logs = np.log(shares + SMALLEST_SHARE)
        days = standing.seen[few] / part.day
        age = np.where(days < 1, 0.0, np.where(days < DAYS_KEPT, 1.0, 2.0))
        of_all = np.broadcast_to(fleet[:, None], (OF_FLEET, part.series))
        return np.concatenate([logs, age[None], _idle_shares(part, scale[few]), of_all])

    return np.ascontiguousarray(past.in_parts(of_some).T, np.float32)


def _recent(past: Past) -> list[Floats]:
    means = past.last_means(max(RECENT))
    found = [past.lag(0), past.lag(1), past.lag(2), average(means[-1:]), average(means[-2:-1])]
    top = past.last(max(RECENT))
    for blocks in RECENT:
        found += [highest(top[-blocks:]), average(means[-blocks:])]
    if past.latest is not None:
        found.append(past.latest_mean())
    return [*found, deviation(top[-12:]), np.fmin.reduce(top[-12:], axis=0, initial=np.nan)]


def _earlier_days(past: Past) -> list[Floats]:
    """Return the same time yesterday, the day before and last week, and over all days."""
    offset = np.array(AROUND)
    ago = np.arange(1, DAYS_KEPT + 1)[:, None] * past.day - 1 - offset
    beside = past.lags(ago.ravel()).reshape(*ago.shape, past.series)
    same = np.fmax.reduce(beside[:, np.abs(offset) <= 1], axis=1)
    found: list[Floats] = []
    for days in (1, 2, 7):
        found += [*beside[days - 1], same[days - 1]]
    coming = past.last(past.hour, ago=past.day - 1 - past.hour)
    return [*found, average(same), highest(same), quantiles(same, (0.5,))[0], highest(coming)]


def _of_fleet(past: Past, standing: Standing) -> Floats:
    """Return how high all series stand: lately, in the last day, and yesterday, ``[OF_FLEET]``.

    Means of their shares, whatever their sizes; NaN where no series is known.
    """
    means = past.last_means(12)
    lately = [past.latest_mean(), past.lag(0), average(means[-3:]), average(means)]
    yesterday = [past.lag(past.day), past.lag(past.day - 1)]
    amounts = np.stack([*lately, standing.day[0], *yesterday])
    shares = np.clip(amounts / standing.scale, 0.0, LARGEST_SHARE)
    count = np.count_nonzero(~np.isnan(shares), axis=1)
    return np.where(count > 0, fleet_sum(shares, axis=1) / np.maximum(count, 1), np.nan)


def _idle_shares(past: Past, scale: Floats) -> Floats:
    """Return the share of idle blocks of the last twelve and of the last day, ``[2, S]``."""
    day = past.last(past.day)
    idle, known = day <= 0.01 * scale, ~np.isnan(day)
    return np.stack([_share(idle[-12:], known[-12:]), _share(idle, known)])


def _share(holds: Bools, known: Bools) -> Floats:
    """Return in which share of the known blocks something holds, ``[S]``; NaN: none is known."""
    count = np.count_nonzero(known, axis=0)
    share = np.count_nonzero(holds, axis=0) / np.maximum(count, 1)
    return np.where(count > 0, share, np.nan)
