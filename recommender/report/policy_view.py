"""Which values of a policy an item shows: what governs it, and where it was set."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from recommender.policy.table import dimension_of
from recommender.report.blocks import Setting

if TYPE_CHECKING:
    from recommender.policy.model import (
        LimitRule,
        Policy,
        Prediction,
        ReplicaRule,
        RequestRule,
    )
    from recommender.resources import Resource

OFF = "off"


def size_enrolment(policy: Policy, resource: Resource) -> dict[str, str]:
    """Return how far each layer of a sized resource may go."""
    dimension = dimension_of(resource)
    return {
        "requests": _reach(policy.requests[dimension]),
        "limits": _reach(policy.limits[dimension]),
    }


def replica_enrolment(policy: Policy) -> dict[str, str]:
    """Return how far the replicas layer may go."""
    return {"replicas": _reach(policy.replicas)}


def size_settings(policy: Policy, resource: Resource) -> dict[str, Setting]:
    """Return the values that shape request and limit of a resource, by their policy path."""
    dimension = dimension_of(resource)
    request, limit = policy.requests[dimension], policy.limits[dimension]
    values: dict[str, float | str | None] = {}
    level = "percentile" if request.risk_target is None else "risk_target"
    values[f"requests.{dimension}.{level}"] = getattr(request, level)
    if request.risk_target is None:
        values[f"requests.{dimension}.buffer"] = request.buffer.factor
    values[f"requests.{dimension}.update_threshold"] = request.update_threshold
    values[f"requests.{dimension}.min_allowed"] = request.min_allowed
    values[f"requests.{dimension}.max_allowed"] = request.max_allowed
    level = "percentile" if limit.risk_target is None else "risk_target"
    values[f"limits.{dimension}.{level}"] = getattr(limit, level)
    if limit.risk_target is None:
        values[f"limits.{dimension}.buffer"] = limit.buffer.factor
    values[f"limits.{dimension}.max_ratio_to_requests"] = limit.max_ratio_to_requests
    values[f"limits.{dimension}.max_allowed"] = limit.max_allowed
    values |= _prediction(f"requests.{dimension}", request.prediction)
    values |= _prediction(f"limits.{dimension}", limit.prediction)
    return _with_sources(policy, values)


def replica_settings(policy: Policy) -> dict[str, Setting]:
    """Return the values that shape the number of replicas, by their policy path."""
    rule = policy.replicas
    return _with_sources(
        policy,
        {
            "replicas.target_of_limit": rule.target_of_limit,
            "replicas.tolerance_up": rule.tolerance_up,
            "replicas.tolerance_down": rule.tolerance_down,
            "replicas.min_replicas": rule.min_replicas,
            "replicas.max_replicas": rule.max_replicas,
            **_prediction("replicas", rule.prediction),
        },
    )


def _prediction(at: str, prediction: Prediction) -> dict[str, float | str | None]:
    """Return what a forecast is asked for; empty where none is."""
    if not prediction.enabled:
        return {}
    return {
        f"{at}.prediction.model": str(prediction.model),
        f"{at}.prediction.history_s": prediction.history_s,
        f"{at}.prediction.period_s": prediction.period_s,
    }


def _with_sources(policy: Policy, values: dict[str, float | str | None]) -> dict[str, Setting]:
    return {
        path: Setting(
            value=value if isinstance(value, str) else float(value), source=policy.source_of(path)
        )
        for path, value in values.items()
        if isinstance(value, str) or (value is not None and math.isfinite(value))
    }


def _reach(rule: RequestRule | LimitRule | ReplicaRule) -> str:
    return str(rule.mode) if rule.is_enrolled else OFF
