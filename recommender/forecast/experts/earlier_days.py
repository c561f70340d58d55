"""What was at the same time of earlier days: nothing but the season."""

from __future__ import annotations

import numpy as np

from recommender.forecast.experts.base import Expected, expected
from recommender.forecast.experts.recent import Volatility
from recommender.forecast.past import DAYS_KEPT, Past, average, highest
from recommender.observation import Floats


def earlier_days(past: Past, volatility: Volatility, scale: Floats, lead: int) -> Expected:
    """Expect the mean, over earlier days, of the highest of the blocks that are forecast."""
    days = [past.last(lead, ago=day * past.day - lead) for day in range(1, DAYS_KEPT + 1)]
    value = average(np.stack([highest(blocks) for blocks in days]))
    return expected(value, volatility.mean, scale)
