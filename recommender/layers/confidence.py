"""How much is known of a workload's use: confidence, too little history, stale samples."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from recommender.decision import Code
from recommender.layers.context import Tick
from recommender.observation import Bools, Floats
from recommender.usage.minutes import MINUTE_S
from recommender.usage.quality import is_stale

FULL_SPAN_S = 2 * 86400
LEAST_SPAN_S = 1800
LEAST_POINTS = 12
TO_RAISE = 0.02
TO_LOWER = 0.5


def confidence_of(tick: Tick) -> Floats:
    """Return min(span / 2 d, points / expected points), ``[W, R]``, 0 to 1.

    No more points are expected than two days hold: a workload that is switched off at night is
    known as well as one that is not.
    """
    usage = tick.usage
    span_s = np.maximum(usage.last_sample_s - usage.first_sample_s, 0)
    most = FULL_SPAN_S / np.maximum(usage.step_s, MINUTE_S) + 1.0
    coverage = usage.points / np.minimum(usage.expected_points, most)
    known: Floats = np.nan_to_num(np.minimum(span_s / FULL_SPAN_S, coverage))
    return known.clip(0.0, 1.0)


def stale_samples(tick: Tick) -> Bools:
    """Return where the last sample is too old to act on, ``[W, R]``."""
    usage = tick.usage
    return is_stale(usage.last_sample_s, usage.step_s, tick.now_s)


def unknown_reason(tick: Tick, value: Floats) -> NDArray[np.int16]:
    """Return why there is no recommendation, ``[W, R]`` of ``Code`` numbers; 0: there is one."""
    usage = tick.usage
    reason = np.zeros(value.shape, np.int16)
    reason[np.isnan(value)] = Code.NoPositiveSample.number
    short = (usage.last_sample_s - usage.first_sample_s < LEAST_SPAN_S) | (
        usage.points < LEAST_POINTS
    )
    reason[short] = Code.NotEnoughHistory.number
    reason[usage.points == 0] = Code.NoSamples.number
    return reason


def reason_of_kept(target: Floats, reason: NDArray[np.int16]) -> NDArray[np.int16]:
    """Return why a layer that is not due has no value; 0 where it keeps one."""
    not_yet = np.where(reason == 0, Code.NotDecidedYet.number, reason)
    return np.where(np.isnan(target), not_yet, 0).astype(np.int16)
