"""``decide``: one call for a whole fleet, the same code live, simulated, in reports and back-tests.

Order: roll-backs, requests, limits, replicas, one budget.  Pure: arguments are left untouched, time
is an argument, and what must be remembered is returned.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from recommender.decision import Code, Decisions, Layer, StepLog
from recommender.errors import ContractError
from recommender.layers import limits, replicas, requests
from recommender.layers.budget import Granted, within_budget
from recommender.layers.confidence import confidence_of, stale_samples
from recommender.layers.context import Tick
from recommender.layers.cron_floor import cron_floors
from recommender.layers.limit_pace import next_limits
from recommender.layers.limits import LimitTargets
from recommender.layers.replica_pace import next_replicas
from recommender.layers.replicas import ReplicaTargets
from recommender.layers.request_pace import NextRequests, next_requests
from recommender.layers.requests import RequestTargets
from recommender.layers.roll_back import RollBack, roll_backs, rolled_back
from recommender.observation import Bools, Floats, Observation
from recommender.policy.table import PolicyTable
from recommender.remember import changed, reconciled, remembered
from recommender.state import DecisionState

ALL_LAYERS = frozenset(Layer)
_EVALUATED = (Layer.REQUESTS, Layer.LIMITS)
"""The layers of which each amount has its own turns."""


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
        return _decide(Tick(observation, policies, state, now_s, StepLog(), due))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Targets:
    """What is right, layer by layer, and how well use is known."""

    requests: RequestTargets
    limits: LimitTargets
    replicas: ReplicaTargets
    confidence: Floats
    stale: Bools


@dataclass(frozen=True, slots=True, kw_only=True)
class _Next:
    """What may be written: request, limit ``[W, R]``, replicas ``[W]``."""

    requests: NextRequests
    limit: Floats
    start_limit: Floats
    replicas: Floats
    is_urgent: Bools


def _decide(tick: Tick) -> tuple[Decisions, DecisionState]:
    tick = replace(tick, state=reconciled(tick))
    roll_back = roll_backs(tick)
    until_s = roll_back.no_decrease_until_s
    tick = replace(tick, state=replace(tick.state, no_decrease_until_s=until_s))
    targets = _targets(tick)
    proposed, state = _next(tick, targets, roll_back)
    affordable, granted = _within_budget(tick, proposed)
    evaluated = {layer: _evaluated(tick, layer, granted) for layer in _EVALUATED}
    decisions = _decisions(tick, targets, affordable, evaluated)
    return decisions, remembered(
        tick, state, decisions, targets.requests, proposed.requests, granted, evaluated
    )


def _targets(tick: Tick) -> _Targets:
    cron = cron_floors(tick)
    if Layer.REQUESTS in tick.due:
        request = requests.request_targets(tick, cron.request)
    else:
        request = requests.kept_targets(tick)
    if Layer.LIMITS in tick.due:
        limit = limits.limit_targets(tick, request.target, cron.limit)
    else:
        limit = limits.kept_targets(tick)
    if Layer.REPLICAS in tick.due:
        count = replicas.replica_targets(tick, cron.replicas, limit.target)
    else:
        count = replicas.kept_targets(tick)
    return _Targets(
        requests=request,
        limits=limit,
        replicas=count,
        confidence=confidence_of(tick),
        stale=stale_samples(tick),
    )


def _next(tick: Tick, targets: _Targets, roll_back: RollBack) -> tuple[_Next, DecisionState]:
    """Return what may be written before the budget, and the state with the replicas' wishes."""
    workloads, state = tick.workloads, tick.state
    request = _next_requests(tick, targets, roll_back)
    limit, start_limit = workloads.limit, _known(state.start_limit, workloads.limit)
    if Layer.LIMITS in tick.due:
        limit, start_limit = next_limits(
            tick, targets.limits, request, targets.confidence, targets.stale
        )
    limit = rolled_back(tick, Layer.LIMITS, limit, roll_back.limit)
    count = workloads.replicas
    if Layer.REPLICAS in tick.due:
        count, state = next_replicas(tick, targets.replicas)
    is_urgent = (targets.limits.is_urgent & (limit > workloads.limit)) | roll_back.happens
    return _Next(
        requests=request,
        limit=limit,
        start_limit=np.fmax(start_limit, roll_back.limit),
        replicas=count,
        is_urgent=is_urgent,
    ), state


