"""What a report says about a series: its day, its week, its trend, its steps, and what it is.

It looks back on a whole history and explains; no forecast is made of it and no decision rests on
it.  Everything is batched but the decomposition, which is fitted to one series after another.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from recommender.errors import ContractError
from recommender.forecast.named.reason import Reason
from recommender.forecast.named.seasons import DAY_HOURS, Seasons, seasons_of
from recommender.forecast.named.shifts import Shift, shifts_of
from recommender.forecast.past import average, deviation, quantiles
from recommender.observation import Floats
from recommender.usage.peaks import HOUR_S

LEAST_DAYS = 2
LEAST_KNOWN_SHARE = 0.5
LEAST_CHANGE = 1e-9
"""Of the highest use: what is smaller is the rounding of sums."""
STRONG_RATIO = 0.64
"""A season beyond chance from here on is one (Hyndman's rule for seasonal differences)."""
IDLE_RATIO = 0.01
"""Of the 99th percentile: a block below it is idle."""
MOSTLY_IDLE_SHARE = 0.5
LARGE_SHIFT_RATIO = 0.5
LARGE_DRIFT_RATIO = 0.5
STEADY_DIRECTION_SHARE = 0.7
"""Of all pairs of days the rises less the falls (Kendall's tau) from which a drift is a trend."""
LEAST_TREND_DAYS = 4
WEEK_DAYS = 7


class Regime(StrEnum):
    """What a series is, in the order in which it is asked."""

    INTERMITTENT = "intermittent"
    WEEKLY = "weekly"
    DAILY = "daily"
    STEPPING = "stepping"
    TRENDING = "trending"
    STEADY = "steady"

    @property
    def rests_on(self) -> str:
        """What its figure is, for people."""
        return _FIGURES[self]


_FIGURES = {
    Regime.INTERMITTENT: "share of the time without use",
    Regime.WEEKLY: "strength of the week's season",
    Regime.DAILY: "strength of the day's season",
    Regime.STEPPING: "largest step as a share of the mean",
    Regime.TRENDING: "drift over the history as a share of the mean",
    Regime.STEADY: "standard deviation of the hours as a share of the mean",
}


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Diagnosis:
    """What one series is; amounts are in its own unit.

    A figure that the history does not bear is None.  ``reason`` says why there is no figure at all
    or, for a series that never changes, none of a season.
    """

    day_strength_ratio: float | None = None
    """0 to 1: how much of what the trend leaves the day's season explains."""
    week_strength_ratio: float | None = None
    """The same of the week's; None below two weeks."""
    trend_per_day: float | None = None
    """Median slope of the days, seasons taken out (Theil and Sen)."""
    day_shape: Floats | None = None
    """[24] mean use of each hour of the UTC day, as a share of the mean; NaN: never measured."""
    steps: tuple[Shift, ...] = ()
    """Oldest first."""
    regime: Regime | None = None
    figure: float | None = None
    """What the regime rests on, see ``Regime.rests_on``."""
    reason: Reason | None = None


def diagnose(blocks: Floats, *, block_s: int, end_s: int) -> tuple[Diagnosis, ...]:
    """Return the diagnosis of each series.

    ``blocks`` is ``[T, S]``, mean use per block of ``block_s`` seconds, newest last, NaN where
    nothing was measured; ``end_s`` is the end of the newest block in UTC seconds.  Raises
    ``ContractError`` where blocks do not cut hours of the epoch into equal parts.
    """
    if blocks.ndim != 2 or block_s < 1 or HOUR_S % block_s or end_s % block_s:
        raise ContractError(
            f"blocks of the shape {blocks.shape} and {block_s} s up to {end_s} s; allowed: "
            f"[T, S], a divisor of {HOUR_S} s and a multiple of that"
        )
    hours, first_hour = _hours(np.asarray(blocks, np.float64), block_s, end_s)
    reasons = [_reason(column) for column in hours.T]
    seasons = seasons_of(hours, np.array([reason is None for reason in reasons], np.bool_))
    shifts = shifts_of(seasons.level, first_s=first_hour * HOUR_S)
    slope, tau = _slopes(seasons.level)
    shape = _day_shape(hours, first_hour)
    evidence = _evidence(blocks, hours, seasons, shifts, slope, tau)
    return tuple(
        _of_one(reason, evidence[i], float(slope[i]), shape[:, i], shifts[i])
        for i, reason in enumerate(reasons)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Evidence:
    """The figures of one series that its regime may rest on; NaN where one is not known."""

    days: float
    idle_share: float
    week_ratio: float
    day_ratio: float
    shift_ratio: float
    drift_ratio: float
    direction_share: float
    variation_ratio: float

    def regime(self) -> tuple[Regime, float]:
        """Return the first regime whose figure is large enough, and the figure."""
        week = beyond_chance(self.week_ratio, self.days / WEEK_DAYS)
        day = beyond_chance(self.day_ratio, self.days)
        is_trend = self.direction_share >= STEADY_DIRECTION_SHARE
        candidates = (
            (Regime.INTERMITTENT, self.idle_share, self.idle_share >= MOSTLY_IDLE_SHARE),
            (Regime.WEEKLY, self.week_ratio, week >= STRONG_RATIO),
            (Regime.DAILY, self.day_ratio, day >= STRONG_RATIO),
            (Regime.STEPPING, self.shift_ratio, self.shift_ratio >= LARGE_SHIFT_RATIO),
            (Regime.TRENDING, self.drift_ratio, is_trend and self.drift_ratio >= LARGE_DRIFT_RATIO),
        )
        for regime, figure, is_met in candidates:
            if is_met:
                return regime, figure
        return Regime.STEADY, self.variation_ratio


def beyond_chance(strength_ratio: float, cycles: float) -> float:
    """Return the strength of a season less what it would be of noise, which is ``1 / cycles``."""
    return 1 - (1 - strength_ratio) * cycles / (cycles - 1) if cycles > 1 else 0.0


def _of_one(
    reason: Reason | None,
    evidence: _Evidence,
    slope: float,
    shape: Floats,
    shifts: tuple[Shift, ...],
) -> Diagnosis:
    if reason is Reason.CONSTANT:
        return Diagnosis(
            trend_per_day=0.0,
            day_shape=None if np.isnan(shape).all() else shape,
            regime=Regime.STEADY,
            figure=0.0,
            reason=reason,
        )
    if reason is not None:
        return Diagnosis(reason=reason)
    regime, figure = evidence.regime()
    return Diagnosis(
        day_strength_ratio=evidence.day_ratio,
        week_strength_ratio=None if np.isnan(evidence.week_ratio) else evidence.week_ratio,
        trend_per_day=slope,
        day_shape=shape,
        steps=shifts,
        regime=regime,
        figure=figure,
    )


def _evidence(
    blocks: Floats,
    hours: Floats,
    seasons: Seasons,
    shifts: tuple[tuple[Shift, ...], ...],
    slope: Floats,
    tau: Floats,
) -> tuple[_Evidence, ...]:
    mean = average(hours)
    days = (~np.isnan(seasons.level)).sum(axis=0) / DAY_HOURS
    largest = np.array([max((abs(s.after - s.before) for s in of), default=0.0) for of in shifts])
    with np.errstate(divide="ignore", invalid="ignore"):
        shift_ratio = largest / mean
        drift_ratio = np.where(days >= LEAST_TREND_DAYS, np.abs(slope) * days / mean, 0.0)
        variation_ratio = deviation(hours) / mean
    idle_share = _idle_share(blocks)
    return tuple(
        _Evidence(
            days=float(days[i]),
            idle_share=float(idle_share[i]),
            week_ratio=float(seasons.week_ratio[i]),
            day_ratio=float(seasons.day_ratio[i]),
            shift_ratio=float(shift_ratio[i]),
            drift_ratio=float(drift_ratio[i]),
            direction_share=abs(float(tau[i])),
            variation_ratio=float(variation_ratio[i]),
        )
        for i in range(hours.shape[1])
    )


def _hours(blocks: Floats, block_s: int, end_s: int) -> tuple[Floats, int]:
    """Return means of the hours of the epoch, ``[N, S]``, and the number of the first hour."""
    group = HOUR_S // block_s
    begin = end_s // block_s - len(blocks)
    before, after = begin % group, -(begin + len(blocks)) % group
    whole = np.pad(blocks, ((before, after), (0, 0)), constant_values=np.nan)
    grouped = whole.reshape(-1, group, blocks.shape[1]).swapaxes(0, 1)
    return average(grouped), begin // group


def _reason(hours: Floats) -> Reason | None:
    known = np.flatnonzero(~np.isnan(hours))
    if len(known) == 0 or len(hours) - known[0] < LEAST_DAYS * DAY_HOURS:
        return Reason.TOO_SHORT
    if len(known) < LEAST_KNOWN_SHARE * (len(hours) - known[0]):
        return Reason.TOO_MANY_GAPS
    values = hours[known]
    is_constant = values.max() - values.min() <= LEAST_CHANGE * np.abs(values).max()
    return Reason.CONSTANT if is_constant else None


def _day_shape(hours: Floats, first_hour: int) -> Floats:
    """Return the mean of each hour of the day as a share of the mean of them, ``[24, S]``."""
    of_day = (first_hour + np.arange(len(hours))) % DAY_HOURS
    shape = np.stack([average(hours[of_day == hour]) for hour in range(DAY_HOURS)])
    with np.errstate(divide="ignore", invalid="ignore"):
        return shape / average(shape)


def _slopes(level: Floats) -> tuple[Floats, Floats]:
    """Return the median slope between days, per day, and rises less falls as a share, ``[S]``.

    Theil 1950, Sen 1968; Kendall 1938.  Days are counted back from now.
    """
    days = len(level) // DAY_HOURS
    whole = level[len(level) - days * DAY_HOURS :].reshape(days, DAY_HOURS, level.shape[1])
    mean = whole.mean(axis=1)
    later, earlier = np.tril_indices(days, -1)
    slopes = (mean[later] - mean[earlier]) / (later - earlier)[:, None]
    return quantiles(slopes, (0.5,))[0], average(np.sign(slopes))


def _idle_share(blocks: Floats) -> Floats:
    """Return the share of measured blocks without use, ``[S]``."""
    usual = quantiles(blocks, (0.99,))[0]
    return average(np.where(np.isnan(blocks), np.nan, blocks <= IDLE_RATIO * usual))
