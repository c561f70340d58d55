"""Measured use condensed to the few points that a plot shows."""

from __future__ import annotations

import math
import warnings

import numpy as np

from recommender.observation import Floats, Ints
from recommender.report.blocks import UsageSeries
from recommender.report.rounding import rounded

MOST_POINTS = 56
"""Three hours a point over 7 days, which keeps a page of many plots small."""
_SERIES_DIGITS = 3


def usage_series(block_start_s: Ints, block_max: Floats, block_mean: Floats) -> UsageSeries | None:
    """Condense 5-minute blocks ``[B]`` to at most 56 points: highest of maxima, mean of means.

    Blocks before the first measured one are left out; None where nothing was measured.
    """
    measured = np.flatnonzero(np.isfinite(block_max))
    if len(measured) == 0:
        return None
    first = int(measured[0])
    per_point = math.ceil((len(block_max) - first) / MOST_POINTS)
    block_s = int(block_start_s[1] - block_start_s[0]) if len(block_start_s) > 1 else 300
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # a point without samples is NaN on purpose
        highest = np.nanmax(_rows(block_max[first:], per_point), axis=1)
        mean = np.nanmean(_rows(block_mean[first:], per_point), axis=1)
    return UsageSeries(
        start_s=int(block_start_s[first]),
        step_s=block_s * per_point,
        highest=tuple(rounded(float(value), _SERIES_DIGITS) for value in highest),
        mean=tuple(rounded(float(value), _SERIES_DIGITS) for value in mean),
    )


def share_above(values: Floats, amount: float | None) -> float | None:
    """Return the share of measured blocks above ``amount``; None where there is none of either."""
    measured = values[np.isfinite(values)]
    if amount is None or len(measured) == 0:
        return None
    return rounded(float(np.mean(measured > amount)))


def _rows(values: Floats, per_row: int) -> Floats:
    padding = -len(values) % per_row
    padded = np.concatenate([values.astype(np.float64), np.full(padding, np.nan)])
    return padded.reshape(-1, per_row)
