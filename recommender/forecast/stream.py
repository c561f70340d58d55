"""Forecasts of one layer in one resource, so many blocks ahead, for the series that ask for them.

A stream makes one forecast per block that closes, judges earlier ones on the minutes that came, and
keeps count of what was promised.  What is asked for, and of which rows, ``fleet_forecasts`` says.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from recommender.forecast.absence import Absence
from recommender.forecast.asked import Asked, Judging
from recommender.forecast.forecaster import EXPERTS, Forecast, Forecaster
from recommender.forecast.gate import Gate
from recommender.forecast.in_force import InForce, is_above
from recommender.forecast.models import MODELS, ModelName, Runs
from recommender.forecast.outcome import Outcome, outcome_of_minutes
from recommender.forecast.past import DAYS_KEPT, Past
from recommender.forecast.realised import Realised
from recommender.forecast.risk import RiskControl
from recommender.forecast.series import append, keep, some_of
from recommender.forecast.timing import Timing
from recommender.forecast.use import ClosedMinutes
from recommender.policy.table import MODEL_NAMES
from recommender.usage.minutes import MINUTE_S
from recommender.usage.peaks import HOUR_S
from recommender.usage.store import CLOSE_AFTER_S

if TYPE_CHECKING:
    from recommender.forecast.segments import Segments
    from recommender.forecast.use import Use
    from recommender.observation import Bools, Floats, Ints

LEAST_DAYS = 3
"""Before a pattern is one."""
EXPIRES_BLOCKS = 2
"""A forecast counts for so many blocks after its own; then use was not measured for too long."""

_HISTOGRAM = MODEL_NAMES.index(ModelName.HISTOGRAM)
_OF_FLEET = tuple(MODEL_NAMES.index(name) for name in (ModelName.AUTO, ModelName.GBM))
"""Models of which the fleet's is a part, or all."""
NAMED = tuple(number for number, name in enumerate(MODEL_NAMES) if MODELS[name].runs is Runs.NAMED)
"""Models that are fitted for one series alone."""


@dataclass(slots=True, kw_only=True)
class Course:
    """What a model that was fitted elsewhere expects of the blocks from ``first_block`` on."""

    first_block: int
    use: Floats


