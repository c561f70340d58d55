"""The fleet's change budget: how many workers may be touched in ten minutes.

A workload is charged once per window with all its workers, whatever layers change it in that time,
so the budget bounds how much of the fleet a wrong decision can reach.  Urgent raises are exempt.
The last workload granted may exceed what is left, or one larger than the budget would never change.
"""

from __future__ import annotations

import numpy as np

from recommender.layers.context import Tick
from recommender.observation import Bools, Ints

WINDOW_S = 600
SHARE = 0.1
LEAST_WORKERS = 5


def within_budget(tick: Tick, changes: Bools, raises: Bools, urgent: Bools) -> tuple[Bools, Ints]:
    """Return which rows may change now, and when each was last charged; ``[W]`` each.

    Raises go before decreases, and workloads that were charged longest ago go first.
    """
    workers = np.bincount(tick.observation.workers.workload_row, minlength=len(changes)).astype(
        np.int64
    )
    workers = np.maximum(workers, 1)
    charged_s = tick.state.budget_s
    running = tick.now_s - charged_s < WINDOW_S
    left = max(LEAST_WORKERS, int(SHARE * workers.sum())) - int(workers[running].sum())
    asking = changes & ~urgent & ~running
    order = np.lexsort((charged_s, ~raises))
    order = order[asking[order]]
    granted = np.zeros(len(changes), np.bool_)
    granted[order] = np.cumsum(workers[order]) - workers[order] < left
    return ~asking | granted, np.where(granted, tick.now_s, charged_s)
