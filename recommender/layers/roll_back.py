"""Watch each applied decrease, and take it back when trouble follows.

Trouble within 30 minutes of a decrease: any refused allocation, or at least three saturated minutes
that come at least twice as often as over the last day.  Then there is no decrease for 24 h.
Trouble is found at every tick; a layer takes its decrease back when it is due.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recommender.decision import Code, Layer
from recommender.layers.bounds import at_most, highest_limit, highest_request
from recommender.layers.context import Tick
from recommender.observation import Bools, Floats, Ints
from recommender.usage.statistics import WATCH_S

NO_DECREASE_S = 86400
LEAST_MINUTES = 3
TIMES_THE_DAY = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RollBack:
    """``[W, R]``: amounts to go back to (NaN: none), and until when nothing is lowered."""

    request: Floats
    limit: Floats
    no_decrease_until_s: Ints

    @property
    def happens(self) -> Bools:
        """Where something is rolled back."""
        return ~np.isnan(self.request) | ~np.isnan(self.limit)


def roll_backs(tick: Tick) -> RollBack:
    """Return which watched decreases did harm."""
    state, workloads, policies = tick.state, tick.workloads, tick.policies
    can_lower = policies.requests.acts | policies.limits.acts
    watched_s = np.maximum(state.request_decrease_s, state.limit_decrease_s)
    is_watched = tick.now_s - watched_s <= WATCH_S
    trouble = is_watched & _trouble(tick, watched_s) & can_lower & ~tick.is_paused
    is_new = state.no_decrease_until_s - NO_DECREASE_S < watched_s
    until_s = np.where(trouble & is_new, tick.now_s + NO_DECREASE_S, state.no_decrease_until_s)
    request = np.where(
        _is_due(tick, Layer.REQUESTS) & policies.requests.acts,
        _harmful(until_s, state.request_decrease_s, state.request_before_decrease),
        np.nan,
    )
    # where the limit does not move along, a request ends at it
    request = at_most(request, np.where(policies.limits.acts, np.nan, workloads.limit))
    request = at_most(request, highest_request(tick))
    limit = np.where(
        _is_due(tick, Layer.LIMITS) & policies.limits.acts,
        _harmful(until_s, state.limit_decrease_s, state.limit_before_decrease),
        np.nan,
    )
    limit = at_most(limit, highest_limit(tick))
    return RollBack(
        request=np.where(request > workloads.request, request, np.nan),
        limit=np.where(limit > workloads.limit, limit, np.nan),
        no_decrease_until_s=until_s,
    )


def rolled_back(tick: Tick, layer: Layer, value: Floats, before: Floats) -> Floats:
    """Raise ``value`` to what was in force before the decrease."""
    after = np.where(value < before, before, value)
    return tick.log.changed(layer, Code.RolledBack, value, after)


def _is_due(tick: Tick, layer: Layer) -> Bools:
    return (layer in tick.due) & ~tick.is_paused


def _trouble(tick: Tick, since_s: Ints) -> Bools:
    usage = tick.usage
    minutes = np.maximum((tick.now_s - since_s) / 60.0, 1.0)
    often = usage.saturated_minutes / minutes >= TIMES_THE_DAY * usage.saturated_share_day
    saturated = (usage.saturated_minutes >= LEAST_MINUTES) & often
    return (usage.denials > 0) | saturated


def _harmful(until_s: Ints, decrease_s: Ints, before: Floats) -> Floats:
    """Return the amount before a decrease within whose watch trouble was found, be it earlier.

    A decrease that was taken back is forgotten (``remember.reconciled``).
    """
    after_s = until_s - NO_DECREASE_S - decrease_s
    return np.where((after_s >= 0) & (after_s <= WATCH_S), before, np.nan)
