"""Checks of a GPUPool: its rules, its numbers, and which pool is the default one.

Who writes pools runs the cluster, so that what merely surprises is a warning.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from autoscaler.api.names import IS_DEFAULT_POOL
from autoscaler.api.naming import LONGEST
from autoscaler.api.object_names import name_problem
from autoscaler.webhook.admission import Object
from autoscaler.webhook.problems import take_problems
from autoscaler.webhook.snapshot import Snapshot
from autoscaler.webhook.verdict import Verdict
from recommender.errors import InvalidValueError, Problem
from recommender.policy.first_generation import QOS
from recommender.policy.resolve import resolve
from recommender.quantities import parse_quantity

_PLACEMENT = {"mode": ("CompactFirst", "LowLoadFirst"), "preemption": ("Never", "LowerQoS")}
"""Fields of ``spec.placement`` and their words."""
LOWEST_OVERSELL_PERCENT = 100
_WITH_VALUES, _WITHOUT_VALUES = ("In", "NotIn"), ("Exists", "DoesNotExist")
_WORD = r"[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
_LABEL_KEY = re.compile(rf"(?:[a-z0-9](?:[-a-z0-9.]{{0,251}}[a-z0-9])?/)?{_WORD}")
_LABEL_VALUE = re.compile(rf"(?:{_WORD})?")
_ALLOWED_KEY = "a label key such as app or example.com/team"
_ALLOWED_VALUE = (
    "at most 63 letters, digits, '-', '_' and '.', with a letter or a digit at both ends"
)


def check_pool(pool: Object, verdict: Verdict) -> None:
    """Note what is wrong with a pool."""
    spec = pool.get("spec") or {}
    name = _name(pool)
    problem = name_problem(name, "metadata.name", longest=LONGEST) if name else None
    verdict.refuse(*([problem] if problem else []))
    _check_rules(spec.get("rules") or (), verdict)
    _check_labels(spec.get("nodeSelector"), "spec.nodeSelector", verdict)
    _check_oversell(spec, verdict)
    qos = (spec.get("qosConfig") or {}).get("defaultQoS")
    if qos is not None and qos not in QOS:
        verdict.invalid("spec.qosConfig.defaultQoS", qos, ", ".join(QOS))
    _check_limiter((spec.get("componentConfig") or {}).get("limiter") or {}, verdict)
    for field, words in _PLACEMENT.items():
        word = (spec.get("placement") or {}).get(field)
        if word is not None and word not in words:
            verdict.invalid(f"spec.placement.{field}", word, ", ".join(words))


def warn_of_default_pool(pool: Object, snapshot: Snapshot, verdict: Verdict) -> None:
    """Warn where a pool is not the default one although it says so, or nearly says so."""
    own = _name(pool)
    value = _default_mark(pool)
    if value not in {None, "true", "false"}:
        verdict.warn(
            Problem(
                f"annotation {IS_DEFAULT_POOL}", f"{value!r} has no effect; allowed: true, false"
            )
        )
    if value != "true":
        return
    # The oldest stand first; a pool that is being created is not among them yet.
    marked = [
        _name(each)
        for each in snapshot.pools()
        if _default_mark(each) == "true" or _name(each) == own
    ]
    names = list(dict.fromkeys((*marked, own)))
    if len(names) > 1:
        verdict.warn(
            Problem(
                f"annotation {IS_DEFAULT_POOL}",
                f"several pools are the default one: "
                f"{', '.join(sorted(names))}; the oldest counts: {names[0]}",
            )
        )


def _default_mark(pool: Object) -> str | None:
    value = ((pool.get("metadata") or {}).get("annotations") or {}).get(IS_DEFAULT_POOL)
    return None if value is None else str(value)


def _check_rules(rules: Any, verdict: Verdict) -> None:
    seen: dict[str, int] = {}
    for index, rule in enumerate(rules):
        path = f"spec.rules[{index}]"
        name = str(rule.get("name") or "")
        if not name:
            verdict.refuse(
                Problem(f"{path}.name", "not set; allowed: a name that no other rule has")
            )
        elif name in seen:
            verdict.refuse(
                Problem(
                    f"{path}.name",
                    f"{name!r} is also the name of spec.rules[{seen[name]}]; allowed: a "
                    "name that no other rule has",
                )
            )
        seen.setdefault(name, index)
        _check_selector(rule.get("podSelector"), f"{path}.podSelector", verdict)
        take_problems(resolve(pool_rule=rule).problems, "pool rule ", f"{path}.", verdict)


def _check_selector(selector: Any, path: str, verdict: Verdict) -> None:
    if selector is None:
        return
    _check_labels(selector.get("matchLabels"), f"{path}.matchLabels", verdict)
    for index, requirement in enumerate(selector.get("matchExpressions") or ()):
        verdict.refuse(*_requirement(requirement, f"{path}.matchExpressions[{index}]"))


def _requirement(requirement: Mapping[str, Any], path: str) -> Iterator[Problem]:
    key, operator = str(requirement.get("key") or ""), requirement.get("operator")
    values = requirement.get("values") or ()
    if not _LABEL_KEY.fullmatch(key):
        yield Problem(f"{path}.key", f"{key!r} is not valid; allowed: {_ALLOWED_KEY}")
    if operator in _WITH_VALUES and not values:
        yield Problem(f"{path}.values", f"empty; allowed with {operator}: at least one value")
    elif operator in _WITHOUT_VALUES and values:
        yield Problem(
            f"{path}.values", f"{', '.join(map(str, values))}; allowed with {operator}: none"
        )
    elif operator not in (*_WITH_VALUES, *_WITHOUT_VALUES):
        operators = ", ".join((*_WITH_VALUES, *_WITHOUT_VALUES))
        yield Problem(f"{path}.operator", f"{operator!r} is not valid; allowed: {operators}")
    for value in values:
        if not _LABEL_VALUE.fullmatch(str(value)):
            yield Problem(f"{path}.values", f"{value!r} is not valid; allowed: {_ALLOWED_VALUE}")


def _check_labels(labels: Any, path: str, verdict: Verdict) -> None:
    for key, value in (labels or {}).items():
        if not _LABEL_KEY.fullmatch(str(key)):
            verdict.invalid(path, key, _ALLOWED_KEY)
        if not _LABEL_VALUE.fullmatch(str(value)):
            verdict.invalid(f"{path}[{key}]", value, _ALLOWED_VALUE)


def _check_oversell(spec: Mapping[str, Any], verdict: Verdict) -> None:
    oversubscription = (spec.get("capacityConfig") or {}).get("oversubscription") or {}
    value = oversubscription.get("tflopsOversellRatio")
    if value is None:
        return
    path = "spec.capacityConfig.oversubscription.tflopsOversellRatio"
    allowed = f"a quantity of percent, {LOWEST_OVERSELL_PERCENT} (as much as there is) or more"
    try:
        is_valid = parse_quantity(value, path) >= LOWEST_OVERSELL_PERCENT
    except InvalidValueError:
        is_valid = False
    if not is_valid:
        verdict.invalid(path, value, allowed)


def _check_limiter(limiter: Mapping[str, Any], verdict: Verdict) -> None:
    """Warn of requests that do not count: the limiter's are those of its limits."""
    resources = limiter.get("resources") or {}
    limits = resources.get("limits") or {}
    for name, value in (resources.get("requests") or {}).items():
        if name in limits and str(limits[name]) != str(value):
            verdict.warn(
                Problem(
                    f"spec.componentConfig.limiter.resources.requests.{name}",
                    f"{value} has no effect: "
                    f"the limit {limits[name]} counts for both, so that pods keep their QoS class",
                )
            )


def _name(pool: Object) -> str:
    return str((pool.get("metadata") or {}).get("name") or "")
