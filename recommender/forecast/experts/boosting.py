"""What the fleet's model says: quantiles of demand learned from all series together."""

from __future__ import annotations

import numpy as np

from recommender.forecast.experts.base import Expected, expected
from recommender.forecast.features import Matrix
from recommender.forecast.fleet_model import FleetModel
from recommender.observation import Floats


def boosting(model: FleetModel, features: Matrix, scale: Floats) -> tuple[Expected, Expected]:
    """Return two experts: one expects the lower quantile of the model, one the upper."""
    low, middle, high = model.quantiles(features) * scale
    return (
        expected(low, middle - 0.9 * low, scale),
        expected(middle, high - 0.9 * middle, scale),
    )


def untrained(series: int) -> tuple[Expected, Expected]:
    """Return both where there is no model yet."""
    nothing = np.full(series, np.nan)
    return (Expected(value=nothing, spread=nothing), Expected(value=nothing, spread=nothing))
