"""What the fleet's model says: quantiles of demand learned from all series together."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from recommender.forecast.experts.base import Expected, expected
from recommender.forecast.features import Matrix
from recommender.forecast.fleet_model import FleetModel
from recommender.observation import Floats

BOOSTING = ("boosting-low", "boosting-middle", "boosting-high")
"""Each is one quantile of the model; that above the highest only says how far it may be off."""


def boosting(model: FleetModel, features: Matrix, scale: Floats) -> tuple[Expected, ...]:
    """Return what each of ``BOOSTING`` expects."""
    quantiles = model.quantiles(features) * scale
    return tuple(
        expected(value, above - 0.9 * value, scale) for value, above in pairwise(quantiles)
    )


def untrained(series: int) -> tuple[Expected, ...]:
    """Return all of them where there is no model yet."""
    nothing = np.full(series, np.nan)
    return (Expected(value=nothing, spread=nothing),) * len(BOOSTING)
