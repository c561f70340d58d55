"""Lasting changes of the level of a series: when, from what, to what.

A day before an hour is compared with the day after it, by medians, so that no single hour counts
for much.  A change within the last day is therefore not seen yet, a slope is no step, and of
changes within a day the largest counts.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from recommender.forecast.past import average
from recommender.observation import Bools, Floats
from recommender.usage.peaks import HOUR_S

WINDOW_HOURS = 24
LEAST_CONTRAST = 3.0
"""In units of the spread of the hours on its noisier side; a slope reaches 2.7."""
LEAST_RATIO = 0.2
"""Of the mean of the series."""
MAD_TO_DEVIATION = 1.4826


@dataclass(frozen=True, slots=True, kw_only=True)
class Shift:
    """One step."""

    at_s: int
    """Begin of the first hour on the new level, UTC seconds."""
    before: float
    after: float


def shifts_of(level: Floats, *, first_s: int) -> tuple[tuple[Shift, ...], ...]:
    """Return the steps of each column of ``level``, oldest first.

    ``level`` is ``[T, S]``, hours without their seasons, the first of which begins at ``first_s``;
    NaN only before a series begins.
    """
    series = level.shape[1]
    if len(level) < 2 * WINDOW_HOURS:
        return tuple(() for _ in range(series))
    windows = sliding_window_view(level, WINDOW_HOURS, axis=0)
    middle = np.median(windows, axis=2)
    spread = MAD_TO_DEVIATION * np.median(np.abs(windows - middle[:, :, None]), axis=2)
    mean = windows.mean(axis=2)
    before, after = middle[:-WINDOW_HOURS], middle[WINDOW_HOURS:]
    noise = np.maximum(spread[:-WINDOW_HOURS], spread[WINDOW_HOURS:])
    least = LEAST_RATIO * np.abs(average(level))
    contrast = np.abs(after - before)
    is_step = (contrast >= LEAST_CONTRAST * noise) & (contrast >= least) & (contrast > 0)
    sharpness = np.abs(mean[WINDOW_HOURS:] - mean[:-WINDOW_HOURS])
    return tuple(
        tuple(
            Shift(
                at_s=first_s + (at + WINDOW_HOURS) * HOUR_S,
                before=float(before[at, i]),
                after=float(after[at, i]),
            )
            for at in _peaks(is_step[:, i], sharpness[:, i])
        )
        for i in range(series)
    )


def _peaks(is_step: Bools, sharpness: Floats) -> list[int]:
    """Return the sharpest hours among those that are a step, a day apart, in order."""
    left = np.where(is_step, sharpness, -np.inf)
    found: list[int] = []
    while np.isfinite(left).any():
        at = int(np.argmax(left))
        found.append(at)
        left[max(0, at - WINDOW_HOURS + 1) : at + WINDOW_HOURS] = -np.inf
    return sorted(found)
