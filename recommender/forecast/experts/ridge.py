"""Dynamic harmonic regression: a ridge of each series on its recent use, its days and waves.

Hyndman and Athanasopoulos, "Forecasting: Principles and Practice", section 10.5.  All series are
solved together from sums that fade, some of them at each block, so that no tick is long.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recommender.forecast.experts.base import Expected, expected
from recommender.forecast.experts.recent import Volatility
from recommender.forecast.past import Past, average, highest
from recommender.forecast.shuffled import shuffled
from recommender.forecast.standing import Standing
from recommender.observation import Bools, Floats, Ints

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

    squares: Floats
    """[S, P, P]"""
    products: Floats
    """[S, P]"""
    weights: Floats
    """[S, P]"""
    count: Floats
    turn: Ints
    """[S] in which blocks a series is solved."""
    block: int = 0

    @classmethod
    def empty(cls, series: int) -> Ridge:
        """Return that of series without use."""
        p = PARAMETERS
        return cls(
            np.zeros((series, p, p)),
            np.zeros((series, p)),
            np.zeros((series, p)),
            np.zeros(series),
            np.zeros(series, np.int64),
        )

    def inputs(self, past: Past, standing: Standing) -> Floats:
        """Return what the next forecast is made from, ``[S, P]``; unknown amounts count as 0."""
        means = past.last_means(12)
        median, high, _ = standing.day
        days = np.stack([past.lag(d * past.day - 1) for d in range(1, 8)])
        recent = [
            past.lag(0),
            average(means[-1:]),
            highest(past.last(3)),
            average(means),
            highest(past.last(12)),
            high,
        ]
        earlier = [days[0], days[6], average(days)]
        amounts = [*recent, *(np.where(np.isnan(e), median, e) for e in earlier)]
        shares = np.clip(np.stack(amounts, axis=1) / standing.scale[:, None], 0.0, LARGEST_SHARE)
        waves = np.broadcast_to(self._waves(past.day), (past.series, WAVES))
        ones = np.ones((past.series, 1))
        return np.asarray(np.nan_to_num(np.concatenate([ones, shares, waves], axis=1)), np.float64)

    def _waves(self, day: int) -> Floats:
        turn = 2 * np.pi * self.block / day
        of_day = turn * np.arange(1, DAY_WAVES + 1)
        of_week = turn / 7 * np.arange(1, WEEK_WAVES + 1)
        angles = np.concatenate([of_day, of_week])
        return np.concatenate([np.sin(angles), np.cos(angles)])

    def learn(self, inputs: Floats, outcome: Floats, known: Bools, day: int) -> None:
        """Take what came of earlier inputs; ``outcome`` in units of the scale of then."""
        kept = 0.5 ** (1 / (HALF_LIFE_DAYS * day))
        first = known & (self.count == 0)
        turns = (shuffled(outcome) % np.uint64(turns_of(day))).astype(np.int64)
        self.turn = np.where(first, turns, self.turn)
        x = inputs * known[:, None]
        y = np.where(known, np.clip(outcome, 0.0, LARGEST_SHARE), 0.0)
        self.squares *= kept
        self.squares += x[:, :, None] * x[:, None, :]
        self.products *= kept
        self.products += x * y[:, None]
        self.count += known

    def solve(self, day: int) -> None:
        """Solve the series whose turn it is."""
        is_turn = self.turn == self.block % turns_of(day)
        rows = np.flatnonzero(is_turn & (self.count >= LEAST_BLOCKS))
        self.block += 1
        if len(rows):
            system = self.squares[rows] + PENALTY * np.eye(PARAMETERS)
            self.weights[rows] = np.linalg.solve(system, self.products[rows, :, None])[..., 0]

    def forecast(self, inputs: Floats, volatility: Volatility, scale: Floats) -> Expected:
        """Expect what the regression says; nothing where it was never solved."""
        # parameter by parameter: how a row lies in memory must not change its last digit
        share = np.add.reduce(np.ascontiguousarray((inputs * self.weights).T), axis=0)
        value = np.clip(share, 0.0, LARGEST_FORECAST) * scale
        known = self.weights.any(axis=1)
        return expected(np.where(known, value, np.nan), volatility.mean, scale)


def turns_of(day: int) -> int:
    """Return in how many blocks all series are solved once."""
    return max(1, day // SOLVED_PER_DAY)


WAVES = 2 * (DAY_WAVES + WEEK_WAVES)
PARAMETERS = 1 + 9 + WAVES
