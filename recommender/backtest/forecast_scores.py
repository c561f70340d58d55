"""Scores of forecasts against the use that came, beside those of the calibrated histogram."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np

from recommender.backtest.scores import Tally, pinball_volume, slack, tally, violated_share
from recommender.decision import Layer
from recommender.errors import ContractError
from recommender.forecast.gate import Gate
from recommender.usage.peaks import HOUR_S

if TYPE_CHECKING:
    from recommender.backtest.forecast_course import ForecastCourse
    from recommender.backtest.frame import UsageFrame
    from recommender.observation import Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class ForecastScores:
    """Of each workload, ``[W]``, over all steps of which both were known; NaN: none."""

    level: Floats
    """Share of minutes that is to lie below."""
    covered_share: Floats
    """Share of steps at or below what was forecast."""
    histogram_covered_share: Floats
    loss_ratio: Floats
    """Pinball loss of the forecast over that of the histogram: below 1 it is the better one."""
    counted_loss_ratio: Floats
    """The same of what counted: the forecast while its gate was open, else the histogram."""
    slack_ratio: Floats
    """Of the forecast: said / used - 1."""
    histogram_slack_ratio: Floats
    open_share: Floats
    """Share of forecasts with an open gate."""
    opened_after_hours: Floats
    """From the begin of the usage until the gate was open first; NaN: never."""


def forecast_scores(frame: UsageFrame, course: ForecastCourse) -> ForecastScores:
    """Judge every forecast of a course on all steps that it was about.

    Limits are judged on the highest use of each step, requests on its mean.  Raises
    ``ContractError`` for a course of other workloads.
    """
    if len(course.level) != len(frame.workloads):
        raise ContractError(
            f"{len(frame.workloads)} workloads in the frame, {len(course.level)} in the course"
        )
    is_known = ~np.isnan(course.forecast) & ~np.isnan(course.histogram)
    said = (course.forecast, course.histogram, course.chosen)
    forecast, histogram, counted = (
        _tally(frame, course, np.where(is_known, amounts, np.nan)) for amounts in said
    )
    open_share, opened_after_hours = _openings(frame, course)
    return ForecastScores(
        level=course.level,
        covered_share=1.0 - violated_share(forecast),
        histogram_covered_share=1.0 - violated_share(histogram),
        loss_ratio=_loss_ratio(forecast, histogram, course.level),
        counted_loss_ratio=_loss_ratio(counted, histogram, course.level),
        slack_ratio=slack(forecast),
        histogram_slack_ratio=slack(histogram),
        open_share=open_share,
        opened_after_hours=opened_after_hours,
    )


def _openings(frame: UsageFrame, course: ForecastCourse) -> tuple[Floats, Floats]:
    """Return in which share of forecasts the gate was open, and after how many hours first."""
    is_open = course.gate == Gate.OPEN
    hours = (course.until_s - frame.t0_s) / HOUR_S
    never = np.full(is_open.shape[1], np.nan)
    first = np.fmin.reduce(np.where(is_open, hours[:, None], np.nan), axis=0, initial=np.nan)
    return (is_open.mean(axis=0) if len(is_open) else never), first


def _tally(frame: UsageFrame, course: ForecastCourse, amounts: Floats) -> Tally:
    """Compare ``[D, W]`` amounts with the use of every series in the time that each is about."""
    row, rows = frame.row_of_series, len(frame.workloads)
    grid = frame.values if course.layer is Layer.LIMITS else frame.means
    use = grid[course.resource].astype(np.float64)
    begin = (course.until_s + course.delay_s - frame.t0_s) // frame.step_s
    parts = [_nothing(rows)]
    for ahead_s in np.unique(course.ahead_s[course.ahead_s > 0]).tolist():
        series = np.flatnonzero(course.ahead_s[row] == ahead_s)
        steps = ahead_s // frame.step_s
        padded = np.concatenate([use[series], np.full((len(series), steps), np.nan)], axis=1)
        column = np.minimum(begin[:, None] + np.arange(steps), frame.steps)
        came = padded[:, column].reshape(len(series), -1)
        held = np.repeat(amounts[:, row[series]].T, steps, axis=1)
        parts.append(tally(came, held).pooled(row[series], rows))
    sums = {f.name: sum(getattr(part, f.name) for part in parts) for f in fields(Tally)}
    return Tally(**sums)


def _nothing(rows: int) -> Tally:
    return Tally(**{f.name: np.zeros(rows) for f in fields(Tally)})


def _loss_ratio(one: Tally, other: Tally, level: Floats) -> Floats:
    own, others = (pinball_volume(each, level) for each in (one, other))
    known = others > 0
    return np.where(known, own / np.where(known, others, 1.0), np.nan)
