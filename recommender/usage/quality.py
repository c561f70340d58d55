"""The quality of samples: which count, and what demand a censored one stands for.

``ok | stale | absent | saturated | startup | frozen``: absence is never zero, a saturated sample
is a lower bound, samples of start-up and of frozen intervals say nothing of the demand.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recommender.observation import Bools, Floats, Ints
from recommender.usage.minutes import MINUTE_S

SATURATED_SHARE = 0.98
SATURATION_ROOM = 1.001 / SATURATED_SHARE
"""Of a limit over the use that it leaves unsaturated: the share of minutes that a risk allows is
that of saturated ones; rounding makes none."""
SATURATED_THROTTLED_RATIO = 0.2
HIDDEN_DEMAND_CAP = 1.25
"""A saturated sample stands for at most this multiple of the share that held it down."""
STARTUP_WITHOUT_READINESS_S = 300
LONGEST_STARTUP_S = 3600
"""A cluster tells when a worker was last made Ready, which may be days after it first was: what is
longer after its start is no start-up, whether it was Ready since or is not."""
LARGEST_VALUE = 1e18
"""Larger samples are left out like infinite ones: no unit has them, and their squares overflow."""


@dataclass(slots=True, kw_only=True)
class SampleCounts:
    """How many samples were taken or left out, and why, since the model was made.

    Each sample counts once in ``accepted`` or in the reason why it was left out.
    """

    accepted: int = 0
    saturated: int = 0
    """Of the accepted ones."""
    duplicate: int = 0
    """Of the accepted ones."""
    startup: int = 0
    frozen: int = 0
    late: int = 0
    future: int = 0
    not_finite: int = 0
    """NaN, infinite, or above ``LARGEST_VALUE``."""
    negative: int = 0


def is_stale(last_sample_s: Ints, step_s: Ints, now_s: int) -> Bools:
    """Return whether the last sample is older than 5 minutes and than three steps."""
    return now_s - last_sample_s > np.maximum(300, 3 * step_s)


def is_saturated(value: Floats, share: Floats, throttled_ratio: Floats) -> Bools:
    """Return which samples reached their effective share, or waited for a fifth of the time."""
    with np.errstate(invalid="ignore"):
        reached = value >= SATURATED_SHARE * share
        return (reached & (share > 0)) | (throttled_ratio >= SATURATED_THROTTLED_RATIO)


def demand_of(value: Floats, share: Floats, throttled_ratio: Floats, saturated: Bools) -> Floats:
    """Return the demand behind each sample; use itself where nothing was hidden.

    Saturated: device time / (interval - throttled time), at least the use and at most 1.25 x the
    share.  Where the throttled time is not measured, 1.25 x the share; where the share is not
    known, the use stands for it.
    """
    with np.errstate(invalid="ignore"):
        measured = value / np.maximum(1.0 - throttled_ratio, 1e-3)
    cap = HIDDEN_DEMAND_CAP * np.where(np.isnan(share), value, share)
    hidden = np.where(np.isnan(throttled_ratio), cap, np.minimum(measured, cap))
    return np.where(saturated, np.maximum(value, hidden), value)


def is_startup(
    ts: Ints, first_sample_s: Ints, begin_s: int, started_s: Ints, ready_s: Ints
) -> Bools:
    """Return which samples belong to the start-up of their worker, ``[n]`` each.

    Known start: until Ready, for ``LONGEST_STARTUP_S`` at most.  Unknown (``started_s`` -1): the
    first 5 minutes, but not for workers that were there when the source's own record begins, for
    those were running already.  Samples from before a known start are of an earlier worker of that
    name, whose own start is unknown.
    """
    known = is_since_start(ts, started_s)
    until_ready = ((ready_s < 0) | (ts < ready_s)) & (ts < started_s + LONGEST_STARTUP_S)
    seen_starting = first_sample_s > begin_s
    first_minutes = ts < first_sample_s + STARTUP_WITHOUT_READINESS_S
    return np.where(known, until_ready, seen_starting & first_minutes)


def is_since_start(ts: Ints, started_s: Ints) -> Bools:
    """Return which samples are from after their worker's known start, ``[n]`` each.

    By whole minutes, because minutes that a source aggregated are stamped by their start.
    """
    return (started_s >= 0) & (ts >= started_s // MINUTE_S * MINUTE_S)