class Stream:
    """The forecasts of some series; ``rows`` are theirs in the usage model, ascending."""

    def __init__(self, use: Use, judging: Judging) -> None:
        self.use = use
        self.judging = judging
        self.rows: Ints = np.empty(0, np.int64)
        lead = judging.lead(use.block_s)
        self.forecaster = Forecaster(0, Timing(block_s=use.block_s, lead=lead))
        self.control = RiskControl.empty(0)
        self.realised = Realised.empty(0)
        self.windows: deque[InForce] = deque(maxlen=3)
        """What was in force after each of the last forecasts, newest last."""
        self.courses: dict[int, Course] = {}
        """Usage row to what its model by name expects."""
        self.current: Forecast | None = None
        self.until_s = -1
        """End of the newest block that was seen."""
        self.asked: Asked | None = None
        """What the policies of the rows ask for; None before anybody asked."""
        self.minutes: deque[ClosedMinutes] = deque()
        """Of the blocks that the next one is judged with, newest last: the largest part of what is
        kept of hours, so no more of them than that."""
        self.is_noted = True
        """What is in force was seen since the newest forecast."""
        self._segments: Segments | None = None
        self._segments_of = -1

    def ask(self, rows: Ints, asked: Asked, closed_until_s: int) -> None:
        """Say which rows (ascending) ask for what; what was learned of those that stay is kept."""
        self.asked = asked
        if np.array_equal(rows, self.rows):
            return
        stays = np.isin(self.rows, rows)
        if not stays.all():
            self._keep(np.flatnonzero(stays))
        new = np.setdiff1d(rows, self.rows)
        if len(new):
            self._append(new, closed_until_s)
        self._keep(np.argsort(self.rows, kind="stable"))

    def forget(self, rows: Ints) -> None:
        """Forget some rows."""
        stays = ~np.isin(self.rows, rows)
        if not stays.all() and self.asked is not None:
            self._keep(np.flatnonzero(stays))
            self.asked = self.asked.of(np.flatnonzero(stays))

    def advance(self, until_s: int) -> None:
        """Take the block that ends at ``until_s`` and has just closed, and forecast."""
        asked = self.asked
        if asked is None or len(self.rows) == 0:
            return
        block = until_s // self.use.block_s - 1
        if until_s != self.until_s + self.use.block_s:
            self._begin_anew(block - 1)
        self.minutes.append(self.use.minutes(self.rows, block))
        if self.judging.delay_s > 0:
            self._judge_promise(until_s - self.use.block_s, asked)
        past = self.use.past(self.rows, block, asked.reach)
        has_risk = ~np.isnan(asked.risk)
        level = np.where(has_risk, self.control.level(np.nan_to_num(asked.risk)), asked.level)
        named = self._named(block)
        forecast = self.forecaster.advance(
            past,
            self.use.percentiles(self.rows),
            level,
            self._outcome(until_s),
            allowed=self._allowed(asked.allowed, named),
            named=named,
            most=self.judging.most_factor,
        )
        gate = np.where(asked.predicts, forecast.gate, int(Gate.HISTOGRAM))
        # of the histogram by name there is nothing but the histograms
        measured = np.where(asked.model == _HISTOGRAM, forecast.value, forecast.measured)
        self.current = Forecast(value=forecast.value, measured=measured, gate=gate)
        self.windows.append(InForce.of(self.current.chosen))
        self._keep_minutes(max(self.forecaster.timing.lead - 1, 1))
        self.is_noted = False
        self.until_s = until_s

    def note(self, amounts: Floats, aimed: Floats, least: Floats) -> None:
        """Take what is in force now, what the last decisions move it to, and how low it may go.

        ``[S]`` each.

        What is seen first after a forecast is what was in force before it: nobody has acted yet.
        """
        is_first, self.is_noted = not self.is_noted, True
        position = -2 if is_first else -1
        if len(self.windows) >= -position:
            self.windows[position].take(amounts, aimed, least)
        if is_first and self.judging.delay_s == 0 and self.asked is not None:
            # all is known of the time up to the newest forecast
            self._judge_promise(self.until_s, self.asked)
            self._keep_minutes(self.forecaster.timing.lead - 1)

    def is_fresh(self, now_s: int) -> bool:
        """Return whether the newest forecast counts already, and still."""
        newest_s = self.until_s + CLOSE_AFTER_S + EXPIRES_BLOCKS * self.use.block_s
        return self.current is not None and self.until_s <= now_s <= newest_s

    def shares(self) -> Floats:
        """Return the weight of each expert, ``[E, S]``."""
        if self.asked is None:
            return self.forecaster.shares()
        named = self._named(self.until_s // self.use.block_s - 1)
        return self.forecaster.shares(self._allowed(self.asked.allowed, named))

    def absences(self, unfitted: Ints) -> Ints:
        """Return why the model that each series asks for does not count, ``[S]``: ``Absence``.

        ``unfitted`` ``[S]`` is why there is none of those that are fitted for a series alone.
        """
        found = np.full(len(self.rows), int(Absence.NONE))
        if self.asked is None:
            return found
        has_no_course = np.isnan(self._named(self.until_s // self.use.block_s - 1))
        is_unfitted = np.isin(self.model, NAMED) & has_no_course
        found = np.where(is_unfitted, unfitted, found)
        if self.forecaster.model is None:
            found = np.where(np.isin(self.model, _OF_FLEET), int(Absence.UNTRAINED), found)
        return np.where(self.asked.predicts, found, int(Absence.NONE))

    @property
    def risk(self) -> Floats:
        """Share of minutes that may lie above what is in force, ``[S]``; NaN: not stated."""
        return np.empty(0) if self.asked is None else self.asked.risk

    @property
    def model(self) -> Ints:
        """Which model each series asks for, ``[S]``: index into ``MODEL_NAMES``."""
        return np.empty(0, np.int64) if self.asked is None else self.asked.model

    @property
    def loss_ratio(self) -> Floats:
        """Loss of the forecast over that of the histogram, ``[S]``; NaN: nothing was judged."""
        losses = self.forecaster.losses
        of_histogram = losses.histogram
        judged = (losses.windows > 0) & (of_histogram > 0)
        return np.where(judged, losses.mixed / np.where(judged, of_histogram, 1.0), np.nan)

    def history(self, column: int) -> Iterator[tuple[int, Floats]]:
        """Yield the newest block of a series and the use of its week; nothing before the first."""
        block = self.until_s // self.use.block_s - 1
        if self.asked is None or block < 0:
            return
        past = self.use.past(self.rows, block, self.asked.reach).of(np.array([column]))
        yield block, past.last(DAYS_KEPT * past.day)[:, 0]

    def segments(self, find: Callable[[Floats], Segments]) -> Segments | None:
        """Return the segments of the days of each series, found once an hour; None before it."""
        hour = self.until_s // HOUR_S
        if hour < 1 or self.asked is None:
            return None
        if self._segments is None or self._segments_of != hour:
            past = self.use.past(self.rows, hour - 1, self.asked.reach)
            self._segments, self._segments_of = find(hours_of_day(past)), hour
        return self._segments

    def _begin_anew(self, block: int) -> None:
        """Forget what waits to be judged: blocks up to ``block`` went by without a forecast."""
        every_block = np.full(len(self.rows), np.iinfo(np.int64).max)
        missed = block + 1 - self.until_s // self.use.block_s if self.until_s >= 0 else 0
        self.forecaster.catch_up(self.use.past(self.rows, block, every_block), missed)
        self.windows.clear()

    def _keep(self, series: Ints) -> None:
        self._segments = None
        self.rows = self.rows[series]
        self.forecaster.keep(series)
        for part in (self.control, self.realised, *self.windows):
            keep(part, series)
        slot = np.full(int(series.max(initial=-1)) + 1, -1, np.int64)
        slot[series] = np.arange(len(series))
        self.minutes = deque(minutes.kept(slot) for minutes in self.minutes)
        if self.current is not None:
            columns = {f.name: getattr(self.current, f.name)[series] for f in fields(Forecast)}
            self.current = Forecast(**columns)
        stays = set(self.rows.tolist())
        self.courses = {row: course for row, course in self.courses.items() if row in stays}

    def _append(self, rows: Ints, closed_until_s: int) -> None:
        count, block = len(rows), closed_until_s // self.use.block_s - 1
        every_block = np.full(count, np.iinfo(np.int64).max)
        self.forecaster.append(self.use.past(rows, block, every_block))
        if len(self.rows) == 0:
            self.until_s = (block + 1) * self.use.block_s
        append(self.control, RiskControl.empty(count))
        append(self.realised, Realised.empty(count))
        nothing = np.full(count, np.nan)
        for window in self.windows:
            append(window, InForce.of(nothing))
        if self.current is not None:
            self.current = Forecast(
                value=np.append(self.current.value, nothing),
                measured=np.append(self.current.measured, nothing),
                gate=np.append(self.current.gate, np.full(count, int(Gate.YOUNG))),
            )
        self.rows = np.append(self.rows, rows)

    def _outcome(self, until_s: int) -> Outcome | None:
        """Return what came of the oldest forecast, the minutes of which have all closed."""
        lead = self.forecaster.timing.lead
        if len(self.forecaster.made) < lead:
            return None
        begin_s = until_s - lead * self.use.block_s + self.judging.delay_s
        return Outcome.joined(
            outcome_of_minutes(series, use, few.stop - few.start, self.judging.percentile)
            for few, series, use in self._between(begin_s, begin_s + self.judging.ahead_s)
        )

    def _judge_promise(self, until_s: int, asked: Asked) -> None:
        """Count the minutes above what was in force up to a forecast, made at ``until_s``."""
        if len(self.windows) < 2:
            return
        window = self.windows[-2]
        end_s = until_s + self.judging.delay_s
        found, lowest, judged = np.zeros((3, len(self.rows))), window.lowest, window.judged
        for few, series, use in self._between(end_s - self.use.block_s, end_s):
            each = (
                series,
                series[is_above(lowest[few], series, use)],
                series[is_above(judged[few], series, use)],
            )
            found[:, few] = [np.bincount(one, minlength=few.stop - few.start) for one in each]
        count, above, violated = np.where(np.isnan(lowest), 0.0, found)
        self.realised.take(count, above, self.forecaster.timing.day)
        has_risk = ~np.isnan(asked.risk)
        is_free = has_risk & window.is_of_forecast(asked.kept_ratio)
        self.control.observe(count, violated, np.nan_to_num(asked.risk), is_free)

    def _keep_minutes(self, blocks: int) -> None:
        while len(self.minutes) > blocks:
            self.minutes.popleft()

    def _between(
        self, begin_s: int, end_s: int
    ) -> Iterator[tuple[slice, NDArray[np.int32], NDArray[np.float32]]]:
        """Yield some series at a time and their minutes that begin in a span of time.

        Of each minute which of these series it is of, from 0 on, and its use.
        """
        first, last = begin_s // MINUTE_S, end_s // MINUTE_S
        nothing = np.empty(0, np.int32), np.empty(0, np.float32)
        for few in some_of(len(self.rows)):
            parts = (each.between(first, last, few) for each in self.minutes)
            series, use = zip(nothing, *parts, strict=True)
            yield few, np.concatenate(series), np.concatenate(use)

    def _named(self, block: int) -> Floats:
        """Return what models by name expect of the next blocks, ``[S]``; NaN: nothing."""
        named = np.full(len(self.rows), np.nan)
        lead = self.forecaster.timing.lead
        for row, course in self.courses.items():
            ahead = course.use[max(block + 1 - course.first_block, 0) :][:lead]
            if len(ahead) == lead:
                named[np.searchsorted(self.rows, row)] = ahead.max()
        return named

    def _allowed(self, allowed: Bools, named: Floats) -> Bools:
        """Let a model by name count alone where it says something."""
        allowed = allowed.copy()
        is_named = ~np.isnan(named)
        allowed[:, is_named] = False
        allowed[EXPERTS.index("named"), is_named] = True
        return allowed


def hours_of_day(past: Past) -> Floats:
    """Return the highest hour at each hour of the day in the last week, ``[24, S]``.

    NaN where fewer than ``LEAST_DAYS`` days are known.  ``past`` has blocks of an hour.
    """
    profile = np.full((24, past.series), np.nan)
    for ago in range(24):
        hours = np.stack([past.lag(ago + 24 * day) for day in range(DAYS_KEPT)])
        known = (~np.isnan(hours)).sum(axis=0) >= LEAST_DAYS
        profile[(past.block - ago) % 24, known] = np.fmax.reduce(hours, axis=0)[known]
    return profile
