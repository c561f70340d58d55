"""Builders of valid objects by keyword, so that a test names only what it is about."""

from __future__ import annotations

from dataclasses import fields, replace
from types import MappingProxyType

from recommender.policy.model import Dimension, LimitRule, Policy, ReplicaRule, RequestRule
from recommender.policy.parse import parse_auto_scaling_config

ENROLLED = {
    "autoSetRequests": {"enable": True},
    "autoSetLimits": {"enable": True},
    "autoSetReplicas": {"enable": True},
}


def policy(config=None, *, is_enrolled=False, is_job=False, qos="medium", **overrides) -> Policy:
    """Return the policy of a configuration, default without one.

    An override whose name is an attribute of a rule (``percentile``, ``mode``, ``min_replicas``)
    is set on every rule that has it; one whose name is an attribute of ``Policy`` replaces it.
    """
    made = parse_auto_scaling_config(
        {**(ENROLLED if is_enrolled else {}), **(config or {})}, is_job=is_job, qos=qos
    )
    own = {f.name for f in fields(Policy)} & set(overrides)
    rules = {name: value for name, value in overrides.items() if name not in own}
    known = {f.name for kind in (RequestRule, LimitRule, ReplicaRule) for f in fields(kind)}
    assert set(rules) <= known, f"no rule has {sorted(set(rules) - known)}"
    return replace(
        made,
        **{
            "requests": _overridden(made.requests, rules),
            "limits": _overridden(made.limits, rules),
            "replicas": _with(made.replicas, rules),
            **{name: overrides[name] for name in own},
        },
    )


def profile(*, auto_scaling=None, requests=None, limits=None, **spec) -> dict:
    """Return the ``spec`` of a WorkloadProfile; further keys are its own spellings (``qos``)."""
    made = dict(spec)
    if requests is not None or limits is not None:
        made["resources"] = {
            side: amounts
            for side, amounts in (("requests", requests), ("limits", limits))
            if amounts is not None
        }
    if auto_scaling is not None:
        made["autoScalingConfig"] = auto_scaling
    return made


def _overridden(rules, overrides):
    return MappingProxyType(
        {dimension: _with(rules[dimension], overrides) for dimension in Dimension}
    )


def _with(rule, overrides):
    names = {f.name for f in fields(rule)}
    return replace(rule, **{name: value for name, value in overrides.items() if name in names})
