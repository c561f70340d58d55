"""Watch each applied decrease, and take it back when trouble follows.

Trouble within 30 minutes of a decrease: any refused allocation, or at least three saturated minutes
that come at least twice as often as over the last day.  Then there is no decrease for 24 h.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from recommender.decision import Code, Layer
from recommender.layers.context import Tick
from recommender.observation import Bools, Floats, Ints

WATCH_S = 1800
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
    state, workloads = tick.state, tick.workloads
    since_s = np.maximum(state.request_decrease_s, state.limit_decrease_s)
    trouble = _trouble(tick, since_s) & ~tick.is_paused
    request = _before(
        tick, state.request_decrease_s, state.request_before_decrease, workloads.request
    )
    limit = _before(tick, state.limit_decrease_s, state.limit_before_decrease, workloads.limit)
    request = np.where(trouble & tick.policies.requests.acts, request, np.nan)
    limit = np.where(trouble & tick.policies.limits.acts, limit, np.nan)
    happens = ~np.isnan(request) | ~np.isnan(limit)
    until = np.where(happens, tick.now_s + NO_DECREASE_S, state.no_decrease_until_s)
    return RollBack(request=request, limit=limit, no_decrease_until_s=until)


def rolled_back(tick: Tick, layer: Layer, value: Floats, before: Floats) -> Floats:
    """Raise ``value`` to what was in force before the decrease."""
    after = np.where(value < before, before, value)
    return tick.log.changed(layer, Code.RolledBack, value, after)


def _trouble(tick: Tick, since_s: Ints) -> Bools:
    usage = tick.usage
    minutes = np.maximum((tick.now_s - since_s) / 60.0, 1.0)
    often = usage.saturated_minutes / minutes >= TIMES_THE_DAY * usage.saturated_share_day
    saturated = (usage.saturated_minutes >= LEAST_MINUTES) & often
    return (usage.denials > 0) | saturated


def _before(tick: Tick, decrease_s: Ints, before: Floats, current: Floats) -> Floats:
    """Return the earlier amount where its decrease is watched and still in force."""
    watched = tick.now_s - decrease_s <= WATCH_S
    return np.where(watched & (before > current), before, np.nan)
