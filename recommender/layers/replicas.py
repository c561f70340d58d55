"""Layer 2, auto-replicas: the ratio of the Kubernetes HPA, on absolute demand.

Demand per worker is related to the *stated* limit, which no layer moves, so that vertical and
horizontal scaling do not drive each other up.  The rules for missing and unready workers, the
tolerance per direction and the guard against a flipped direction are those of
``pkg/controller/podautoscaler/replica_calculator.go``, without its rounding to whole percent.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recommender.decision import Code, Layer
from recommender.layers.bounds import at_most
from recommender.layers.confidence import reason_of_kept
from recommender.layers.context import Tick
from recommender.layers.forecasts import explain_gate, forecast_of
from recommender.observation import Bools, Floats
from recommender.usage.quality import SATURATED_SHARE

LAYER = Layer.REPLICAS
ROUNDING = 1e-9
"""So that 3.0000000001 workers are three."""
MAX_TIMES_STATED = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaTargets:
    """``[W]``; NaN where ``unknown`` says why."""

    raw: Floats
    target: Floats
    asked: Floats
    """What the external scaler or a cron rule asks for, inside the bounds."""
    unknown: NDArray[np.int16]


@dataclass(frozen=True, slots=True)
class _Census:
    """Counts and sums of a workload's workers by what is known of them, ``[W]`` each."""

    ready: Floats
    """Ready workers with a sample, the demand and the stated limits of which are added up."""
    ready_demand: Floats
    ready_limit: Floats
    unready: Floats
    unready_limit: Floats
    missing: Floats
    """Ready workers without a sample."""
    missing_limit: Floats


def replica_targets(tick: Tick, cron_floor: Floats, limit: Floats) -> ReplicaTargets:
    """Return the wanted replicas inside minReplicas, maxReplicas, cron floor and GPU budget.

    ``limit`` is the limit target of this tick, ``[W, R]``.
    """
    census = _census(tick)
    unknown = _unknown(tick, census)
    current = tick.workloads.replicas
    desired = np.where(unknown == 0, _desired(tick, census, current), np.nan)
    desired = _not_fewer_while_held_down(tick, desired, current)
    desired = _lasting_a_day(tick, desired, limit)
    desired = _ahead(tick, desired)
    raw = _asked(tick, desired, unknown, cron_floor)
    known = ~np.isnan(raw)
    reason = np.where(known, 0, unknown).astype(np.int16)
    target = _bounded(tick, raw)
    asked = at_most(np.fmax(tick.workloads.external_replicas, cron_floor), target)
    return ReplicaTargets(raw=raw, target=target, asked=asked, unknown=reason)


def kept_targets(tick: Tick) -> ReplicaTargets:
    """Return the targets of the last tick, while this layer is not due."""
    state = tick.state
    reason = reason_of_kept(state.target_replicas, _unknown(tick, _census(tick)))
    return ReplicaTargets(
        raw=state.raw_replicas,
        target=state.target_replicas,
        asked=np.full(len(reason), np.nan),
        unknown=reason,
    )


def _census(tick: Tick) -> _Census:
    workers, rows = tick.observation.workers, len(tick.workloads.replicas)
    group = tick.workloads.replica_row[workers.workload_row]
    stated = _stated_limit(tick)
    limit = stated[workers.workload_row]
    limit = np.where(np.isnan(limit), stated[group], limit)
    has_sample = ~np.isnan(workers.demand)

    def counted(where: Bools, values: Floats | None = None) -> Floats:
        weights = None if values is None else values[where]
        return np.bincount(group[where], weights, minlength=rows).astype(np.float64)

    ready, unready = workers.is_ready & has_sample, ~workers.is_ready
    missing = workers.is_ready & ~has_sample
    return _Census(
        ready=counted(ready),
        ready_demand=counted(ready, workers.demand),
        ready_limit=counted(ready, limit),
        unready=counted(unready),
        unready_limit=counted(unready, limit),
        missing=counted(missing),
        missing_limit=counted(missing, limit),
    )


