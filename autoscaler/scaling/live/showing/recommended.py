"""Which workloads' recommendations are to be shown anew: arrays over the fleet, at a slow pace.

A recommendation that is about the same is not worth a write.  A number that was not known is shown
at once.  When one goes, or moved by a tenth, that is shown at most every ten minutes for one
workload; after a start the workloads' turns are spread over that time by their UIDs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any
from zlib import crc32

import numpy as np

from autoscaler.scaling.live.status.desired_amounts import stated_in
from recommender.state import NEVER

if TYPE_CHECKING:
    from recommender.observation import Bools, Floats, Ints

MOVED = 0.1
PACE_S = 600
_ROUNDING = 1e-9
"""A tenth is one also after the rounding of floats."""
Identity = tuple[str, str, str, str]
"""Namespace, workload, GPU model and UID."""


class Recommended:
    """What was shown of each row of a fleet, and when."""

    def __init__(self) -> None:
        self._keys: tuple[Identity, ...] = ()
        self._values: Floats = np.empty((0, 0))
        self._shown_s: Ints = np.empty(0, np.int64)

    def align(self, keys: tuple[Identity, ...], columns: int) -> list[int]:
        """Take over a fleet; return the rows of which nothing is known, to be told by ``learn``."""
        row_of = {key: row for row, key in enumerate(self._keys)}
        old = [row_of.get(key, -1) for key in keys]
        values = np.full((len(keys), columns), np.nan)
        shown_s = np.full(len(keys), NEVER, np.int64)
        known = np.array([row >= 0 for row in old], bool)
        if known.any():
            rows = np.array(old, np.int64)[known]
            values[known], shown_s[known] = self._values[rows], self._shown_s[rows]
        self._keys, self._values, self._shown_s = keys, values, shown_s
        return [row for row, before in enumerate(old) if before < 0]

    def learn(self, row: int, values: Sequence[float], now_s: int) -> None:
        """Note what an earlier process showed; its turn comes within the time of one pace."""
        self._values[row] = values
        self._shown_s[row] = now_s - offset_s(self._keys[row][3])

    def due(self, values: Floats, now_s: int) -> Bools:
        """Return where a recommendation moved and may be shown, ``[W]``; values ``[W, N]``."""
        shown = self._values
        is_near = np.abs(values - shown) < MOVED * (1.0 - _ROUNDING) * np.abs(shown)
        is_near |= (values == shown) | (np.isnan(values) & np.isnan(shown))
        has_turn = ~is_near.all(axis=1) & (now_s - self._shown_s >= PACE_S)
        has_come = (np.isnan(shown) & ~np.isnan(values)).any(axis=1)
        return np.asarray(has_turn | has_come, np.bool_)

    def note(self, rows: Sequence[int], values: Floats, now_s: int) -> None:
        """Note that these rows are shown now."""
        chosen = list(rows)
        self._values[chosen] = values[chosen]
        self._shown_s[chosen] = now_s


def offset_s(uid: str) -> int:
    """Return a workload's own moment within the time of one pace."""
    return crc32(uid.encode()) % PACE_S


def has_moved(before: Mapping[str, Any], after: Mapping[str, Any]) -> bool:
    """Return whether a recommendation is worth showing in the place of another one."""
    old, new = stated_in(before), stated_in(after)
    if old.keys() != new.keys():
        return True
    return any(abs(new[place] - old[place]) * 10 >= old[place] > 0 for place in old)
