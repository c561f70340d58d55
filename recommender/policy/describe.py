"""A policy as rows for people: every effective value, its default, its source and its meaning."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

from recommender.durations import format_duration
from recommender.policy.fields import FIELD, FIELDS
from recommender.policy.model import (
    Buffer,
    Dimension,
    LimitBasis,
    LimitRule,
    Policy,
    Prediction,
    RequestRule,
)
from recommender.policy.parse import parse_auto_scaling_config
from recommender.quantities import format_bytes_quantity

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from recommender.policy.model import ReplicaRule

_BUILT_IN = {
    "requests.lower_percentile": "Percentile of use below which a request is called too low.",
    "requests.upper_percentile": "Percentile of use above which a request is called too high.",
    "requests.is_load_weighted": "Whether the percentile is over the work served, not over time.",
    "requests.update_threshold": "A smaller change of the request in force is not made.",
    "requests.min_ratio": "The smallest request that is written, as a multiple of the stated one.",
    "requests.max_ratio": "The largest request that is written, as a multiple of the stated one.",
    "requests.initial_delay_s": "Nothing is changed in this time after the first sample.",
    "limits.basis": "Whether limits follow bursts or an upper percentile of use.",
    "limits.percentile": "Percentile of the highest use of each minute that a limit covers.",
    "limits.min_ratio": "The smallest limit that is written, as a multiple of the stated one.",
    "limits.max_ratio": "The largest limit that is written, as a multiple of the stated one.",
    "limits.buffer": "Margin of the limit.",
    "limits.scale_up_step": "Smallest raise, as a multiple of the limit in force.",
    "limits.max_ratio_to_requests": "Largest limit, as a multiple of the stated request.",
    "replicas.tolerance_up": "Replicas are kept while demand is within this share above target.",
    "replicas.tolerance_down": "Replicas are kept while demand is within this share below target.",
}
"""Meaning of values that have no field, or none in the generation that governs."""
_SHARES = {
    "ignored_delta", "lower_percentile", "percentile", "risk_target", "target_of_limit",
    "tolerance_down", "tolerance_up", "update_threshold", "upper_percentile",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyRow:
    """One effective value."""

    path: str
    """In the policy, for example ``requests.compute.percentile``."""
    field: str
    """The setting that changes it; empty where none does."""
    value: str
    default: str
    source: str
    meaning: str


def describe_policy(policy: Policy) -> list[PolicyRow]:
    """Return every effective value of a policy, in a fixed order.

    The default of a value is that of the generation of settings that governs its dimension.
    """
    plain = parse_auto_scaling_config({})
    current = parse_auto_scaling_config({"autoSetResources": {"enable": False, "interval": "10m"}})
    rows: list[PolicyRow] = []
    for dimension in Dimension:
        is_current = policy.limits[dimension].basis is LimitBasis.UPPER_PERCENTILE
        default = current if is_current else plain
        for name, rules, defaults in (
            ("requests", policy.requests, default.requests),
            ("limits", policy.limits, default.limits),
        ):
            rows += _rule_rows(
                policy, f"{name}.{dimension}", rules[dimension], defaults[dimension],
                is_current=is_current,
            )  # fmt: skip
    rows += _rule_rows(policy, "replicas", policy.replicas, plain.replicas, is_current=False)
    rows += _cron_rows(policy)
    rows += _external_rows(policy)
    rows += _to_zero_rows(policy)
    return rows


def _rule_rows(
    policy: Policy,
    at: str,
    rule: RequestRule | LimitRule | ReplicaRule,
    default: RequestRule | LimitRule | ReplicaRule,
    *,
    is_current: bool,
) -> Iterator[PolicyRow]:
    usual = {path: value for path, _, value in _leaves(at, default)}
    for path, attribute, value in _leaves(at, rule):
        field_path = _field_of(path, is_current=is_current)
        meaning = _meaning(path, field_path)
        if not meaning:
            continue
        unset = FIELD[field_path].default_text if field_path else ""
        yield PolicyRow(
            path=path,
            field=field_path,
            value=_text(at, attribute, value) or unset or "not set",
            default=_text(at, attribute, usual[path]) or unset or "not set",
            source=policy.source_of(path),
            meaning=meaning,
        )


def _leaves(at: str, rule: object) -> Iterator[tuple[str, str, object]]:
    for item in fields(rule):  # type: ignore[arg-type]
        value = getattr(rule, item.name)
        if isinstance(value, Prediction):
            yield from _leaves(f"{at}.{item.name}", value)
        else:
            yield f"{at}.{item.name}", item.name, value


def _field_of(path: str, *, is_current: bool) -> str:
    """Return the field that decides about a policy path in a generation."""
    matches = [field.path for field in FIELDS if path in field.lands and field.path != "mode"]
    ours = [match for match in matches if match.startswith("autoSetResources") == is_current]
    return ours[0] if ours else ""


def _meaning(path: str, field_path: str) -> str:
    table, _, rest = path.partition(".")
    built_in = _BUILT_IN.get(f"{table}.{rest.rpartition('.')[2]}", "")
    has_own = path.endswith((".lower_percentile", ".upper_percentile", ".is_load_weighted"))
    return built_in if has_own or not field_path else FIELD[field_path].meaning


def _text(at: str, attribute: str, value: object) -> str:  # noqa: PLR0911
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Buffer):
        return _buffer_text(value)
    if attribute.endswith("_s") and isinstance(value, int):
        return format_duration(value)
    if attribute in {"min_allowed", "max_allowed"} and isinstance(value, float):
        is_vram = at.endswith(Dimension.VRAM)
        return format_bytes_quantity(value) if is_vram else f"{value:g} TFLOPS"
    if isinstance(value, float) and math.isinf(value):
        return "unbounded"
    if attribute in _SHARES and isinstance(value, float):
        return f"{value * 100:g}%"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _buffer_text(buffer: Buffer) -> str:
    text = f"{(buffer.factor - 1) * 100:.4g}%"
    return text if not buffer.least else f"{text}, at least {format_bytes_quantity(buffer.least)}"


def _cron_rows(policy: Policy) -> Iterator[PolicyRow]:
    for i, rule in enumerate(policy.cron):
        asks = [_floor_text("request", d, v) for d, v in rule.requests.items()]
        asks += [_floor_text("limit", d, v) for d, v in rule.limits.items()]
        asks += [] if rule.replicas is None else [f"{rule.replicas} replicas"]
        state = "disabled" if not rule.is_enabled else "enabled"
        state = f"faulty ({rule.problem})" if rule.problem else state
        window = f"{rule.start} to {rule.end} {rule.time_zone}"
        yield PolicyRow(
            path=f"cron[{i}]",
            field="cronScalingRules",
            value=f"{rule.name}: {state}; {window}; {', '.join(asks) or 'nothing'}",
            default="none",
            source=policy.source_of("cron"),
            meaning=FIELD["cronScalingRules"].meaning,
        )


def _floor_text(side: str, dimension: Dimension, amount: float) -> str:
    is_vram = dimension is Dimension.VRAM
    return f"{side} {format_bytes_quantity(amount) if is_vram else f'{amount:g} TFLOPS'}"


def _external_rows(policy: Policy) -> Iterator[PolicyRow]:
    if policy.external is None:
        return
    for path, attribute, value in _leaves("external", policy.external):
        field_path = _field_of(path, is_current=False)
        yield PolicyRow(
            path=path,
            field=field_path,
            value=_text("external", attribute, value) or "not set",
            default="none",
            source=policy.source_of(path),
            meaning=FIELD[field_path].meaning if field_path else "",
        )


def _to_zero_rows(policy: Policy) -> Iterator[PolicyRow]:
    kept: Mapping[str, object] = policy.scale_to_zero or {}
    for name, value in kept.items():
        at = FIELD[f"scaleToZero.{name}"]
        is_list = isinstance(value, tuple)
        yield PolicyRow(
            path=f"scale_to_zero.{name}",
            field=at.path,
            value=f"{len(value)} entries" if isinstance(value, tuple) else _plain(at.unit, value),
            default="none" if is_list else "not set",
            source=policy.source_of("scale_to_zero"),
            meaning=at.meaning,
        )


def _plain(unit: str, value: object) -> str:
    return _text("", "seconds_s" if unit == "s" else "", value)
