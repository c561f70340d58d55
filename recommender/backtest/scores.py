"""Scores of amounts against use: pure functions over arrays, and their pooling over workloads.

Slack and violation belong together: any method has less slack if it may violate more, so methods
are compared by ``slack_at`` an equal share of violated steps.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

import numpy as np
from numpy.typing import NDArray

from recommender.backtest.whatif import Scores
from recommender.observation import Floats, Ints

TOLERANCE = 1e-6
"""Use above an amount by less than this share is rounding."""
LOWEST_VIOLATION = 1e-6
LARGEST_DECADES = 1.0
"""Points of a sweep further apart say nothing about the violation between them."""
Values = NDArray[np.floating]


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """Sums over judged steps, ``[n]`` each; a step is judged where use and amount are known."""

    judged: Floats
    """Number of steps."""
    violated: Floats
    """Steps with use above the amount."""
    allocated: Floats
    used: Floats
    """Sum of mean use."""
    peaks: Floats
    """Sum of the highest use of each step."""
    above: Floats
    """Sum of the highest use above the amount."""

    def pooled(self, row: Ints, rows: int) -> Tally:
        """Return the sums of all entries of each row, for example of a workload's workers."""
        sums: dict[str, Floats] = {
            item.name: np.bincount(row, getattr(self, item.name), minlength=rows).astype(np.float64)
            for item in fields(self)
        }
        return Tally(**sums)

    def of_devices(self, count: Ints) -> Tally:
        """Return ``[n, ...]`` sums of amounts times the ``[n]`` devices of a worker.

        Amounts are per device; steps are counted once however many devices there are.
        """
        volumes = ("allocated", "used", "peaks", "above")
        factor = count.reshape(-1, *(1,) * (self.judged.ndim - 1))
        return replace(self, **{name: getattr(self, name) * factor for name in volumes})

    def total(self) -> Tally:
        """Return the sums over the first axis, for example of all workloads."""
        return Tally(**{f.name: getattr(self, f.name).sum(axis=0) for f in fields(self)})


def tally(peak: Values, amount: Values, mean: Values | None = None) -> Tally:
    """Compare use with amounts, ``[n, steps]`` each; NaN: nothing to judge.

    ``peak`` is the highest, ``mean`` (by default the same) the mean use of each step.
    """
    mean = peak if mean is None else mean
    judged = ~(np.isnan(peak) | np.isnan(amount))
    above = np.where(judged & (peak > amount * (1 + TOLERANCE)), peak - amount, 0.0)

    def total(values: Values) -> Floats:
        return np.asarray(np.where(judged, values, 0.0).sum(axis=-1, dtype=np.float64))

    return Tally(
        judged=judged.sum(axis=-1).astype(np.float64),
        violated=(above > 0).sum(axis=-1).astype(np.float64),
        allocated=total(amount),
        used=total(mean),
        peaks=total(peak),
        above=above.sum(axis=-1, dtype=np.float64),
    )


def slack(t: Tally) -> Floats:
    """Return allocated / used - 1; NaN where nothing was used."""
    return _ratio(t.allocated, t.used) - 1.0


def violated_share(t: Tally) -> Floats:
    """Return the share of judged steps with use above the amount; NaN where none was judged."""
    return _ratio(t.violated, t.judged)


def throttled_volume(t: Tally) -> Floats:
    """Return use above the amount as a share of use, both at their highest within each step."""
    return _ratio(t.above, t.peaks)


def violated_minutes(t: Tally, step_s: int) -> Floats:
    """Return the minutes with use above the amount; of VRAM, in which it would be refused."""
    return t.violated * step_s / 60.0


def hours(volume: Floats, step_s: int) -> Floats:
    """Return a sum of amounts over steps in amount-hours, for example TFLOPS-hours."""
    return volume * step_s / 3600.0


def pinball_volume(t: Tally, level: Values | float) -> Floats:
    """Return the pinball loss of a tally: what was too little and what was too much, weighed.

    ``level`` x use above the amount + (1 - ``level``) x amount above the use, each step at its
    highest use.  Its minimum over constant amounts is the quantile of use at ``level``.
    """
    unused = np.maximum(t.allocated - t.peaks + t.above, 0.0)
    return np.asarray(level * t.above + (1.0 - level) * unused, np.float64)


def changes_per_day(changes: Floats, judged_s: Floats | Ints) -> Floats:
    """Return changes per workload and day of the time that was judged; NaN where none was."""
    return _ratio(changes * 86400.0, np.asarray(judged_s, np.float64))


def slack_at(violation: float, slacks: Floats, violations: Floats) -> float:
    """Return the slack at an equal violated share: the lower envelope of a sweep.

    ``slacks`` and ``violations`` ([points]) are what different knobs reached.  Between points less
    than a decade apart the slack is interpolated linearly in log10(violation).  NaN where no point
    gets down to ``violation``.
    """
    x = np.log10(np.maximum(violations, LOWEST_VIOLATION))
    goal = np.log10(violation)
    reaches = x <= goal
    if not reaches.any():
        return float("nan")
    best = float(slacks[reaches].min())
    low_x, low_y = x[reaches][:, None], slacks[reaches][:, None]
    high_x, high_y = x[~reaches][None, :], slacks[~reaches][None, :]
    near = (low_y > high_y) & (high_x - low_x < LARGEST_DECADES)
    if near.any():
        between = low_y + (high_y - low_y) * (goal - low_x) / (high_x - low_x)
        best = min(best, float(between[near].min()))
    return best


def pinball(level: float, forecast: Floats, outcome: Floats) -> Floats:
    """Return the mean pinball (quantile) loss along the last axis; NaN outcomes are left out.

    ``max(level * (outcome - forecast), (level - 1) * (outcome - forecast))``: its minimum over
    constants is the quantile at ``level`` (Koenker and Bassett 1978).
    """
    error = outcome - forecast
    return _mean(np.maximum(level * error, (level - 1.0) * error))


def coverage(forecast: Floats, outcome: Floats) -> Floats:
    """Return the share of outcomes at or below their forecast, along the last axis."""
    error = outcome - forecast
    covered = np.where(np.isnan(error), np.nan, (error <= 0).astype(np.float64))
    return _mean(covered)


def scores_of(t: Tally, changes: Floats) -> Scores:
    """Return the scores of a back-test, in the shape of the tally; ``changes`` are per day."""
    return Scores(
        slack=slack(t),
        violated_share=violated_share(t),
        throttled_volume=throttled_volume(t),
        changes_per_day=np.where(t.judged > 0, changes, np.nan),
    )


def _ratio(above: Floats, below: Floats) -> Floats:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(below > 0, above / below, np.nan), np.float64)


def _mean(values: Floats) -> Floats:
    known = ~np.isnan(values)
    total = np.where(known, values, 0.0).sum(axis=-1)
    return _ratio(np.asarray(total), np.asarray(known.sum(axis=-1)))
