"""How wrong each expert was: fading histograms of its errors, from which its quantiles are read.

Conformal prediction with weights that fade (Barber et al. 2023, "Conformal prediction beyond
exchangeability"): an error counts in units of the spread that the expert gave with its forecast.
A series of few errors leans on those of the whole fleet.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recommender.forecast.experts.base import Expected
from recommender.forecast.fleet_sum import fleet_sum
from recommender.forecast.outcome import Outcome
from recommender.observation import Floats

HALF_LIFE_DAYS = 4.0
YOUNG_HALF_LIFE = 0.25
"""Share of the age of a series that its half-life is at most: nothing is ever as uncertain again as
in the first hours, which would make all of the first week too high."""
SHORTEST_HALF_LIFE_BLOCKS = 12.0
"""An hour of limits; of fewer errors no quantile can be read, however long their blocks are."""
FLEET_ERRORS = 300.0
"""So many errors of the whole fleet count beside those of a series."""
BUCKETS = 96
SMALLEST_ERROR, LARGEST_ERROR = -6.0, 60.0
FINENESS = 0.05
"""Buckets are as wide as this around 0, and grow with the error from there."""

EDGES: Floats = FINENESS * np.sinh(
    np.linspace(
        np.arcsinh(SMALLEST_ERROR / FINENESS), np.arcsinh(LARGEST_ERROR / FINENESS), BUCKETS + 1
    )
)


def kept_of(seen: Floats, day: int) -> Floats:
    """Return how much of its errors a series keeps over one block, ``[S]``.

    ``seen`` is blocks of each with use, ``day`` those of a day.
    """
    half_life = np.minimum(YOUNG_HALF_LIFE * seen, HALF_LIFE_DAYS * day)
    return np.asarray(0.5 ** (1 / np.maximum(half_life, SHORTEST_HALF_LIFE_BLOCKS)), np.float64)


@dataclass(slots=True)
class ErrorSketches:
    """Errors of one expert."""

    weights: NDArray[np.float32]
    """[BUCKETS, S]"""

    @classmethod
    def empty(cls, series: int) -> ErrorSketches:
        """Return sketches without errors."""
        return cls(np.zeros((BUCKETS, series), np.float32))

    def add(self, forecast: Expected, outcome: Outcome, kept: Floats) -> None:
        """Take what came; the minutes of a series count as one error together.

        Of what is there the share ``kept`` ``[S]`` stays.
        """
        self.weights *= kept.astype(np.float32)
        series = outcome.series
        error = (outcome.use - forecast.value[series]) / forecast.spread[series]
        known = ~np.isnan(error)
        bucket = np.searchsorted(EDGES, error[known], side="right") - 1
        cell = np.clip(bucket, 0, BUCKETS - 1) * self.weights.shape[1] + series[known]
        each = 1.0 / np.maximum(outcome.count, 1)
        added = np.bincount(cell, each[series[known]], minlength=self.weights.size)
        self.weights += added.reshape(self.weights.shape)

    def upper(self, forecast: Expected, level: Floats) -> Floats:
        """Return the quantile at ``level`` ``[S]`` of what will come; NaN before any error."""
        fleet = fleet_sum(self.weights, axis=1)
        total = fleet.sum()
        if total <= 0:
            return np.full(self.weights.shape[1], np.nan)
        reached = np.cumsum(self.weights + FLEET_ERRORS * (fleet / total)[:, None], axis=0)
        wanted = level * reached[-1]
        bucket = np.minimum((reached < wanted).sum(axis=0), BUCKETS - 1)
        series = np.arange(len(bucket))
        high = reached[bucket, series]
        low = np.where(bucket > 0, reached[np.maximum(bucket - 1, 0), series], 0.0)
        within = np.clip((wanted - low) / np.maximum(high - low, 1e-12), 0.0, 1.0)
        error = EDGES[bucket] + within * (EDGES[bucket + 1] - EDGES[bucket])
        return np.asarray(np.maximum(forecast.value + error * forecast.spread, 0.0), np.float64)
