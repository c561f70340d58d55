"""Forecasts of many series, block by block: experts, calibration, selection and the gate.

This is the mutable part of forecasting; it belongs to whoever owns the usage model.  What is asked
for is a quantile: the amount that minutes of the next blocks stay below with probability ``level``.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

from recommender.forecast.examples import Examples
from recommender.forecast.experts.base import Expected
from recommender.forecast.experts.boosting import boosting, untrained
from recommender.forecast.experts.histogram import histogram
from recommender.forecast.experts.recent import Volatility, last_block, last_hour
from recommender.forecast.experts.ridge import Ridge
from recommender.forecast.experts.seasonal import Seasonal
from recommender.forecast.features import Matrix, features_of
from recommender.forecast.fleet_model import FleetModel
from recommender.forecast.gate import Gate, Gates
from recommender.forecast.outcome import Outcome
from recommender.forecast.past import Past
from recommender.forecast.selection import Losses
from recommender.forecast.sketches import ErrorSketches
from recommender.forecast.standing import Standing
from recommender.forecast.timing import Timing
from recommender.observation import Floats, Ints

EXPERTS = ("histogram", "hour", "last", "ridge", "holt-winters", "boosting-low", "boosting-high")
HISTOGRAM = EXPERTS.index("histogram")


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """What is forecast of the next blocks, ``[S]``."""

    value: Floats
    """Of the experts together; NaN where none knows anything."""
    histogram: Floats
    """Of the histogram alone, calibrated alike."""
    gate: Ints
    """``Gate``: which of the two counts, and why."""

    @property
    def chosen(self) -> Floats:
        """What counts, ``[S]``."""
        return np.where(self.gate == Gate.OPEN, self.value, self.histogram)


@dataclass(slots=True, kw_only=True)
class _Made:
    """What was forecast at one block and waits for what comes."""

    values: Floats
    """[E, S]"""
    spreads: Floats
    uppers: Floats
    mixed: Floats
    level: Floats
    scale: Floats
    inputs: Floats
    """[P, S] of the ridge."""
    features: Matrix
    """[F, S]"""

    def expert(self, number: int) -> Expected:
        """Return what one expert expected."""
        return Expected(value=self.values[number], spread=self.spreads[number])


class Forecaster:
    """Forecasts of ``series`` series."""

    def __init__(self, series: int, timing: Timing) -> None:
        self.timing = timing
        self.model: FleetModel | None = None
        """Trained by whoever finds the time; None: the other experts go on without it."""
        self.examples = Examples(timing.day)
        self.standing = Standing.empty(series)
        self._volatility = Volatility.empty(series)
        self._seasonal = Seasonal.empty(series, timing.day)
        self._ridge = Ridge.empty(series)
        self._sketches = tuple(ErrorSketches.empty(series) for _ in EXPERTS)
        self._losses = Losses.empty(len(EXPERTS), series)
        self._gates = Gates.empty(series)
        self._made: deque[_Made] = deque()

    def advance(
        self, past: Past, percentiles: Floats, level: Floats, outcome: Outcome | None
    ) -> Forecast:
        """Take the newest block and return the quantiles at ``level`` ``[S]`` of what comes.

        ``percentiles`` are the histogram's, ``[2, S]`` at ``histogram.LEVELS``; ``outcome`` is what
        came of the forecast made ``timing.lead`` blocks ago; None for as long as there was none.
        """
        if outcome is not None:
            self._judge(self._made.popleft(), outcome)
        self.standing.advance(past)
        self._volatility.advance(past)
        self._seasonal.advance(past)
        self._ridge.solve(past.day)
        features = features_of(past, self.standing)
        inputs = self._ridge.inputs(past, self.standing)
        experts = self._ask(past, percentiles, features, inputs)
        uppers = self._uppers(experts, level, past.day)
        mixed = self._mixed(uppers)
        self._made.append(
            _Made(
                values=np.stack([expert.value for expert in experts]),
                spreads=np.stack([expert.spread for expert in experts]),
                uppers=uppers,
                mixed=mixed,
                level=level,
                scale=self.standing.scale,
                inputs=inputs,
                features=features.T,
            )
        )
        gate = self._gates.state(past, self.standing.seen, self._losses.windows)
        return Forecast(value=mixed, histogram=uppers[HISTOGRAM], gate=gate)

    def shares(self) -> Floats:
        """Return how much each of ``EXPERTS`` counts, ``[E, S]``; together 1."""
        return self._losses.shares()

    def _ask(
        self, past: Past, percentiles: Floats, features: Matrix, inputs: Floats
    ) -> tuple[Expected, ...]:
        """Return what the experts expect, in the order of ``EXPERTS``."""
        scale, model = self.standing.scale, self.model
        boosted = untrained(past.series) if model is None else boosting(model, features, scale)
        return (
            histogram(percentiles, scale),
            last_hour(past, scale),
            last_block(past, self._volatility, scale),
            self._ridge.forecast(inputs, self._volatility, scale),
            self._seasonal.forecast(self.timing.lead, self._volatility, scale),
            *boosted,
        )

    def _uppers(self, experts: tuple[Expected, ...], level: Floats, day: int) -> Floats:
        """Return the quantile of each expert, ``[E, S]``; NaN where it knows nothing."""
        asked = zip(experts, self._sketches, strict=True)
        uppers = np.stack([sketch.upper(expert, level) for expert, sketch in asked])
        return np.minimum(uppers, self.standing.ceiling(day))

    def _mixed(self, uppers: Floats) -> Floats:
        """Return the mean of what the experts say, each as much as it counts, ``[S]``."""
        share = np.where(np.isnan(uppers), 0.0, self._losses.shares())
        total = share.sum(axis=0)
        mixed = (share * np.nan_to_num(uppers)).sum(axis=0)
        return np.where(total > 0, mixed / np.maximum(total, 1e-12), np.nan)

    def _judge(self, made: _Made, outcome: Outcome) -> None:
        day = self.timing.day
        for number, sketch in enumerate(self._sketches):
            sketch.add(made.expert(number), outcome, day)
        most = np.fmax.reduce(made.uppers, axis=0)
        # who knew nothing is judged as if it had said the most that anybody did
        uppers = np.where(np.isnan(made.uppers), most, made.uppers)
        self._losses.add(uppers, made.mixed, outcome, level=made.level, scale=made.scale, day=day)
        self._gates.judge(self._losses.mixed, self._losses.experts[HISTOGRAM])
        self._gates.note(outcome.top, most)
        share = outcome.top / made.scale
        self._ridge.learn(made.inputs, share, day)
        self.examples.add(made.features.T, share)
