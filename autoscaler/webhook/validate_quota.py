"""Checks of a GPUResourceQuota: its maxima, its defaults, and how they fit together.

What a quota means for a pod is in ``quotas``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

from autoscaler.api.ceilings import DEFAULT_ALLOWED_QOS
from autoscaler.webhook.admission import Object
from autoscaler.webhook.verdict import Verdict
from recommender.amounts import ResourceAmounts
from recommender.errors import Problem
from recommender.policy.first_generation import QOS
from recommender.quantities import parse_quantity

_MAXIMA = ("total.requests", "total.limits", "single.maxRequests", "single.maxLimits")
_DEFAULTS = ("single.defaultRequests", "single.defaultLimits")
_NEVER_ABOVE = (
    ("single.defaultRequests", "single.maxRequests"),
    ("single.defaultRequests", "single.defaultLimits"),
    ("single.defaultRequests", "single.maxLimits"),
    ("single.defaultLimits", "single.maxLimits"),
)
"""Otherwise the quota's own defaults would be refused."""
_OUT_OF_REACH = (("single.maxRequests", "total.requests"), ("single.maxLimits", "total.limits"))
"""One worker can never have more than all together."""
_COUNTS: Mapping[str, range] = MappingProxyType(
    {
        "total.maxWorkers": range(2**31),
        "total.alertThresholdPercent": range(101),
        "single.maxGPUCount": range(1, 129),
    }
)

Read = Mapping[str, Mapping[str, str]]
"""Path below ``spec`` to the quantities that stand there, by ``tflops``, ``compute``, ``vram``."""


def check_quota(quota: Object, others: Sequence[Object], verdict: Verdict) -> None:
    """Note what is wrong with a quota; ``others`` are those of its namespace by name."""
    spec = quota.get("spec") or {}
    read = {path: _amounts(spec, path, verdict) for path in (*_MAXIMA, *_DEFAULTS)}
    _check_counts(spec, verdict)
    _check_levels(spec, verdict)
    for lower, upper in _NEVER_ABOVE:
        for name, low, high in _above(read, lower, upper):
            verdict.refuse(
                Problem(
                    f"spec.{lower}.{name}",
                    f"{low} is above spec.{upper}.{name}; allowed: at most {high}",
                )
            )
    for lower, upper in _OUT_OF_REACH:
        for name, low, high in _above(read, lower, upper):
            verdict.warn(
                Problem(
                    f"spec.{lower}.{name}", f"{low} is out of reach: spec.{upper}.{name} is {high}"
                )
            )
    _warn_of_refused_default(read, verdict)
    _warn_of_zero(read, verdict)
    _warn_of_unused_defaults(quota, others, verdict)


def _amounts(spec: Mapping[str, Any], path: str, verdict: Verdict) -> Mapping[str, str]:
    value = _at(spec, path)
    if value is None:
        return {}
    amounts, problems = ResourceAmounts.from_mapping(value, f"spec.{path}")
    verdict.refuse(*problems)
    return amounts.to_mapping()


def _check_counts(spec: Mapping[str, Any], verdict: Verdict) -> None:
    for path, allowed in _COUNTS.items():
        value = _at(spec, path)
        if value is None:
            continue
        if not isinstance(value, int) or isinstance(value, bool) or value not in allowed:
            verdict.invalid(
                f"spec.{path}", value, f"a whole number from {allowed.start} to {allowed.stop - 1}"
            )


def _check_levels(spec: Mapping[str, Any], verdict: Verdict) -> None:
    levels = spec.get("allowedQoS")
    if levels is None:
        return
    if not isinstance(levels, list):
        verdict.invalid("spec.allowedQoS", levels, f"a list of {', '.join(QOS)}")
        return
    for index, level in enumerate(levels):
        if level not in QOS:
            verdict.invalid(f"spec.allowedQoS[{index}]", level, ", ".join(QOS))
    if not levels:
        allowed = ", ".join(DEFAULT_ALLOWED_QOS)
        verdict.warn(
            Problem("spec.allowedQoS", f"an empty list counts as not set: {allowed} are allowed")
        )


def _above(read: Read, lower: str, upper: str) -> Iterator[tuple[str, str, str]]:
    """Yield name and both quantities where ``lower`` is above ``upper``; zero sets no maximum."""
    for name, low in read[lower].items():
        high = read[upper].get(name)
        if high is not None and _number(high) and _number(low) > _number(high):
            yield name, low, high


def _warn_of_refused_default(read: Read, verdict: Verdict) -> None:
    for name, low, high in _above(read, "single.defaultLimits", "single.maxRequests"):
        if name not in read["single.defaultRequests"]:
            verdict.warn(
                Problem(
                    f"spec.single.defaultLimits.{name}",
                    f"{low} is also the request of workloads that "
                    f"state none, and spec.single.maxRequests.{name} {high} refuses it; set "
                    f"spec.single.defaultRequests.{name}",
                )
            )


def _warn_of_zero(read: Read, verdict: Verdict) -> None:
    for path in _MAXIMA:
        for name, quantity in read[path].items():
            if path.startswith("single.") and not _number(quantity):
                verdict.warn(Problem(f"spec.{path}.{name}", "0 sets no maximum"))


def _warn_of_unused_defaults(quota: Object, others: Sequence[Object], verdict: Verdict) -> None:
    spec = quota.get("spec") or {}
    own = _name(quota)
    first = min((name for name in map(_name, others) if name), default=own)
    if own and first < own and any(_at(spec, path) for path in _DEFAULTS):
        verdict.warn(
            Problem(
                "spec.single",
                f"its defaults have no effect: those of GPUResourceQuota {first}, the "
                "first by name in this namespace, count",
            )
        )


def _number(quantity: str) -> float:
    return float(parse_quantity(quantity))


def _at(spec: Mapping[str, Any], path: str) -> Any:
    part, _, field = path.partition(".")
    values = spec.get(part)
    return values.get(field) if isinstance(values, Mapping) else None


def _name(obj: Object) -> str:
    return str((obj.get("metadata") or {}).get("name") or "")
