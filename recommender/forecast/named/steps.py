"""The history of one series as the models see it: coarse, without gaps, in units of its own size.

Fits cost with the length of a season: at 288 blocks of five minutes a day they take seconds, at 24
hours tens of milliseconds.  A season is therefore cut into at most 24 steps (hours of a day), and
what steps leave out comes back as the spread of blocks around them (``spread``).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recommender.forecast.named.reason import Reason
from recommender.observation import Floats

STEPS_A_SEASON = 24
"""At most."""
LEAST_SEASONS = 2
"""Or as many times 24 steps, where a season has fewer."""
MOST_SEASONS = 28
"""What is older is left out."""
LEAST_KNOWN_SHARE = 0.5
LEAST_CHANGE = 1e-9
"""Of the size of a series: what is smaller is the rounding of sums."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Steps:
    """Means of equal groups of blocks, counted back from now."""

    values: Floats
    """[N] in units of ``scale``, gaps filled."""
    blocks: Floats
    """[N * blocks_a_step] in units of ``scale``; NaN where nothing was measured."""
    scale: float
    season: int
    """Steps."""
    blocks_a_step: int


def steps_of(history: Floats, season_blocks: int) -> Steps | Reason:
    """Return a history ``[T]`` as steps, or why nothing can be fitted to it."""
    group = blocks_a_step(season_blocks)
    season = max(season_blocks, STEPS_A_SEASON * group)
    blocks = history[-MOST_SEASONS * season :]
    known = np.flatnonzero(~np.isnan(blocks))
    if len(known) == 0:
        return Reason.TOO_SHORT
    blocks = blocks[known[0] :]
    if len(blocks) < LEAST_SEASONS * season:
        return Reason.TOO_SHORT
    if len(known) < LEAST_KNOWN_SHARE * len(blocks):
        return Reason.TOO_MANY_GAPS
    blocks = blocks[len(blocks) % group :]
    highest = float(np.nanmax(np.abs(blocks)))
    if np.nanmax(blocks) - np.nanmin(blocks) <= LEAST_CHANGE * highest:
        return Reason.CONSTANT
    scale = highest * float(np.nanmean(np.abs(blocks) / highest))
    blocks = blocks / scale
    means = _means(blocks.reshape(-1, group))
    values = filled(means, season_blocks // group)
    if np.ptp(values) <= LEAST_CHANGE:
        return Reason.CONSTANT
    return Steps(
        values=values,
        blocks=blocks,
        scale=scale,
        season=season_blocks // group,
        blocks_a_step=group,
    )


def blocks_a_step(season_blocks: int) -> int:
    """Return how many blocks make a step: the fewest that cut a season into 24 or less."""
    return next(
        group
        for group in range(1, season_blocks + 1)
        if season_blocks % group == 0 and season_blocks // group <= STEPS_A_SEASON
    )


def _means(groups: Floats) -> Floats:
    """Return the mean of each row, NaN where nothing of it is known."""
    known = ~np.isnan(groups)
    count = known.sum(axis=1)
    total = np.where(known, groups, 0.0).sum(axis=1)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def filled(values: Floats, season: int) -> Floats:
    """Return values ``[N]`` without gaps: each takes the value of one season before, or the last.

    Only what was known before a gap fills it.  What stands before the first value is dropped.
    """
    known = np.flatnonzero(~np.isnan(values))
    whole = values[known[0] :].copy()
    for i in np.flatnonzero(np.isnan(whole)):
        whole[i] = whole[i - season] if i >= season else whole[i - 1]
    return whole