def _stated_limit(tick: Tick) -> Floats:
    """Return the stated limit in the first compressible resource, capped by the card, ``[W]``."""
    c = _scaled_column(tick)
    if not tick.observation.resources[c].is_compressible:
        return np.full(len(tick.workloads.replicas), np.nan)
    stated, card = tick.workloads.stated_limit[:, c], tick.workloads.card[:, c]
    return np.where(stated > card, card, stated)


def _scaled_column(tick: Tick) -> int:
    """Return the first compressible resource; where there is none, the first."""
    compressible = [r.is_compressible for r in tick.observation.resources]
    return compressible.index(True) if True in compressible else 0


def _unknown(tick: Tick, census: _Census) -> NDArray[np.int16]:
    replicas = tick.workloads.replicas
    reason = np.zeros(len(replicas), np.int16)
    reason[census.ready == 0] = Code.NoFreshDemand.number
    reason[np.isnan(_stated_limit(tick))] = Code.NoStatedLimit.number
    reason[replicas == 0] = Code.ScaledToZero.number
    other_row = tick.workloads.replica_row != np.arange(len(reason))
    reason[np.isnan(replicas) | other_row] = Code.NoReplicas.number
    return reason


def _desired(tick: Tick, census: _Census, current: Floats) -> Floats:
    """Return what the HPA would want; workers that are not ready count on the way up only."""
    rule, log = tick.policies.replicas, tick.log
    ratio = census.ready_demand / (census.ready_limit * rule.target_of_limit)
    counts_unready = (census.unready > 0) & (ratio > 1)
    plain = ~counts_unready & (census.missing == 0)
    corrected, counted = _with_doubtful_workers(tick, census, ratio)
    used = np.where(plain, ratio, corrected)
    desired = _ceil(used * np.where(plain, census.ready, counted))
    tolerated = _tolerated(tick, used)
    flipped = ((ratio < 1) & (corrected > 1)) | ((ratio > 1) & (corrected < 1))
    flipped |= ((corrected < 1) & (desired > current)) | ((corrected > 1) & (desired < current))
    desired = np.where(tolerated | (~plain & flipped), current, desired)
    known = (_unknown(tick, census) == 0) & ~np.isnan(desired)
    log.add(LAYER, Code.ReplicaDemand, known, current, desired, ratio)
    where = known & (census.missing > 0)
    log.add(LAYER, Code.MissingMetrics, where, current, desired, census.missing)
    where = known & counts_unready
    log.add(LAYER, Code.UnreadyWorkers, where, current, desired, census.unready)
    tolerance = np.where(used > 1, rule.tolerance_up, rule.tolerance_down)
    log.add(LAYER, Code.WithinTolerance, known & tolerated, current, desired, tolerance)
    return desired


def _not_fewer_while_held_down(tick: Tick, desired: Floats, current: Floats) -> Floats:
    """Remove no worker while one is saturated below its stated limit, as on a contended card.

    What it would use is hidden there: its demand ends at 1.25 times its share, and each worker
    that were removed for looking idle would leave the others with the same share and more work.
    """
    column, workloads = _scaled_column(tick), tick.workloads
    highest = tick.usage.recent_minutes[:, column]
    hidden = tick.usage.is_saturated[:, column] & ~(
        highest >= SATURATED_SHARE * _stated_limit(tick)
    )
    of_group = np.bincount(workloads.replica_row, hidden, minlength=len(current)) > 0
    held = np.where(of_group & (desired < current), current, desired)
    return _changed(tick, Code.Saturated, desired, held)


def _lasting_a_day(tick: Tick, desired: Floats, limit: Floats) -> Floats:
    """Where nobody scales, a recommended count must hold for the busiest 5 minutes of a day.

    It is for workers of the recommended size, for whoever follows one advice follows both: a higher
    limit is used to the share that is aimed at, and a lower one, which has a margin of its own, is
    all that a worker has left.
    """
    rule, column, workloads = tick.policies.replicas, _scaled_column(tick), tick.workloads
    of_row = tick.usage.day_demand[:, column]
    demand = np.bincount(workloads.replica_row, np.nan_to_num(of_row), minlength=len(desired))
    stated, recommended = _stated_limit(tick), limit[:, column]
    needed = _ceil(demand / (np.fmax(stated, recommended) * rule.target_of_limit))
    needed = np.fmax(needed, _ceil(demand / recommended))
    lasting = np.where(~rule.acts & (desired < needed), needed, desired)
    return _changed(tick, Code.DayPeakReplicas, desired, lasting)


