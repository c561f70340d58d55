"""What the decaying histogram of the last hours says: the expert that all others have to beat."""

from __future__ import annotations

from recommender.forecast.experts.base import Expected, expected
from recommender.observation import Floats

LEVELS = (0.95, 0.99)


def histogram(percentiles: Floats, scale: Floats) -> Expected:
    """Expect the 95th percentile; ``percentiles`` are ``[2, S]`` at ``LEVELS``."""
    value, above = percentiles
    return expected(value, above - 0.9 * value, scale)
