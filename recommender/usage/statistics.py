"""Statistics of the usage model at one time, for all workloads at once, for the layers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from recommender.observation import Bools, Floats, Ints, UsageStatistics
from recommender.policy.table import PolicyTable
from recommender.state import NEVER, DecisionState
from recommender.usage.minutes import MINUTE_S
from recommender.usage.model import UsageModel
from recommender.usage.peaks import HOUR_S
from recommender.usage.plateau import OPAQUE_SHARE
from recommender.usage.quality import STARTUP_WITHOUT_READINESS_S, is_stale
from recommender.usage.startup import learned_startup_s
from recommender.usage.store import DAY_S, ResourceUsage

COARSE_STEP_S = 15
"""Above it, samples are too far apart for statistics of seconds."""
WATCH_S = 1800
RECENT_S = 300
VRAM_WINDOW_S = 120
SETTLING_S = 780
"""A worker's VRAM is watched for so long, once it is loaded, before pressure counts."""


def read_statistics(
    model: UsageModel, rows: Ints, policies: PolicyTable, state: DecisionState, now_s: int
) -> UsageStatistics:
    """Read the statistics of some workloads, ``rows`` in the order of policies and state."""
    model.set_half_lives(rows, policies.requests.half_life_s, now_s)
    columns = [
        _column(model, store, r, rows, policies, state, now_s)
        for r, store in enumerate(model.stores)
    ]
    stacked = {name: np.stack([c[name] for c in columns], axis=1) for name in columns[0]}
    return UsageStatistics(**stacked, startup_s=learned_startup_s(model.startup_s[rows]))


def _column(
    model: UsageModel,
    store: ResourceUsage,
    r: int,
    rows: Ints,
    policies: PolicyTable,
    state: DecisionState,
    now_s: int,
) -> dict[str, NDArray[np.generic]]:
    watch_s = _watch_since(state, r, now_s)
    target, lower, upper = _request_percentiles(store, r, rows, policies)
    limit_level = _level(policies.limits.percentile[:, r], policies.limits.risk_target[:, r])
    step_s = np.maximum(store.step_s[rows], 1)
    span_s = store.last_sample_s[rows] - store.first_sample_s[rows]
    live = _Live(model, store, now_s)
    raised_s = _spread(model, rows, state.limit_raise_s[:, r])
    saturated_share = live.saturated_share(raised_s)[rows]
    return {
        "points": store.points[rows],
        "expected_points": span_s / np.maximum(step_s, MINUTE_S) + 1.0,
        "first_sample_s": store.first_sample_s[rows],
        "last_sample_s": store.last_sample_s[rows],
        "step_s": step_s,
        "request_target": target,
        "request_lower": lower,
        "request_upper": upper,
        "limit_percentile": store.limits.percentiles(rows, limit_level[:, None])[:, 0],
        "day_percentile": store.day.percentile(store, limit_level, rows),
        "burst": live.burst()[rows],
        "last_three": live.last_three()[rows],
        "recent_minutes": live.highest(RECENT_S)[rows],
        "is_saturated": ~np.isnan(saturated_share),
        "saturated_share": saturated_share,
        "saturated_minutes": _saturated_minutes(store, rows, watch_s, now_s),
        "day_demand": store.day.highest_demand(store)[rows],
        "hour_mean": store.day.highest_mean_of_hour(store)[rows],
        "saturated_share_day": store.day.saturated_share(store)[rows],
        "denials": _denials(model, store, rows, watch_s),
        "new_denials": _new_denials(model, store, rows, policies.limits.acts[:, r], state, now_s),
        "resident_peak": live.resident_peak()[rows],
        "loaded_floor": store.loaded_peak[rows],
        "is_opaque": live.is_opaque()[rows],
    }


def _level(percentile: Floats, risk_target: Floats) -> Floats:
    return np.where(np.isnan(risk_target), percentile, 1.0 - risk_target)


def _request_percentiles(
    store: ResourceUsage, r: int, rows: Ints, policies: PolicyTable
) -> tuple[Floats, Floats, Floats]:
    rule = policies.requests
    levels = np.stack(
        [
            _level(rule.percentile[:, r], rule.risk_target[:, r]),
            rule.lower_percentile[:, r],
            rule.upper_percentile[:, r],
        ],
        axis=1,
    )
    weighted = (
        rule.is_load_weighted[:, r]
        & np.isnan(rule.risk_target[:, r])
        & store.resource.is_compressible
    )
    values = store.requests.percentiles(rows, levels, is_load_weighted=weighted)
    return values[:, 0], values[:, 1], values[:, 2]


