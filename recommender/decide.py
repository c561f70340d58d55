"""``decide``: one call for a whole fleet, the same code live, simulated, in reports and back-tests.

Order: roll-backs, requests, limits, replicas, one budget.  Pure: arguments are left untouched, time
is an argument, and what must be remembered is returned.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from recommender.decision import Code, Decisions, Layer, StepLog
from recommender.errors import ContractError
from recommender.layers.budget import within_budget
from recommender.layers.confidence import confidence_of, stale_samples, unknown_reason
from recommender.layers.context import Tick
from recommender.layers.cron_floor import CronFloors, cron_floors
from recommender.layers.limit_pace import next_limits
from recommender.layers.limits import LimitTargets, limit_targets
from recommender.layers.replica_pace import next_replicas
from recommender.layers.replicas import ReplicaTargets, replica_targets, unknown_replicas
from recommender.layers.request_pace import next_requests
from recommender.layers.requests import RequestTargets, request_targets
from recommender.layers.roll_back import RollBack, roll_backs, rolled_back
from recommender.observation import Bools, Floats, Ints, Observation
from recommender.policy.table import PolicyTable
from recommender.remember import reconciled, remembered
from recommender.state import DecisionState

ALL_LAYERS = frozenset(Layer)


def decide(
    observation: Observation,
    policies: PolicyTable,
    state: DecisionState,
    now_s: int,
    due: frozenset[Layer] = ALL_LAYERS,
) -> tuple[Decisions, DecisionState]:
    """Return the decisions of the layers that are due, and the new state.

    ``state`` has one row per workload in the order of the observation (``state.aligned``).  Layers
    that are not due keep the amounts of their last tick.
    """
    if state.shape != observation.shape:
        raise ContractError(f"state of {state.shape}, observation of {observation.shape}")
    with np.errstate(invalid="ignore", divide="ignore"):
        return _decide(Tick(observation, policies, state, now_s, StepLog()), due)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Next:
    """What may be written, before the budget: request, limit ``[W, R]``, replicas ``[W]``."""

    request: Floats
    start_request: Floats
    limit: Floats
    start_limit: Floats
    replicas: Floats
    urgent: Bools


def _decide(tick: Tick, due: frozenset[Layer]) -> tuple[Decisions, DecisionState]:
    tick = replace(tick, state=reconciled(tick))
    roll_back = roll_backs(tick)
    tick = replace(
        tick, state=replace(tick.state, no_decrease_until_s=roll_back.no_decrease_until_s)
    )
    confidence, stale = confidence_of(tick), stale_samples(tick)
    cron = cron_floors(tick)
    requests = _requests(tick, cron, due)
    limits = _limits(tick, requests, cron, due)
    replicas = _replicas(tick, cron, due)
    proposed, state = _next(
        tick, due, requests, limits, replicas, roll_back, confidence=confidence, stale=stale
    )
    granted, charged_s = _budget(tick, proposed)
    decisions = _decisions(tick, due, requests, limits, replicas, granted, confidence, stale)
    return decisions, remembered(tick, state, decisions, charged_s)


def _requests(tick: Tick, cron: CronFloors, due: frozenset[Layer]) -> RequestTargets:
    if Layer.REQUESTS in due:
        return request_targets(tick, cron.request)
    state = tick.state
    return RequestTargets(
        raw=state.raw_request,
        target=state.target_request,
        lower=state.lower_request,
        upper=state.upper_request,
        unknown=unknown_reason(tick, tick.usage.request_target),
    )


def _limits(
    tick: Tick, requests: RequestTargets, cron: CronFloors, due: frozenset[Layer]
) -> LimitTargets:
    unknown = unknown_reason(tick, tick.usage.limit_percentile)
    if Layer.LIMITS in due:
        return limit_targets(tick, requests.target, cron.limit, unknown)
    state = tick.state
    return LimitTargets(
        raw=state.raw_limit,
        target=state.target_limit,
        wanted=tick.workloads.limit,
        unknown=unknown,
        is_urgent=np.zeros(tick.observation.shape, np.bool_),
    )


def _replicas(tick: Tick, cron: CronFloors, due: frozenset[Layer]) -> ReplicaTargets:
    if Layer.REPLICAS in due:
        return replica_targets(tick, cron.replicas)
    state = tick.state
    return ReplicaTargets(
        raw=state.raw_replicas, target=state.target_replicas, unknown=unknown_replicas(tick)
    )


def _next(
    tick: Tick,
    due: frozenset[Layer],
    requests: RequestTargets,
    limits: LimitTargets,
    replicas: ReplicaTargets,
    roll_back: RollBack,
    *,
    confidence: Floats,
    stale: Bools,
) -> tuple[_Next, DecisionState]:
    workloads, state = tick.workloads, tick.state
    request, start_request = workloads.request, state.start_request
    if Layer.REQUESTS in due:
        request, start_request = next_requests(tick, requests.target, confidence, stale)
    request = rolled_back(tick, Layer.REQUESTS, request, roll_back.request)
    limit, start_limit = workloads.limit, state.start_limit
    if Layer.LIMITS in due:
        limit, start_limit = next_limits(tick, limits, request, confidence, stale)
    limit = rolled_back(tick, Layer.LIMITS, limit, roll_back.limit)
    count = workloads.replicas
    if Layer.REPLICAS in due:
        count, state = next_replicas(tick, replicas.target)
    urgent = (limits.is_urgent & (limit > workloads.limit)) | roll_back.happens
    return _Next(
        request=request,
        start_request=np.where(np.isnan(start_request), request, start_request),
        limit=limit,
        start_limit=np.where(np.isnan(start_limit), limit, start_limit),
        replicas=count,
        urgent=urgent,
    ), state


def _budget(tick: Tick, proposed: _Next) -> tuple[_Next, Ints]:
    """Hold back the rows that the fleet's budget has no room for."""
    workloads = tick.workloads
    pairs = (
        (Layer.REQUESTS, proposed.request, workloads.request),
        (Layer.LIMITS, proposed.limit, workloads.limit),
        (Layer.REPLICAS, proposed.replicas, workloads.replicas),
    )
    changes = np.zeros(len(workloads.replicas), np.bool_)
    raises = changes.copy()
    for _, value, current in pairs:
        changes |= _any_column((value != current) & ~np.isnan(value))
        raises |= _any_column(value > current)
    urgent = _any_column(proposed.urgent)
    free, charged_s = within_budget(tick, changes, raises, urgent)
    held = []
    for layer, value, current in pairs:
        kept = ~free if value.ndim == 1 else ~free[:, None]
        # where nothing is in force yet there is nothing to stay at
        after = np.where(kept & ~np.isnan(current), current, value)
        held.append(tick.log.changed(layer, Code.BudgetExhausted, value, after))
    return replace(proposed, request=held[0], limit=held[1], replicas=held[2]), charged_s


def _any_column(mask: Bools) -> Bools:
    return mask if mask.ndim == 1 else np.asarray(mask.any(axis=1), np.bool_)


def _decisions(
    tick: Tick,
    due: frozenset[Layer],
    requests: RequestTargets,
    limits: LimitTargets,
    replicas: ReplicaTargets,
    granted: _Next,
    confidence: Floats,
    stale: Bools,
) -> Decisions:
    return Decisions(
        raw_request=requests.raw,
        target_request=requests.target,
        lower_request=requests.lower,
        upper_request=requests.upper,
        next_request=granted.request,
        start_request=granted.start_request,
        raw_limit=limits.raw,
        target_limit=limits.target,
        next_limit=granted.limit,
        start_limit=granted.start_limit,
        raw_replicas=replicas.raw,
        target_replicas=replicas.target,
        next_replicas=granted.replicas,
        confidence=confidence,
        is_stale=stale,
        is_urgent=granted.urgent,
        unknown_request=requests.unknown,
        unknown_limit=limits.unknown,
        unknown_replicas=replicas.unknown,
        steps=tick.log.table(),
        due=due,
    )
