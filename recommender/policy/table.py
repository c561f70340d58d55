"""The policies of a fleet as columns, the form in which ``decide`` reads them.

Build it when policies change, not per tick.  ``[W, R]`` columns repeat a rule for every resource of
its dimension; NaN means "not set".
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from recommender.forecast.models import ModelName
from recommender.observation import Bools, Floats, Ints
from recommender.policy.model import CronRule, Dimension, Follows, LimitBasis, Mode
from recommender.resources import TFLOPS, VRAM, Resource

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from recommender.policy.model import LimitRule, Policy, ReplicaRule, RequestRule

MODEL_NAMES = tuple(ModelName)
T = TypeVar("T")
_DTYPES = {"Bools": np.bool_, "Floats": np.float64, "Ints": np.int64}


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestColumns:
    """auto-requests, ``[W, R]``."""

    acts: Bools
    """Enrolled and in mode apply: ``next`` may differ from what is in force."""
    is_initial: Bools
    """Enrolled in mode initial: only workers that start get the recommendation."""
    percentile: Floats
    lower_percentile: Floats
    upper_percentile: Floats
    is_load_weighted: Bools
    factor: Floats
    least: Floats
    risk_target: Floats
    half_life_s: Ints
    update_threshold: Floats
    min_ratio: Floats
    max_ratio: Floats
    min_allowed: Floats
    max_allowed: Floats
    initial_delay_s: Ints
    evaluation_s: Ints
    is_asked_only: Bools
    """Use moves nothing: only cron rules and the external scaler do."""
    keeps_unasked: Bools
    """Of those: what nobody asks for stays as it is; else it is what is stated."""
    predicts: Bools
    """A forecast is asked for."""
    prediction_model: Ints
    """Index into ``MODEL_NAMES``."""
    prediction_history_s: Ints
    prediction_period_s: Ints


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitColumns:
    """auto-limits, ``[W, R]``."""

    acts: Bools
    is_initial: Bools
    is_upper_percentile: Bools
    """The limit is the requests histogram's upper percentile (``autoSetResources``)."""
    percentile: Floats
    factor: Floats
    least: Floats
    risk_target: Floats
    ignored_delta: Floats
    scale_up_step: Floats
    max_ratio_to_requests: Floats
    min_ratio: Floats
    max_ratio: Floats
    min_allowed: Floats
    max_allowed: Floats
    evaluation_s: Ints
    is_asked_only: Bools
    keeps_unasked: Bools
    predicts: Bools
    prediction_model: Ints
    prediction_history_s: Ints
    prediction_period_s: Ints


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaColumns:
    """auto-replicas, ``[W]``."""

    acts: Bools
    target_of_limit: Floats
    tolerance_up: Floats
    tolerance_down: Floats
    scale_up_step: Floats
    scale_down_step: Floats
    scale_up_cooldown_s: Ints
    scale_down_cooldown_s: Ints
    min_replicas: Floats
    max_replicas: Floats
    """NaN: 10 x the stated replicas."""
    evaluation_s: Ints
    is_asked_only: Bools
    predicts: Bools
    prediction_model: Ints
    prediction_history_s: Ints
    prediction_period_s: Ints


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyTable:
    """All policies of a fleet, rows in the order of the observation."""

    requests: RequestColumns
    limits: LimitColumns
    replicas: ReplicaColumns
    cron: tuple[tuple[int, CronRule], ...]
    """(row, rule) of every usable rule."""


def dimension_of(resource: Resource) -> Dimension:
    """Return which rules govern a resource."""
    return Dimension.COMPUTE if resource.is_compressible else Dimension.VRAM


def takes_amounts(resource: Resource) -> bool:
    """Return whether amounts of a policy (TFLOPS, bytes) are in this resource's unit."""
    return resource.name in {TFLOPS.name, VRAM.name}


def policy_table(policies: Sequence[Policy], resources: Sequence[Resource]) -> PolicyTable:
    """Turn policies into columns.  Equal policy objects are read once."""
    unique = {id(policy): policy for policy in policies}
    order = {key: i for i, key in enumerate(unique)}
    row = np.array([order[id(policy)] for policy in policies], np.int64)
    distinct = list(unique.values())

    requests = _columns(
        [[_request(policy.requests[dimension_of(r)], r) for r in resources] for policy in distinct],
        RequestColumns,
        row,
        (len(resources),),
    )
    limits = _columns(
        [[_limit(policy.limits[dimension_of(r)], r) for r in resources] for policy in distinct],
        LimitColumns,
        row,
        (len(resources),),
    )
    replicas = _columns([_replicas(policy) for policy in distinct], ReplicaColumns, row)
    cron = tuple(
        (i, rule)
        for i, policy in enumerate(policies)
        for rule in policy.cron
        if rule.is_enabled and rule.problem is None
    )
    return PolicyTable(requests=requests, limits=limits, replicas=replicas, cron=cron)


