"""Counts of replicas for a forecast of demand, as the layer makes them.

A forecast adds what will be needed and removes nothing that is needed now, and the highest count of
the cool-down stays.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

from recommender.observation import Floats

COOL_DOWN_S = 300
"""Default of the autoscaler, and of the reference that the benchmark compares with."""
ROUNDING = 1e-9


@dataclass(slots=True)
class ReplicaCounts:
    """The counts of some services, one decision after the other."""

    capacity: Floats
    """[S] demand that one replica serves."""
    wanted: deque[Floats]
    """[S] each, of the decisions within the cool-down."""

    @classmethod
    def of(cls, capacity: Floats, decision_s: int) -> ReplicaCounts:
        """Return counts before the first of decisions that are so many seconds apart."""
        return cls(capacity=capacity, wanted=deque(maxlen=max(COOL_DOWN_S // decision_s, 1)))

    def settle(self, forecast: Floats, latest: Floats) -> Floats:
        """Return how many replicas are asked for, ``[S]``.

        ``latest`` is the newest demand; NaN where there was none.
        """
        demand = np.fmax(np.fmax(forecast, latest), 0.0)
        self.wanted.append(np.maximum(np.ceil(demand / self.capacity - ROUNDING), 1.0))
        return np.asarray(np.max(self.wanted, axis=0), np.float64)


def newest(demand: Floats) -> Floats:
    """Return the newest value of each series of ``[N, S]``; NaN where all are missing."""
    known = ~np.isnan(demand)
    last = len(demand) - 1 - np.argmax(known[::-1], axis=0)
    return np.asarray(demand[last, np.arange(demand.shape[1])], np.float64)
