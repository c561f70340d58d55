"""Forecasts of many series, block by block: experts, calibration, selection and the gate.

This is the mutable part of forecasting; it belongs to whoever owns the usage model.  What is asked
for is a quantile: the amount that minutes of the next blocks stay below with probability ``level``.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np

from recommender.forecast.examples import Examples
from recommender.forecast.experts.base import Expected, expected
from recommender.forecast.experts.boosting import BOOSTING, boosting, untrained
from recommender.forecast.experts.earlier_days import earlier_days
from recommender.forecast.experts.histogram import HISTOGRAMS, histograms
from recommender.forecast.experts.recent import Volatility, last_block, last_hour
from recommender.forecast.experts.ridge import Ridge
from recommender.forecast.experts.seasonal import Seasonal
from recommender.forecast.features import Matrix, features_of
from recommender.forecast.fleet_model import FleetModel
from recommender.forecast.gate import Gate, Gates
from recommender.forecast.lesson import lesson_of
from recommender.forecast.outcome import Outcome
from recommender.forecast.past import Past
from recommender.forecast.selection import Losses, shares_of
from recommender.forecast.series import append, keep, some_of
from recommender.forecast.sketches import ErrorSketches, kept_of
from recommender.forecast.spending import EVENLY, Widths, spent_level, wide_level
from recommender.forecast.standing import Standing
from recommender.forecast.timing import Timing
from recommender.observation import Bools, Floats, Ints

MEASURED = (*HISTOGRAMS, "hour", "last")
"""Experts that know no pattern: what counts where no forecast does."""
EXPERTS = (
    *MEASURED,
    "ridge",
    "holt-winters",
    *BOOSTING,
    "seasonal",
    "named",
)
ON_REQUEST = ("seasonal", "named")
"""Experts that count only where they are asked for."""


def allowed_by_default(series: int) -> Bools:
    """Return which experts count where none is asked for by name, ``[E, S]``."""
    asked = np.array([name in ON_REQUEST for name in EXPERTS], np.bool_)
    return np.repeat(~asked[:, None], series, axis=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """What is forecast of the next blocks, ``[S]``."""

    value: Floats
    """Of the experts together; NaN where none knows anything."""
    measured: Floats
    """Of ``MEASURED`` alone, calibrated alike."""
    gate: Ints
    """``Gate``: which of the two counts, and why."""

    @property
    def chosen(self) -> Floats:
        """What counts, ``[S]``."""
        return np.where(self.gate == Gate.OPEN, self.value, self.measured)


@dataclass(slots=True, kw_only=True)
class Expectation:
    """What the experts expected at one block, and what they were told.

    In narrow numbers: those of several blocks are kept.
    """

    values: Matrix
    """[E, S]"""
    spreads: Matrix
    scale: Floats
    inputs: Matrix
    """[P, S] of the ridge."""
    features: Matrix
    """[F, S]"""

    @property
    def expected(self) -> Expected:
        """What all experts expected, ``[E, S]``."""
        values, spreads = (each.astype(np.float64) for each in (self.values, self.spreads))
        return Expected(value=values, spread=spreads)


@dataclass(slots=True, kw_only=True)
class Made(Expectation):
    """What was forecast at one block and waits for what comes."""

    uppers: Matrix
    """[E, S]"""
    histogram: Floats
    """[S] of the histograms together."""
    mixed: Floats
    """[S] of all experts that count."""
    level: Floats
    """[S] that the uppers are at: where the risk is spent by width, not the one asked for."""
    asked: Floats
    """[S] that one: what ``level`` is in the mean of many blocks."""


class Forecaster:
    """Forecasts of ``series`` series."""

    def __init__(self, series: int, timing: Timing) -> None:
        self.timing = timing
        self.model: FleetModel | None = None
        """Trained by whoever finds the time; None: the other experts go on without it."""
        self.examples = Examples(timing.day, lesson_of(timing))
        self.standing = Standing.empty(series, timing.hour)
        self.volatility = Volatility.empty(series)
        self.seasonal = Seasonal.empty(series, timing.day)
        self.ridge = Ridge.empty(series)
        self.sketches = ErrorSketches.empty(0, series)
        self.losses = Losses.empty(len(EXPERTS), series)
        self.gates = Gates.empty(series)
        self.widths = Widths.empty(series)
        self.made: deque[Made] = deque()
        """What was forecast and is not judged yet, oldest first."""

    def advance(
        self,
        past: Past,
        percentiles: Floats,
        level: Floats,
        outcome: Outcome | None,
        *,
        allowed: Bools | None = None,
        named: Floats | None = None,
        most: float = EVENLY,
    ) -> Forecast:
        """Take the newest block and return the quantiles at ``level`` ``[S]`` of what comes.

        ``percentiles`` are those that ``histograms`` takes; ``outcome`` is what came of the
        forecast made ``timing.lead`` blocks ago; None for as long as there was none.
        ``allowed`` are the experts that count, ``[E, S]`` in the order of ``EXPERTS``; ``named`` is
        what a model that was fitted elsewhere expects, ``[S]``; ``most`` is the most that the risk
        of a block may be multiplied by: above 1 it is spent where forecasts are wide, and ``level``
        holds in the mean of the blocks, or a higher one.
        """
        allowed = allowed_by_default(past.series) if allowed is None else allowed
        named = np.full(past.series, np.nan) if named is None else named
        if outcome is not None:
            made = self.made.popleft()
            self._learn(made, outcome)
            self._score(made, outcome)
        expectation = self._expect(past, percentiles, allowed, named)
        return self._answer(past, expectation, level, allowed, most)

    def _expect(
        self, past: Past, percentiles: Floats, allowed: Bools, named: Floats
    ) -> Expectation:
        """Take the newest block and ask the experts, at whatever level."""
        self.standing.advance(past)
        self.volatility.advance(past)
        self.seasonal.advance(past)
        self.ridge.solve(past.day)
        features = features_of(past, self.standing)
        inputs = self.ridge.inputs(past, self.standing)
        experts = self._ask(past, percentiles, features, inputs, allowed, named)
        return Expectation(
            values=np.stack([expert.value for expert in experts], dtype=np.float32),
            spreads=np.stack([expert.spread for expert in experts], dtype=np.float32),
            scale=self.standing.scale,
            inputs=inputs.astype(np.float32),
            features=features.T,
        )

    def _answer(
        self,
        past: Past,
        expectation: Expectation,
        level: Floats,
        allowed: Bools,
        most: float,
    ) -> Forecast:
        """Return the quantiles at ``level``, and keep in mind what was said."""
        costs = self.losses.costs()
        gate = self.gates.state(past, self.standing.seen, self.losses.windows)
        asked, of_fleet = level, self.sketches.of_fleet()
        if most > EVENLY:
            levels = (level, wide_level(level))
            high, low = (
                _mixed(uppers, costs, _counting(uppers, allowed))
                for uppers in self._uppers(expectation, levels, of_fleet, past.day)
            )
            # who is no better at the amount still knows better how sure it is
            factor = self.widths.take(high - low, expectation.scale, most, past.day)
            level = spent_level(level, factor)
        [uppers] = self._uppers(expectation, (level,), of_fleet, past.day)
        answer = self._together(uppers, costs, allowed, gate)
        self.made.append(
            Made(
                **{item.name: getattr(expectation, item.name) for item in fields(expectation)},
                uppers=uppers.astype(np.float32),
                histogram=_mixed_first(HISTOGRAMS, uppers, costs),
                mixed=answer.value,
                level=level,
                asked=asked,
            )
        )
        return answer

    def _together(self, uppers: Floats, costs: Floats, allowed: Bools, gate: Ints) -> Forecast:
        """Return what the experts say together."""
        return Forecast(
            value=_mixed(uppers, costs, _counting(uppers, allowed)),
            measured=_mixed_first(MEASURED, uppers, costs),
            gate=gate,
        )

    def shares(self, allowed: Bools | None = None) -> Floats:
        """Return how much each of ``EXPERTS`` counts, ``[E, S]``; together 1, or all 0."""
        series = len(self.standing.peak)
        counts = allowed_by_default(series) if allowed is None else allowed
        if self.made:
            counts = _counting(self.made[-1].uppers, counts)
        return shares_of(self.losses.costs(), counts)

    def append(self, past: Past) -> None:
        """Take more series, the past of which is given, behind those that are there."""
        for part, fresh in zip(self._parts(), self._fresh_parts(past), strict=True):
            append(part, fresh)

    def catch_up(self, past: Past, missed: int) -> None:
        """Take so many blocks that went by without a forecast; what was learned of errors stays."""
        self.made.clear()
        # what the ridge has learned of a time of day goes on to be of that time
        self.ridge.block += missed
        self.standing, self.volatility, self.seasonal = self._of_past(past)

    def keep(self, series: Ints) -> None:
        """Leave only some series, in this order."""
        for part in self._parts():
            keep(part, series)

    def _parts(self) -> tuple[object, ...]:
        """Return what has an array with a column per series."""
        past = (self.standing, self.volatility, self.seasonal)
        learned = (self.ridge, self.losses, self.gates, self.widths, self.sketches)
        return (*past, *learned, *self.made)

    def _fresh_parts(self, past: Past) -> tuple[object, ...]:
        """Return the same of other series: what their past says, and no forecast yet."""
        series = past.series
        return (
            *self._of_past(past),
            Ridge.empty(series),
            Losses.empty(len(EXPERTS), series),
            Gates.empty(series),
            Widths.empty(series),
            ErrorSketches.empty(len(self.sketches.weights), series),
            *(_nothing_made(made, series) for made in self.made),
        )

    def _of_past(self, past: Past) -> tuple[Standing, Volatility, Seasonal]:
        """Return what follows from the blocks of some series alone."""
        found = self._of_few(past.of(np.arange(0)))
        for few in some_of(past.series):
            of_few = self._of_few(past.of(np.arange(few.start, few.stop)))
            for part, more in zip(found, of_few, strict=True):
                append(part, more)
        return found

    def _of_few(self, past: Past) -> tuple[Standing, Volatility, Seasonal]:
        volatility = Volatility.empty(past.series)
        seasonal = Seasonal.empty(past.series, self.timing.day)
        blocks = past.blocks_since_use()
        seasonal.block = self.seasonal.block - blocks
        for ago in range(blocks - 1, -1, -1):
            then = replace(past, block=past.block - ago)
            volatility.advance(then)
            seasonal.advance(then)
        seasonal.block = self.seasonal.block
        return Standing.caught_up(past, self.standing.blocks), volatility, seasonal

    def _ask(
        self,
        past: Past,
        percentiles: Floats,
        features: Matrix,
        inputs: Floats,
        allowed: Bools,
        named: Floats,
    ) -> tuple[Expected, ...]:
        """Return what the experts expect, in the order of ``EXPERTS``."""
        scale, model = self.standing.scale, self.model
        nothing = np.full(past.series, np.nan)
        season = Expected(value=nothing, spread=nothing)
        if allowed[EXPERTS.index("seasonal")].any():
            season = earlier_days(past, self.volatility, scale, self.timing.lead)
        boosted = untrained(past.series) if model is None else boosting(model, features, scale)
        return (
            *histograms(percentiles, scale),
            last_hour(past, scale),
            last_block(past, self.volatility, scale),
            self.ridge.forecast(inputs, self.volatility, scale),
            self.seasonal.forecast(self.timing.lead, self.volatility, scale),
            *boosted,
            season,
            expected(named, self.volatility.mean, scale),
        )

    def _uppers(
        self, expectation: Expectation, levels: Sequence[Floats], of_fleet: Floats, day: int
    ) -> Floats:
        """Return the quantiles of each expert, ``[L, E, S]``; NaN where it knows nothing."""
        uppers = self.sketches.uppers(expectation.expected, levels, of_fleet)
        return np.minimum(uppers, self.standing.ceiling(day))

    def _learn(self, made: Expectation, outcome: Outcome) -> None:
        """Tell the experts what came."""
        day = self.timing.day
        kept = kept_of(self.standing.seen, day)
        self.sketches.add(made.expected, outcome, kept)
        # a promise is about minutes of each worker, which lie above means of all
        self.standing.highest = np.fmax(self.standing.highest, outcome.highest)
        self.ridge.learn(made.inputs, outcome.top / made.scale, day)
        taught = self.examples.lesson.of(outcome)
        self.examples.add(made.features.T, taught / made.scale[:, None])

    def _score(self, made: Made, outcome: Outcome) -> None:
        """Note what it cost."""
        most = np.fmax.reduce(made.uppers, axis=0)
        # who knew nothing is judged as if it had said the most that anybody did
        uppers = np.where(np.isnan(made.uppers), most, made.uppers)
        answers, day = (made.histogram, made.mixed), self.timing.day
        self.losses.add(
            uppers,
            answers,
            outcome,
            level=made.level,
            asked=made.asked,
            scale=made.scale,
            day=day,
        )
        self.gates.judge(self.losses.mixed, self.losses.histogram)
        self.gates.note(outcome.top, most, made.asked)


def _mixed(uppers: Floats, costs: Floats, counts: Bools) -> Floats:
    """Return the mean of what the first experts say, each as much as it counts, ``[S]``."""
    share = shares_of(costs[: len(uppers)], counts)
    mixed = (share * np.where(counts, uppers, 0.0)).sum(axis=0)
    return np.where(counts.any(axis=0), mixed, np.nan)


def _mixed_first(experts: tuple[str, ...], uppers: Floats, costs: Floats) -> Floats:
    """Return what the first of ``EXPERTS`` say together, as many as are named, ``[S]``."""
    first = uppers[: len(experts)]
    return _mixed(first, costs, ~np.isnan(first))


def _counting(uppers: Floats | Matrix, allowed: Bools) -> Bools:
    """Return which experts count, ``[E, S]``: those of the allowed ones who say something.

    Where none of them does, as before a model by name was fitted, all others do.
    """
    says = ~np.isnan(uppers)
    counts = says & allowed
    others = says & allowed_by_default(uppers.shape[1])
    return np.asarray(np.where(counts.any(axis=0), counts, others), np.bool_)


def _nothing_made(made: Made, series: int) -> Made:
    """Return a forecast at the same block of so many other series: none."""
    made_columns = {item.name: getattr(made, item.name) for item in fields(Made)}
    columns = {
        name: np.full((*column.shape[:-1], series), np.nan, column.dtype)
        for name, column in made_columns.items()
    }
    return Made(**{**columns, "inputs": np.nan_to_num(columns["inputs"])})