def _next_requests(tick: Tick, targets: _Targets, roll_back: RollBack) -> NextRequests:
    current, before = tick.workloads.request, roll_back.request
    if Layer.REQUESTS not in tick.due:
        return NextRequests(
            running=current,
            starting=_known(tick.state.start_request, current),
            is_planned=np.zeros(current.shape, np.bool_),
        )
    value = next_requests(tick, targets.requests, targets.confidence, targets.stale)
    return replace(
        value,
        running=rolled_back(tick, Layer.REQUESTS, value.running, before),
        starting=np.fmax(value.starting, before),
    )


def _known(value: Floats, otherwise: Floats) -> Floats:
    return np.where(np.isnan(value), otherwise, value)


def _within_budget(tick: Tick, proposed: _Next) -> tuple[_Next, Granted]:
    """Hold back what the fleet's budget has no room for.

    Urgent raises are exempt, and so are more replicas: they touch no running worker.
    """
    workloads, urgent = tick.workloads, proposed.is_urgent
    every = np.ones(len(workloads.replicas), np.bool_)
    pairs = (
        (Layer.REQUESTS, proposed.requests.running, workloads.request, urgent),
        (Layer.LIMITS, proposed.limit, workloads.limit, urgent),
        (Layer.REPLICAS, proposed.replicas, workloads.replicas, every),
    )
    asking = np.zeros(len(workloads.replicas), np.bool_)
    raises = asking.copy()
    for _, value, current, is_urgent in pairs:
        is_raise = ~(value <= current) & ~np.isnan(value)
        asking |= _in_any_column((is_raise & ~is_urgent) | (value < current))
        raises |= _in_any_column(is_raise & ~is_urgent)
    granted = within_budget(tick, asking, raises)
    held, kept = [], []
    for layer, value, current, is_urgent in pairs:
        free = granted.is_free if value.ndim == 1 else granted.is_free[:, None]
        is_held = ~free & (value != current) & ~(is_urgent & (value > current))
        held.append(is_held)
        kept.append(np.where(is_held, current, value))
        tick.log.add(layer, Code.BudgetExhausted, is_held & ~np.isnan(value), value, kept[-1])
    at_start = [is_held & ~tick.is_vram for is_held in held[:2]]
    start_request = np.where(at_start[0], workloads.request, proposed.requests.starting)
    affordable = _Next(
        requests=replace(proposed.requests, running=kept[0], starting=start_request),
        limit=kept[1],
        start_limit=np.where(at_start[1], workloads.limit, proposed.start_limit),
        replicas=kept[2],
        is_urgent=urgent,
    )
    return affordable, granted


def _in_any_column(mask: Bools) -> Bools:
    return mask if mask.ndim == 1 else np.asarray(mask.any(axis=1), np.bool_)


def _evaluated(tick: Tick, layer: Layer, granted: Granted) -> Bools:
    """Return whose turn it was, ``[W, R]``; what the budget holds back waits for no other turn."""
    is_now = tick.is_evaluated(layer) & (layer in tick.due)
    return np.asarray(is_now & granted.is_free[:, None], np.bool_)


def _decisions(
    tick: Tick, targets: _Targets, value: _Next, evaluated: Mapping[Layer, Bools]
) -> Decisions:
    workloads = tick.workloads
    return Decisions(
        raw_request=targets.requests.raw,
        target_request=targets.requests.target,
        lower_request=targets.requests.lower,
        upper_request=targets.requests.upper,
        next_request=value.requests.running,
        start_request=value.requests.starting,
        raw_limit=targets.limits.raw,
        target_limit=targets.limits.target,
        next_limit=value.limit,
        start_limit=value.start_limit,
        raw_replicas=targets.replicas.raw,
        target_replicas=targets.replicas.target,
        next_replicas=value.replicas,
        confidence=targets.confidence,
        is_stale=targets.stale,
        is_urgent=value.is_urgent,
        is_decided_request=evaluated[Layer.REQUESTS]
        | changed(value.requests.running, workloads.request),
        is_decided_limit=evaluated[Layer.LIMITS] | changed(value.limit, workloads.limit),
        unknown_request=targets.requests.unknown,
        unknown_limit=targets.limits.unknown,
        unknown_replicas=targets.replicas.unknown,
        steps=tick.log.table(),
        due=tick.due,
    )
