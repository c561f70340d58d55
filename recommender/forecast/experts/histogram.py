"""What decaying histograms of use say, without any pattern: the experts that all others must beat.

Which percentile, with which margin, at which half-life is best differs from demand to demand: use
that fills its range has a spread of its own, a tail that jumps is in proportion to its height.  So
several are asked, and each is calibrated.
"""

from __future__ import annotations

from recommender.forecast.experts.base import Expected, expected
from recommender.observation import Floats

HISTOGRAMS = ("histogram", "histogram-low", "histogram-high", "histogram-day")
HOUR_LEVELS = (0.5, 0.8, 0.95, 0.99, 0.999)
"""Of the histogram with a half-life of one hour."""
DAY_LEVELS = (0.5, 0.9, 0.98)
"""Of the one with a half-life of a day."""
PERCENTILES = len(HOUR_LEVELS) + len(DAY_LEVELS)


def histograms(percentiles: Floats, scale: Floats) -> tuple[Expected, ...]:
    """Return what each of ``HISTOGRAMS`` expects.

    ``percentiles`` are ``[PERCENTILES, S]``, those at ``HOUR_LEVELS`` and then at ``DAY_LEVELS``.
    """
    median, low, middle, high, top = percentiles[: len(HOUR_LEVELS)]
    day_median, day_high, day_top = percentiles[len(HOUR_LEVELS) :]
    return (
        expected(middle, high - 0.9 * middle, scale),
        expected(low, middle - median, scale),
        expected(top, top, scale),
        expected(day_high, day_top - day_median, scale),
    )