def _request(rule: RequestRule, resource: Resource) -> dict[str, object]:
    return {
        "acts": rule.is_enrolled and rule.mode is Mode.APPLY,
        "is_initial": rule.is_enrolled and rule.mode is Mode.INITIAL,
        "percentile": rule.percentile,
        "lower_percentile": rule.lower_percentile,
        "upper_percentile": rule.upper_percentile,
        "is_load_weighted": rule.is_load_weighted,
        "factor": rule.buffer.factor,
        "least": rule.buffer.least,
        "risk_target": _unset(rule.risk_target),
        "half_life_s": max(1, rule.history_s // 2),
        "update_threshold": rule.update_threshold,
        "min_ratio": rule.min_ratio,
        "max_ratio": rule.max_ratio,
        "min_allowed": _amount(rule.min_allowed, resource),
        "max_allowed": _amount(rule.max_allowed, resource),
        "initial_delay_s": rule.initial_delay_s,
        "evaluation_s": rule.evaluation_s,
        **_asked(rule),
        **_predicted(rule),
    }


def _limit(rule: LimitRule, resource: Resource) -> dict[str, object]:
    return {
        "acts": rule.is_enrolled and rule.mode is Mode.APPLY,
        "is_initial": rule.is_enrolled and rule.mode is Mode.INITIAL,
        "is_upper_percentile": rule.basis is LimitBasis.UPPER_PERCENTILE,
        "percentile": rule.percentile,
        "factor": rule.buffer.factor,
        "least": rule.buffer.least,
        "risk_target": _unset(rule.risk_target),
        "ignored_delta": rule.ignored_delta,
        "scale_up_step": rule.scale_up_step,
        "max_ratio_to_requests": rule.max_ratio_to_requests,
        "min_ratio": rule.min_ratio,
        "max_ratio": rule.max_ratio,
        "min_allowed": _amount(rule.min_allowed, resource),
        "max_allowed": _amount(rule.max_allowed, resource),
        "evaluation_s": rule.evaluation_s,
        **_asked(rule),
        **_predicted(rule),
    }


def _asked(rule: RequestRule | LimitRule) -> dict[str, object]:
    return {
        "is_asked_only": rule.follows is not Follows.USE,
        "keeps_unasked": rule.follows is Follows.ANSWERS,
    }


def _replicas(policy: Policy) -> dict[str, object]:
    rule = policy.replicas
    return {
        "acts": rule.is_enrolled and rule.mode is Mode.APPLY,
        "target_of_limit": rule.target_of_limit,
        "tolerance_up": rule.tolerance_up,
        "tolerance_down": rule.tolerance_down,
        "scale_up_step": rule.scale_up_step,
        "scale_down_step": rule.scale_down_step,
        "scale_up_cooldown_s": rule.scale_up_cooldown_s,
        "scale_down_cooldown_s": rule.scale_down_cooldown_s,
        "min_replicas": float(rule.min_replicas),
        "max_replicas": _unset(rule.max_replicas),
        "evaluation_s": rule.evaluation_s,
        "is_asked_only": rule.follows is not Follows.USE,
        **_predicted(rule),
    }


def _predicted(rule: RequestRule | LimitRule | ReplicaRule) -> dict[str, object]:
    return {
        "predicts": rule.prediction.enabled,
        "prediction_model": MODEL_NAMES.index(rule.prediction.model),
        "prediction_history_s": rule.prediction.history_s,
        "prediction_period_s": rule.prediction.period_s,
    }


def _amount(value: float | None, resource: Resource) -> float:
    return _unset(value) if takes_amounts(resource) else np.nan


def _unset(value: float | None) -> float:
    return np.nan if value is None else float(value)


def _columns(
    records: Sequence[object], kind: Callable[..., T], row: Ints, width: tuple[int, ...] = ()
) -> T:
    """Build one column ``[rows, *width]`` per field of ``kind``, from (lists of) dictionaries."""
    columns = {}
    for item in fields(kind):  # type: ignore[arg-type]
        table: NDArray[Any] = np.array(_pick(records, item.name), _DTYPES[str(item.type)])
        columns[item.name] = table.reshape(len(records), *width)[row]
    return kind(**columns)


def _pick(records: object, name: str) -> object:
    if isinstance(records, dict):
        return records[name]
    assert isinstance(records, list)
    return [_pick(record, name) for record in records]
