"""What active cron rules ask for, as floors.  Overlapping rules merge by the larger amount."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recommender.cron import active_rules
from recommender.layers.context import Tick
from recommender.observation import Floats
from recommender.policy.table import dimension_of, takes_amounts


@dataclass(frozen=True, slots=True, kw_only=True)
class CronFloors:
    """NaN where no rule asks for anything."""

    request: Floats
    limit: Floats
    replicas: Floats


def cron_floors(tick: Tick) -> CronFloors:
    """Return the floors of the rules that are active now."""
    request = np.full(tick.observation.shape, np.nan)
    limit = np.full(tick.observation.shape, np.nan)
    replicas = np.full(tick.observation.shape[0], np.nan)
    columns = [
        (column, dimension_of(resource))
        for column, resource in enumerate(tick.observation.resources)
        if takes_amounts(resource)
    ]
    for row, rule in active_rules(tick.policies.cron, tick.now_s):
        for column, dimension in columns:
            at = (row, column)
            request[at] = np.fmax(request[at], rule.requests.get(dimension, np.nan))
            limit[at] = np.fmax(limit[at], rule.limits.get(dimension, np.nan))
        if rule.replicas is not None:
            replicas[row] = np.fmax(replicas[row], rule.replicas)
    return CronFloors(request=request, limit=limit, replicas=replicas)
