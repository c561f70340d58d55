"""The fleet's change budget: how many workers may be touched in ten minutes.

A workload is charged once per window with all its workers, whatever layers change it in that time,
so the budget bounds how much of the fleet a wrong decision can reach.  Urgent raises are exempt.
Raises go before decreases, and workloads that were granted a change longest ago go first, whether
it was made or not: else those whose changes nobody can make would ask first for ever.  A part of
the budget is kept for decreases that ask, or a fleet that rises and falls all day would never lower
the others.  The last workload granted may exceed what is left, or one larger than the budget would
never change.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recommender.layers.context import Tick
from recommender.observation import Bools, Ints

WINDOW_S = 600
SHARE = 0.1
LEAST_WORKERS = 5
DECREASES_SHARE = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class Granted:
    """``[W]``: which workloads may change now, and when each was last charged and granted."""

    is_free: Bools
    charged_s: Ints
    raise_charged_s: Ints
    granted_s: Ints


def within_budget(tick: Tick, asking: Bools, raises: Bools) -> Granted:
    """Return which workloads may change; ``asking`` are those with a change that is not exempt."""
    state, rows = tick.state, len(asking)
    workers = np.bincount(tick.observation.workers.workload_row, minlength=rows)
    workers = np.maximum(workers, 1).astype(np.int64)
    running = tick.now_s - state.budget_s < WINDOW_S
    lowering = running & (state.raise_charged_s != state.budget_s)
    budget = max(LEAST_WORKERS, int(SHARE * workers.sum()))
    left = budget - int(workers[running].sum())
    asking = asking & ~running
    kept = max(1, int(DECREASES_SHARE * budget)) - int(workers[lowering].sum())
    kept = max(0, kept) if (asking & ~raises).any() else 0

    up = _granted(tick, asking & raises, workers, left - kept)
    left -= int(workers[up].sum())
    down = _granted(tick, asking & ~raises, workers, max(left, kept))
    granted = up | down
    return Granted(
        is_free=~asking | granted,
        charged_s=np.where(granted, tick.now_s, state.budget_s),
        raise_charged_s=np.where(up, tick.now_s, state.raise_charged_s),
        granted_s=np.where(granted, tick.now_s, state.granted_s),
    )


def _granted(tick: Tick, asking: Bools, workers: Ints, left: int) -> Bools:
    """Grant from the one that waits longest; between equals names decide, not the order of rows."""
    rows = np.flatnonzero(asking)
    model = np.array(tick.workloads.gpu_model, np.str_)[rows]
    order = rows[np.lexsort((model, tick.workloads.uid[rows], tick.state.granted_s[rows]))]
    granted = np.zeros(len(asking), np.bool_)
    granted[order] = np.cumsum(workers[order]) - workers[order] < left
    return granted
