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
    # amounts of a rule say nothing in percent or in the unit of a file
    columns = [
        dimension_of(resource) if takes_amounts(resource) else None
        for resource in tick.observation.resources
    ]
    for row, rule in active_rules(tick.policies.cron, tick.now_s):
        for amounts, asked in ((request, rule.requests), (limit, rule.limits)):
            of_rule = [np.nan if d is None else asked.get(d, np.nan) for d in columns]
            amounts[row] = np.fmax(amounts[row], of_rule)
        if rule.replicas is not None:
            replicas[row] = np.fmax(replicas[row], rule.replicas)
    return CronFloors(request=request, limit=limit, replicas=replicas)
