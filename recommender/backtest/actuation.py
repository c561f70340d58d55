"""From decided amounts to amounts in force over time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recommender.observation import Floats, Ints

SMALLEST_CHANGE_SHARE = 0.01
"""Smaller moves are the width of a histogram bucket and are not counted as changes."""


def put_in_force(target: Floats, in_force: Floats, lower_below: Floats | float) -> Floats:
    """Return what is in force after a decision: raised at once, lowered only when it is worth it.

    ``lower_below`` is the share by which a target must lie below what is in force.  NaN targets
    change nothing; where nothing is in force, any target is taken.
    """
    moves = (target > in_force) | (target < in_force * (1 - lower_below)) | np.isnan(in_force)
    return np.where(moves & ~np.isnan(target), target, in_force)


@dataclass(frozen=True, slots=True, kw_only=True)
class InForce:
    """Amounts over time: row ``d`` holds from ``since_s[d]`` until the next one."""

    since_s: Ints
    """[D] ascending."""
    amounts: Floats
    """[D, W, ...]; NaN: nothing in force."""

    def column(self, resource: int) -> InForce:
        """Return the amounts of one resource, ``[D, W]``."""
        return InForce(since_s=self.since_s, amounts=self.amounts[:, :, resource])

    def at(self, times_s: Ints, row: Ints) -> NDArray[np.float32]:
        """Return ``[row, times]`` of two-dimensional amounts; NaN before the first one."""
        which = np.searchsorted(self.since_s, times_s, side="right") - 1
        padded = np.full((len(self.since_s) + 1, self.amounts.shape[1]), np.nan, np.float32)
        padded[1:] = self.amounts
        held: NDArray[np.float32] = padded.T[row][:, which + 1]
        return held

    def changes(self) -> Floats:
        """Return how often the amounts changed by more than 1 %, ``[W, ...]``."""
        before, after = self.amounts[:-1], self.amounts[1:]
        moved = np.abs(after - before) > SMALLEST_CHANGE_SHARE * before
        return np.asarray(moved.sum(axis=0), np.float64)