def _watch_since(state: DecisionState, r: int, now_s: int) -> Ints:
    decreased = np.maximum(state.request_decrease_s[:, r], state.limit_decrease_s[:, r])
    return np.maximum(decreased, now_s - WATCH_S)


def _saturated_minutes(store: ResourceUsage, rows: Ints, since_s: Ints, now_s: int) -> Floats:
    ring = store.minute_saturated
    slot = ring.held((now_s - WATCH_S) // MINUTE_S, now_s // MINUTE_S)
    counted = ring.block[slot][:, None] * MINUTE_S >= since_s[None, :]
    return np.asarray((ring.values[slot][:, rows] & counted).sum(axis=0), np.float64)


def _denials(model: UsageModel, store: ResourceUsage, rows: Ints, since_s: Ints) -> Floats:
    if store.resource.is_compressible:
        return np.zeros(len(rows))
    since = _spread(model, rows, since_s)
    return model.denials.since(since, len(model.workloads))[rows]


def _new_denials(
    model: UsageModel,
    store: ResourceUsage,
    rows: Ints,
    acts: Bools,
    state: DecisionState,
    now_s: int,
) -> Floats:
    """Return the denials that no limit has answered yet, of one day at most.

    Without a state nobody can tell what was answered before: a layer that acts would answer the
    whole day again after each restart, so there only the newest half-hour counts, also once the
    rest of the day is read.
    """
    if store.resource.is_compressible:
        return np.zeros(len(rows))
    tick_s = state.last_limits_tick_s
    window_s = np.where(acts & (tick_s == NEVER), WATCH_S, DAY_S)
    oldest_s = _spread(model, rows, np.maximum(now_s - window_s, state.answered_until_s))
    return model.denials.new(_spread(model, rows, tick_s), oldest_s, len(model.workloads))[rows]


def _spread(model: UsageModel, rows: Ints, value: Ints) -> Ints:
    """Return ``value`` of ``rows`` in the rows of the usage model; ``NEVER`` elsewhere."""
    spread = np.full(len(model.workloads), NEVER)
    spread[rows] = value
    return spread


class _Live:
    """Statistics of running workers, reduced to their workloads by the maximum."""

    def __init__(self, model: UsageModel, store: ResourceUsage, now_s: int) -> None:
        self._model, self._store, self._now_s = model, store, now_s
        self._row = model.row_of_worker
        recent = store.recent
        self._step_s = np.maximum(store.step_s[self._row], 1)
        seen = recent.last_sample_s >= 0
        self._fresh = seen & ~is_stale(recent.last_sample_s, self._step_s, now_s)
        self._is_coarse = self._step_s > COARSE_STEP_S

    def burst(self) -> Floats:
        """Use of the last minute or so; VRAM: the highest sample of two minutes."""
        if self._store.resource.is_compressible:
            value = self._store.recent.burst(self._now_s)
            value[self._is_coarse] = np.nan
        else:
            value = self._store.recent.highest_since(self._now_s - VRAM_WINDOW_S)
            value = np.where(np.isnan(value), self._store.recent.last_three[-1], value)
        return self._most(value)

    def last_three(self) -> Floats:
        """Highest of each worker's last three samples."""
        return self._most(np.fmax.reduce(self._store.recent.last_three, axis=0))

    def highest(self, window_s: int) -> Floats:
        """Highest sample of the window; where steps are longer, of the last three samples.

        NaN for a worker that was not measured from the window's beginning on.
        """
        recent, begin_s = self._store.recent, self._now_s - window_s
        value = recent.highest_since(begin_s)
        first_s = begin_s + np.maximum(MINUTE_S, 2 * self._step_s)
        value[~(recent.oldest_since(begin_s) < first_s)] = np.nan
        coarse = self._step_s * 3 > window_s
        last_three = np.fmax.reduce(self._store.recent.last_three, axis=0)
        return self._most(np.where(coarse, last_three, value))

    def saturated_share(self, limit_raise_s: Ints) -> Floats:
        """Return the largest share of a worker whose newest sample is saturated; NaN: none is.

        A share that is not known counts as the largest of all.  Samples older than two steps do not
        count, and none from before the last raise, which speaks of an earlier limit: else a worker
        that is gone would raise the limit of the others again at every tick.
        """
        recent = self._store.recent
        new = self._now_s - recent.last_sample_s <= np.maximum(60, 2 * self._step_s)
        new &= recent.last_sample_s >= limit_raise_s[self._row]
        share = np.where(np.isnan(recent.last_share), np.inf, recent.last_share)
        return self._most(np.where(recent.last_is_saturated & new, share, np.nan))

    def resident_peak(self) -> Floats:
        """Highest use of the last hour of any running worker; incompressible resources only."""
        store = self._store
        if store.resource.is_compressible:
            return np.full(len(store.points), np.nan)
        minute = self._now_s // MINUTE_S
        window = store.minute_top.window(minute - HOUR_S // MINUTE_S, minute)
        closed = np.fmax.reduce(window, axis=0, initial=np.nan)
        newest = np.fmax.reduce(store.recent.last_three, axis=0)
        running = store.recent.highest_since(self._now_s - RECENT_S)
        return self._most(np.fmax(np.fmax(closed, newest), running))

    def is_opaque(self) -> Bools:
        """Whether some worker is on an opaque plateau, or too young to tell."""
        if self._store.resource.is_compressible:
            return np.zeros(len(self._store.points), np.bool_)
        model = self._model
        first_s = model.first_sample_s
        ran_before = first_s <= model.begin_s
        unready_s = np.where(ran_before, first_s, first_s + STARTUP_WITHOUT_READINESS_S)
        watched_s = np.where(model.ready_s >= 0, np.maximum(model.ready_s, first_s), unready_s)
        loading = (model.started_s >= 0) & (model.ready_s < 0)
        settling = loading | (self._now_s - watched_s < SETTLING_S)
        plateaus = self._store.plateaus
        # far below its limit nothing has to be told yet, and a fleet that scales is always young
        use = self._store.recent.highest_since(self._now_s - VRAM_WINDOW_S)
        is_settling = settling & (use >= OPAQUE_SHARE * plateaus.limit)
        return self._any((plateaus.is_opaque | is_settling) & self._fresh)

    def _most(self, value: Floats) -> Floats:
        out = np.full(len(self._store.points), -np.inf)
        use = self._fresh & ~np.isnan(value)
        np.maximum.at(out, self._row[use], value[use])
        out[out == -np.inf] = np.nan
        return out

    def _any(self, flag: Bools) -> Bools:
        out = np.zeros(len(self._store.points), np.bool_)
        out[self._row[flag]] = True
        return out


def read_demand(model: UsageModel, workers: Ints, period_s: Ints, now_s: int) -> Floats:
    """Return each worker's mean demand over its period in the first compressible resource, ``[K]``.

    NaN where there is no sample in the period (or, for steps longer than it, no fresh sample).
    """
    store = next((s for s in model.stores if s.resource.is_compressible), None)
    out = np.full(len(workers), np.nan)
    if store is None:
        return out
    for period in np.unique(period_s):
        of_period = period_s == period
        out[of_period] = _mean_demand(store, int(period), now_s)[workers[of_period]]
    step_s = np.maximum(store.step_s[model.row_of_worker[workers]], 1)
    last = store.recent.last_sample_s[workers]
    fresh = (last >= 0) & ~is_stale(last, step_s, now_s)
    coarse = (step_s >= period_s) & fresh
    return np.where(coarse, store.recent.last_three[-1][workers], out)


def _mean_demand(store: ResourceUsage, period_s: int, now_s: int) -> Floats:
    """Return mean demand per worker over ``[now - period, now)``: closed minutes, then samples."""
    begin_s = now_s - period_s
    open_since_s = max(begin_s, min(store.closed_until_s, now_s))
    total, count = store.recent.sum_between(open_since_s, now_s)
    with np.errstate(invalid="ignore", divide="ignore"):
        mean_of_open = total / count
    if begin_s >= open_since_s:
        return mean_of_open
    window = store.minute_mean.window(begin_s // MINUTE_S, open_since_s // MINUTE_S)
    present = ~np.isnan(window)
    # as many minutes as it covers; samples further apart than a minute count as one minute each
    open_minutes = np.minimum(count, (now_s - open_since_s) / MINUTE_S)
    weight = present.sum(axis=0) + open_minutes
    total = np.where(present, window, 0).sum(axis=0) + np.nan_to_num(mean_of_open) * open_minutes
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(np.where(weight > 0, total / weight, np.nan), np.float64)