def _ahead(tick: Tick, desired: Floats) -> Floats:
    """Add the workers now that the demand will need once they are up; a forecast removes none.

    The tolerance is that of the demand of now, or a demand between two counts would go to and fro.
    """
    forecast, target = forecast_of(tick, LAYER), tick.policies.replicas.target_of_limit
    explain_gate(tick, LAYER, forecast, desired)
    workers = forecast.value / (_stated_limit(tick) * target)
    ratio = workers / tick.workloads.replicas
    needed = np.where(_tolerated(tick, ratio), tick.workloads.replicas, _ceil(workers))
    raised = np.where(desired < needed, needed, desired)
    return tick.log.changed(LAYER, Code.ReplicaForecast, desired, raised, ratio)


def _with_doubtful_workers(tick: Tick, census: _Census, ratio: Floats) -> tuple[Floats, Floats]:
    """Return the ratio, and the workers it counts, when the worst is assumed for its direction.

    On the way down, workers without samples use their whole limit (or the target, where that is
    more); on the way up they, and those that are not ready, use nothing.
    """
    up, down = ratio > 1, ratio < 1
    target = tick.policies.replicas.target_of_limit
    full = np.maximum(1.0, target) * census.missing_limit
    demand = census.ready_demand + np.where(down, full, 0.0)
    limit = census.ready_limit + np.where(up | down, census.missing_limit, 0.0)
    limit = limit + np.where(up, census.unready_limit, 0.0)
    counted = census.ready + np.where(up | down, census.missing, 0.0)
    return demand / (limit * target), counted + np.where(up, census.unready, 0.0)


def _tolerated(tick: Tick, ratio: Floats) -> Bools:
    rule = tick.policies.replicas
    return np.asarray(
        (ratio >= 1 - rule.tolerance_down - ROUNDING) & (ratio <= 1 + rule.tolerance_up + ROUNDING)
    )


def _ceil(replicas: Floats) -> Floats:
    return np.asarray(np.ceil(replicas - ROUNDING), np.float64)


def _asked(tick: Tick, desired: Floats, unknown: NDArray[np.int16], cron_floor: Floats) -> Floats:
    """Return the largest wish of all recommenders.

    A failing metric blocks the way down only: without a wish of our own, others may raise.
    """
    current, external = tick.workloads.replicas, tick.workloads.external_replicas
    is_open = ~np.isin(unknown, (Code.NoReplicas.number, Code.ScaledToZero.number))
    asks = is_open & ~np.isnan(np.fmax(external, cron_floor))
    value = np.where(np.isnan(desired) & asks, current, desired)
    asked = np.where(value < external, external, value)
    value = _changed(tick, Code.ExternalRecommendation, value, asked)
    return _changed(tick, Code.CronFloor, value, np.where(value < cron_floor, cron_floor, value))


def replica_bounds(tick: Tick) -> tuple[Floats, Floats]:
    """Return minReplicas and maxReplicas, ``[W]`` each; NaN: no upper bound.

    At least one: zero is for ``scaleToZero`` alone.
    """
    rule, stated = tick.policies.replicas, tick.workloads.stated_replicas
    most = np.where(np.isnan(rule.max_replicas), MAX_TIMES_STATED * stated, rule.max_replicas)
    most = np.maximum(most, 1.0)
    least = np.maximum(rule.min_replicas, 1.0)
    return np.where(least > most, most, least), most


def _bounded(tick: Tick, value: Floats) -> Floats:
    workloads, (least, most) = tick.workloads, replica_bounds(tick)
    value = _changed(tick, Code.MinReplicas, value, np.where(value < least, least, value))
    value = _changed(tick, Code.MaxReplicas, value, np.where(value > most, most, value))
    # a budget below what runs already stops growth, it takes no worker away
    budget = np.maximum(workloads.replica_quota, workloads.replicas)
    return _changed(tick, Code.GpuBudget, value, np.where(value > budget, budget, value))


def _changed(tick: Tick, code: Code, before: Floats, after: Floats) -> Floats:
    return tick.log.changed(LAYER, code, before, after)
