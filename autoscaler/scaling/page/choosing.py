"""Which workloads of a large fleet the page shows.

Evidence of a week is large: 10 000 workloads would take the loop's thread two seconds and 300 MB.
So that a reader never slows the loop, at most so many rows are looked at, the most urgent ones.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from recommender.decision import Decisions
from recommender.observation import Floats, Ints, Observation

MOST_ROWS = 2000
"""Rows of one report: their evidence of a week is read in less than a second."""
_URGENT = 10.0


def chosen_rows(
    observation: Observation,
    decisions: Decisions,
    wanted: Iterable[int] = (),
    *,
    most: int = MOST_ROWS,
) -> Ints:
    """Return at most about ``most`` rows in ascending order: ``wanted``, then the most urgent.

    All rows of a workload are chosen together.
    """
    count = observation.shape[0]
    if count <= most:
        return np.arange(count)
    asked = np.array(sorted(wanted), np.int64)
    urgency = _urgency(observation, decisions)
    urgency[asked] = np.inf
    group = observation.workloads.replica_row
    highest = np.full(count, -np.inf)
    np.maximum.at(highest, group, urgency)
    order = np.lexsort((group, -highest[group]))
    chosen: Ints = np.flatnonzero(np.isin(group, group[np.append(order[:most], asked)]))
    return chosen


def _urgency(observation: Observation, decisions: Decisions) -> Floats:
    """Return [W] how much a reader should see a row: what lacks something before what has it."""
    work = observation.workloads
    pairs = (
        (decisions.target_request, work.request),
        (decisions.target_limit, work.limit),
    )
    urgency = np.where(decisions.is_urgent.any(axis=1), _URGENT, 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        for target, current in pairs:
            change = np.nan_to_num(np.log(target / current), posinf=0.0, neginf=0.0)
            # A raise counts 1 and more, a decrease less than 1.
            weight = np.where(change > 0, 1.0 + change, 1.0 - np.exp(change))
            urgency += weight.max(axis=1)
    return np.asarray(urgency, np.float64)
