"""How wrong each expert was: fading histograms of its errors, from which its quantiles are read.

Conformal prediction with weights that fade (Barber et al. 2023, "Conformal prediction beyond
exchangeability"): an error counts in units of the spread that the expert gave with its forecast.
A series of few errors leans on those of the whole fleet.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recommender.forecast.experts.base import Expected
from recommender.forecast.fleet_sum import fleet_sum
from recommender.observation import Floats

HALF_LIFE_DAYS = 4.0
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


@dataclass(slots=True)
class ErrorSketches:
    """Errors of one expert, ``[S, BUCKETS]``."""

    weights: Floats

    @classmethod
    def empty(cls, series: int) -> ErrorSketches:
        """Return sketches without errors."""
        return cls(np.zeros((series, BUCKETS)))

    def add(self, forecast: Expected, outcome: Floats, day: int) -> None:
        """Take what came, ``[N, S]`` minutes; NaN: nobody knows.  All of them count as one error.

        What is there fades by one block.
        """
        self.weights *= 0.5 ** (1 / (HALF_LIFE_DAYS * day))
        error = (outcome - forecast.value) / forecast.spread
        known = ~np.isnan(error)
        each = 1.0 / np.maximum(known.sum(axis=0), 1)
        minute, row = np.nonzero(known)
        bucket = np.searchsorted(EDGES, error[minute, row], side="right") - 1
        cell = row * BUCKETS + np.clip(bucket, 0, BUCKETS - 1)
        added = np.bincount(cell, each[row], minlength=self.weights.size)
        self.weights += added.reshape(self.weights.shape)

    def upper(self, forecast: Expected, level: Floats) -> Floats:
        """Return the quantile at ``level`` ``[S]`` of what will come; NaN before any error."""
        fleet = fleet_sum(self.weights, axis=0)
        total = fleet.sum()
        if total <= 0:
            return np.full(len(self.weights), np.nan)
        weights = self.weights + FLEET_ERRORS * (fleet / total)
        reached = np.cumsum(weights, axis=1)
        reached /= reached[:, -1:]
        bucket = np.minimum((reached < level[:, None]).sum(axis=1), BUCKETS - 1)
        row = np.arange(len(bucket))
        high = reached[row, bucket]
        low = np.where(bucket > 0, reached[row, np.maximum(bucket - 1, 0)], 0.0)
        within = np.clip((level - low) / np.maximum(high - low, 1e-12), 0.0, 1.0)
        error = EDGES[bucket] + within * (EDGES[bucket + 1] - EDGES[bucket])
        return np.asarray(np.maximum(forecast.value + error * forecast.spread, 0.0), np.float64)
