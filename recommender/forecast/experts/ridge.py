"""Dynamic harmonic regression: a ridge of each series on its recent use, its days and waves.

Hyndman and Athanasopoulos, "Forecasting: Principles and Practice", section 10.5.  All series are
solved together from sums that fade, some of them at each block, so that no tick is long.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recommender.forecast.experts.base import Expected, expected
from recommender.forecast.experts.recent import Volatility
from recommender.forecast.past import DAYS_KEPT, Past, average, highest
from recommender.forecast.series import some_of
from recommender.forecast.shuffled import shuffled
from recommender.forecast.standing import Standing
from recommender.observation import Floats, Ints

HALF_LIFE_DAYS = 7.0
PENALTY = 3.0
DAY_WAVES = 4
WEEK_WAVES = 2
LEAST_BLOCKS = 24
SOLVED_PER_DAY = 4
LARGEST_SHARE = 3.0
LARGEST_FORECAST = 2.0


@dataclass(slots=True)
class Ridge:
    """Sums of squares and products of all series, and what was solved from them."""

    squares: NDArray[np.float32]
    """[P (P + 1) / 2, S] those of ``PAIRS``; the largest part of all."""
    products: NDArray[np.float32]
    """[P, S]"""
    weights: NDArray[np.float32]
    """[P, S]"""
    count: Floats
    turn: Ints
    """[S] in which blocks a series is solved."""
    block: int = 0

    @classmethod
    def empty(cls, series: int) -> Ridge:
        """Return that of series without use."""
        return cls(
            squares=np.zeros((len(PAIRS[0]), series), np.float32),
            products=np.zeros((PARAMETERS, series), np.float32),
            weights=np.zeros((PARAMETERS, series), np.float32),
            count=np.zeros(series),
            turn=np.zeros(series, np.int64),
        )

    def inputs(self, past: Past, standing: Standing) -> Floats:
        """Return what the next forecast is made from, ``[P, S]``; unknown amounts count as 0."""
        means = past.last_means(12)
        median, high, _ = standing.day
        days = past.lags(np.arange(1, DAYS_KEPT + 1) * past.day - 1)
        recent = [
            past.lag(0),
            past.latest_mean(),
            highest(past.last(3)),
            average(means),
            highest(past.last(12)),
            high,
        ]
        earlier = [days[0], days[6], average(days)]
        amounts = np.stack([*recent, *(np.where(np.isnan(e), median, e) for e in earlier)])
        shares = np.clip(amounts / standing.scale, 0.0, LARGEST_SHARE)
        waves = np.broadcast_to(self._waves(past.day)[:, None], (WAVES, past.series))
        ones = np.ones((1, past.series))
        return np.asarray(np.nan_to_num(np.concatenate([ones, shares, waves])), np.float64)

    def _waves(self, day: int) -> Floats:
        turn = 2 * np.pi * self.block / day
        of_day = turn * np.arange(1, DAY_WAVES + 1)
        of_week = turn / 7 * np.arange(1, WEEK_WAVES + 1)
        angles = np.concatenate([of_day, of_week])
        return np.concatenate([np.sin(angles), np.cos(angles)])

    def learn(self, inputs: Floats | NDArray[np.float32], outcome: Floats, day: int) -> None:
        """Take what came of earlier inputs, ``[S]`` in units of the scale of then; NaN: unknown."""
        known = ~np.isnan(outcome)
        first = known & (self.count == 0)
        turns = (shuffled(outcome) % np.uint64(turns_of(day))).astype(np.int64)
        self.turn = np.where(first, turns, self.turn)
        kept = 0.5 ** (1 / (HALF_LIFE_DAYS * day))
        x = inputs * known
        y = np.where(known, np.clip(outcome, 0.0, LARGEST_SHARE), 0.0)
        self.squares *= kept
        one, other = PAIRS
        for few in some_of(x.shape[1]):
            self.squares[:, few] += x[one, few] * x[other, few]
        self.products *= kept
        self.products += x * y
        self.count = self.count + known

    def solve(self, day: int) -> None:
        """Solve the series whose turn it is."""
        is_turn = self.turn == self.block % turns_of(day)
        rows = np.flatnonzero(is_turn & (self.count >= LEAST_BLOCKS))
        self.block += 1
        if len(rows):
            one, other = PAIRS
            system = np.empty((len(rows), PARAMETERS, PARAMETERS))
            system[:, one, other] = system[:, other, one] = self.squares[:, rows].T
            system += PENALTY * np.eye(PARAMETERS)
            solved = np.linalg.solve(system, self.products[:, rows].T[:, :, None])
            self.weights[:, rows] = solved[:, :, 0].T

    def forecast(self, inputs: Floats, volatility: Volatility, scale: Floats) -> Expected:
        """Expect what the regression says; nothing where it was never solved."""
        value = np.clip((inputs * self.weights).sum(axis=0), 0.0, LARGEST_FORECAST) * scale
        known = self.weights.any(axis=0)
        return expected(np.where(known, value, np.nan), volatility.mean, scale)


def turns_of(day: int) -> int:
    """Return in how many blocks all series are solved once."""
    return max(1, day // SOLVED_PER_DAY)


WAVES = 2 * (DAY_WAVES + WEEK_WAVES)
PARAMETERS = 1 + 9 + WAVES
PAIRS = np.tril_indices(PARAMETERS)
"""Of parameters, each once: a product is the same either way."""
