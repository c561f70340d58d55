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
from recommender.layers.context import Tick
from recommender.observation import Bools, Floats

LAYER = Layer.REPLICAS
ROUNDING = 1e-9
"""So that 3.0000000001 workers are three."""
MAX_TIMES_STATED = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaTargets:
    """``[W]``; NaN where ``unknown`` says why."""

    raw: Floats
    target: Floats
    unknown: NDArray[np.int16]


@dataclass(frozen=True, slots=True)
class _Census:
    """Counts and sums of a workload's workers by what is known of them, ``[W]`` each."""

    ready: Floats
    ready_use: Floats
    """Sum of demand / stated limit over ready workers with a sample."""
    unready: Floats
    missing: Floats


def replica_targets(tick: Tick, cron_floor: Floats) -> ReplicaTargets:
    """Return the wanted replicas inside minReplicas, maxReplicas, cron floor and GPU budget."""
    census = _census(tick)
    unknown = _unknown(tick, census)
    current = tick.workloads.replicas
    desired = np.where(unknown == 0, _desired(tick, census, current), np.nan)
    _explain(tick, census, current, desired)
    external = tick.workloads.external_replicas
    desired = _changed(tick, Code.ExternalRecommendation, desired, np.fmax(desired, external))
    raw = np.where(current == 0, current, desired)
    target = _bounded(tick, raw, cron_floor)
    return ReplicaTargets(raw=raw, target=target, unknown=unknown)


def unknown_replicas(tick: Tick) -> NDArray[np.int16]:
    """Return why there is no count, ``[W]`` of ``Code`` numbers; 0: there is one."""
    return _unknown(tick, _census(tick))


def _census(tick: Tick) -> _Census:
    workers, rows = tick.observation.workers, len(tick.workloads.replicas)
    limit = _stated_limit(tick)[workers.workload_row]
    group = tick.workloads.replica_row[workers.workload_row]
    use = workers.demand / limit
    sampled = workers.is_ready & ~np.isnan(use)

    def count(where: Bools, weights: Floats | None = None) -> Floats:
        selected = None if weights is None else weights[where]
        return np.bincount(group[where], selected, minlength=rows).astype(np.float64)

    return _Census(
        ready=count(sampled),
        ready_use=count(sampled, use),
        unready=count(~workers.is_ready),
        missing=count(workers.is_ready & np.isnan(use)),
    )


def _stated_limit(tick: Tick) -> Floats:
    """Return the stated limit in the first compressible resource, capped by the card, ``[W]``."""
    compressible = [r.is_compressible for r in tick.observation.resources]
    if True not in compressible:
        return np.full(len(tick.workloads.replicas), np.nan)
    c = compressible.index(True)
    stated, card = tick.workloads.stated_limit[:, c], tick.workloads.card[:, c]
    return np.where(stated > card, card, stated)


def _unknown(tick: Tick, census: _Census) -> NDArray[np.int16]:
    reason = np.zeros(len(census.ready), np.int16)
    reason[census.ready == 0] = Code.NoFreshDemand.number
    reason[np.isnan(_stated_limit(tick))] = Code.NoStatedLimit.number
    other_row = tick.workloads.replica_row != np.arange(len(reason))
    reason[np.isnan(tick.workloads.replicas) | other_row] = Code.NoReplicas.number
    return reason


def _desired(tick: Tick, census: _Census, current: Floats) -> Floats:
    rule = tick.policies.replicas
    ratio = census.ready_use / census.ready / rule.target_of_limit
    plain = (census.unready == 0) & (census.missing == 0)
    simple = np.where(_tolerated(tick, ratio), current, _ceil(ratio * census.ready))
    return np.where(plain, simple, _with_doubtful_workers(tick, census, ratio, current))


def _with_doubtful_workers(tick: Tick, census: _Census, ratio: Floats, current: Floats) -> Floats:
    """Assume the worst for the direction: missing workers are full on the way down, idle up."""
    up = ratio > 1
    full = np.maximum(1.0, tick.policies.replicas.target_of_limit)
    use = census.ready_use + np.where(up, 0.0, census.missing * full)
    counted = census.ready + census.missing + np.where(up, census.unready, 0.0)
    corrected = use / counted / tick.policies.replicas.target_of_limit
    desired = _ceil(corrected * counted)
    flipped = ((ratio < 1) & (corrected > 1)) | (up & (corrected < 1))
    against = ((corrected < 1) & (desired > current)) | ((corrected > 1) & (desired < current))
    return np.where(_tolerated(tick, corrected) | flipped | against, current, desired)


def _tolerated(tick: Tick, ratio: Floats) -> Bools:
    rule = tick.policies.replicas
    return np.asarray(
        (ratio >= 1 - rule.tolerance_down - ROUNDING) & (ratio <= 1 + rule.tolerance_up + ROUNDING)
    )


def _ceil(replicas: Floats) -> Floats:
    return np.asarray(np.ceil(replicas - ROUNDING), np.float64)


def _explain(tick: Tick, census: _Census, current: Floats, desired: Floats) -> None:
    rule, log, known = tick.policies.replicas, tick.log, ~np.isnan(desired)
    ratio = census.ready_use / census.ready / rule.target_of_limit
    log.add(LAYER, Code.ReplicaDemand, known, current, desired, ratio)
    for code, workers in (
        (Code.MissingMetrics, census.missing),
        (Code.UnreadyWorkers, census.unready),
    ):
        log.add(LAYER, code, known & (workers > 0), current, desired, workers)
    tolerated = known & _tolerated(tick, ratio)
    tolerance = np.where(ratio > 1, rule.tolerance_up, rule.tolerance_down)
    log.add(LAYER, Code.WithinTolerance, tolerated, current, desired, tolerance)


def _bounded(tick: Tick, value: Floats, cron_floor: Floats) -> Floats:
    """Bounds of a running workload; one that was scaled to zero stays there."""
    rule, workloads = tick.policies.replicas, tick.workloads
    running = value > 0
    most = np.where(
        np.isnan(rule.max_replicas), MAX_TIMES_STATED * workloads.stated_replicas, rule.max_replicas
    )
    asked = np.where(running & (value < cron_floor), cron_floor, value)
    value = _changed(tick, Code.CronFloor, value, asked)
    raised = np.where(running & (value < rule.min_replicas), rule.min_replicas, value)
    value = _changed(tick, Code.MinReplicas, value, raised)
    value = _changed(tick, Code.MaxReplicas, value, np.where(value > most, most, value))
    # a budget below what runs already stops growth, it takes no worker away
    budget = np.maximum(workloads.replica_quota, workloads.replicas)
    return _changed(tick, Code.GpuBudget, value, np.where(value > budget, budget, value))


def _changed(tick: Tick, code: Code, before: Floats, after: Floats) -> Floats:
    return tick.log.changed(LAYER, code, before, after)
