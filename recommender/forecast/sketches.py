"""How wrong each expert was: fading histograms of its errors, from which its quantiles are read.

Conformal prediction with weights that fade (Barber et al. 2023, "Conformal prediction beyond
exchangeability"): an error counts in units of the spread that the expert gave with its forecast.
A series of few errors leans on those of the whole fleet.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recommender.forecast.experts.base import Expected
from recommender.forecast.fleet_sum import fleet_sum
from recommender.forecast.outcome import Outcome
from recommender.forecast.series import some_of
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

FEW_SERIES = 32
"""Below that, a step for each bucket takes longer than what it saves."""
CELLS_AT_ONCE = 2**17
"""Buckets of all series that are computed together: they stay in a cache."""

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
    """Errors of the first ``E`` experts: of all up to the last one that ever knew anything."""

    weights: NDArray[np.float32]
    """[E, BUCKETS, S]"""

    @classmethod
    def empty(cls, experts: int, series: int) -> ErrorSketches:
        """Return sketches without errors; more experts find room when they know something."""
        return cls(np.zeros((experts, BUCKETS, series), np.float32))

    def add(self, forecast: Expected, outcome: Outcome, kept: Floats) -> None:
        """Take what came of forecasts ``[E, S]``; the minutes of a series are one error together.

        Of what is there the share ``kept`` ``[S]`` stays.
        """
        self._make_room(forecast)
        self.weights *= kept.astype(np.float32)
        experts, _, all_series = self.weights.shape
        flat = self.weights.reshape(-1, copy=False)
        for few, part in outcome.parts():
            each = part.of_each(1.0 / np.maximum(part.count, 1)).astype(np.float32)
            series = part.series + few.start
            for some in _experts_of(experts, len(part.count)):
                value, spread = forecast.value[some, few], forecast.spread[some, few]
                if np.isnan(value).all():
                    continue
                error = part.use - part.of_each(value)
                error /= part.of_each(spread)
                cell = np.searchsorted(EDGES[1:-1], error, side="right")
                cell += BUCKETS * np.arange(some.start, some.stop)[:, None]
                cell *= all_series
                cell += series
                weight = np.where(np.isnan(error), np.float32(0), each)
                np.add.at(flat, cell.ravel(), weight.ravel())

    def of_fleet(self) -> Floats:
        """Return how many errors of all series lie in each bucket, ``[E, BUCKETS]``."""
        experts, _, series = self.weights.shape
        buckets = self.weights.reshape(experts * BUCKETS, series)
        step = max(CELLS_AT_ONCE // max(series, 1), 1)
        parts = (buckets[at : at + step] for at in range(0, len(buckets), step))
        sums = [np.empty(0), *(fleet_sum(part, axis=1) for part in parts)]
        return np.concatenate(sums).reshape(-1, BUCKETS)

    def uppers(
        self, forecast: Expected, levels: Sequence[Floats], of_fleet: Floats | None = None
    ) -> Floats:
        """Return the quantiles at each of ``levels`` ``[S]`` of what will come, ``[L, E, S]``.

        NaN before any error of an expert.  Who asks twice gives what ``of_fleet`` returned.
        """
        of_fleet = self.of_fleet() if of_fleet is None else of_fleet
        error = np.full((len(levels), *forecast.value.shape), np.nan)
        experts, _, series = self.weights.shape
        for few in some_of(series):
            asked = [level[few] for level in levels]
            for some in _experts_of(experts, few.stop - few.start):
                weights = self.weights[some, :, few]
                error[:, some, few] = _quantiles(weights, asked, of_fleet[some])
        return np.asarray(np.maximum(forecast.value + error * forecast.spread, 0.0), np.float64)

    def _make_room(self, forecast: Expected) -> None:
        """Begin sketches up to the last expert that knows something: some are never asked."""
        known = np.flatnonzero(~np.isnan(forecast.value).all(axis=1))
        more = int(known.max(initial=-1)) + 1 - len(self.weights)
        if more > 0:
            fresh = np.zeros((more, *self.weights.shape[1:]), np.float32)
            self.weights = np.concatenate([self.weights, fresh])


def _experts_of(experts: int, series: int) -> Iterator[slice]:
    """Yield experts that are computed together: few where there are many series."""
    step = max(CELLS_AT_ONCE // (BUCKETS * max(series, 1)), 1)
    yield from (slice(at, min(at + step, experts)) for at in range(0, experts, step))


def _quantiles(weights: NDArray[np.float32], levels: Sequence[Floats], fleet: Floats) -> Floats:
    """Return the error of each expert and series at each of ``levels`` ``[S]``, ``[L, E, S]``."""
    total = fleet.sum(axis=1)[:, None]
    known = total > 0
    usual = FLEET_ERRORS * np.where(known, fleet / np.where(known, total, 1.0), 1.0)
    reached = _running_sum(weights + usual[:, :, None])
    found = [
        np.where(known, _error_at(reached, level * reached[:, -1]), np.nan) for level in levels
    ]
    return np.stack(found)


def _running_sum(weights: Floats) -> Floats:
    """Return the sums over all buckets up to each, ``[E, BUCKETS, S]``; may change ``weights``."""
    if weights.shape[2] < FEW_SERIES:
        return np.cumsum(weights, axis=1)
    # the library would go through memory column by column
    for bucket in range(1, BUCKETS):
        weights[:, bucket] += weights[:, bucket - 1]
    return weights


def _error_at(reached: Floats, wanted: Floats) -> Floats:
    """Return the error at which the weights of all buckets up to it are ``wanted``, ``[E, S]``."""
    bucket = np.minimum((reached < wanted[:, None]).sum(axis=1), BUCKETS - 1)
    expert, series = np.indices(bucket.shape, sparse=True)
    high = reached[expert, bucket, series]
    low = np.where(bucket > 0, reached[expert, np.maximum(bucket - 1, 0), series], 0.0)
    within = np.clip((wanted - low) / np.maximum(high - low, 1e-12), 0.0, 1.0)
    return np.asarray(EDGES[bucket] + within * (EDGES[bucket + 1] - EDGES[bucket]), np.float64)
