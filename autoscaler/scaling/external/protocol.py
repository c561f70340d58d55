"""The protocol ``externalScaler``, both ways: the question, and the reply to it.

A question says which workload it is and what is in force; a reply says whether more or less is
needed, and how much.  The shape is that of the upstream operator.  Ours beyond it are two optional
fields of a reply, ``recommendedReplicas`` and ``message``; other fields are ignored, so that either
side may be newer than the other.  How they travel is not here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import orjson

from autoscaler.errors import InputError
from autoscaler.scaling.cluster import Amounts, amounts
from autoscaler.scaling.external.answers import ExternalAnswer
from recommender.amounts import ResourceAmounts
from recommender.quantities import format_bytes_quantity, format_tflops
from recommender.resources import COMPUTE_PERCENT, TFLOPS, VRAM

BODY_BYTES = 64 * 2**10
"""Largest body of a question or reply."""
LARGEST_AMOUNT = 2.0**53
"""From there on, not every number is exact; nobody has so much."""
LARGEST_REPLICAS = 100_000
_REASON = re.compile(r"[A-Za-z](?:[A-Za-z0-9_,:]*[A-Za-z0-9_])?")
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?")
_SIDES = ("requests", "limits")
_API_KEYS = tuple(str(each.api_name) for each in (TFLOPS, COMPUTE_PERCENT, VRAM))


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked: a workload, and what is in force for each of its workers and devices."""

    namespace: str
    workload: str
    request: Amounts = field(default_factory=amounts)
    limit: Amounts = field(default_factory=amounts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What is answered; without amounts nothing is to change."""

    needs_more: bool = False
    needs_less: bool = False
    reason: str
    """One word: the upstream operator writes it as the reason of a condition, which must not
    contain spaces."""
    message: str = ""
    """The same as a sentence."""
    request: Amounts = field(default_factory=amounts)
    limit: Amounts = field(default_factory=amounts)


def encode_question(question: Question) -> bytes:
    """Return a question as JSON."""
    return orjson.dumps(
        {
            "workloadName": question.workload,
            "namespace": question.namespace,
            "currentResources": _resources(question.request, question.limit),
        }
    )


def read_question(body: bytes) -> Question:
    """Return the question in a body.

    Raises ``InputError`` that names the field, its value and what is allowed.
    """
    document = _object_in(body)
    current = _member(document, "currentResources")
    sides = {side: _amounts(current, side, "currentResources") for side in _SIDES}
    return Question(
        namespace=_name(document, "namespace"),
        workload=_name(document, "workloadName"),
        request=amounts(_positive(sides["requests"])),
        limit=amounts(_positive(sides["limits"])),
    )


def encode_reply(reply: Reply) -> bytes:
    """Return a reply as JSON.  Raises ``ValueError`` where the reason is not one word."""
    if _REASON.fullmatch(reply.reason) is None:
        raise ValueError(f"a reason must be one word, not {reply.reason!r}")
    return orjson.dumps(
        {
            "needScaleUp": reply.needs_more,
            "needScaleDown": reply.needs_less,
            "reason": reply.reason,
            "message": reply.message,
            "recommendedResources": _resources(reply.request, reply.limit),
        }
    )


def read_reply(body: bytes, *, peak_tflops: float | None) -> ExternalAnswer:
    """Return what a reply asks for; empty where it needs no change.

    Zero means that an amount is kept.  ``peak_tflops`` of the workload's card turns percent of it
    into TFLOPS; None: percent stay what they are.  Raises ``InputError`` that names the field and
    what is allowed, and quotes nothing: what an endpoint sends is the business of its owner.
    """
    document = _object_in(body)
    needs = [_flag(document, name) for name in ("needScaleUp", "needScaleDown")]
    resources = _member(document, "recommendedResources")
    sides = {side: _amounts(resources, side, "recommendedResources") for side in _SIDES}
    replicas = _replicas(document)
    if not any(needs):
        return ExternalAnswer()
    request, limit = (_in_tflops(_positive(sides[side]), peak_tflops) for side in _SIDES)
    for name in request.keys() & limit.keys():
        if limit[name] < request[name]:
            raise InputError(
                f"recommendedResources.limits is below requests for {name}; allowed: at least as "
                "much"
            )
    answer = ExternalAnswer(request=amounts(request), limit=amounts(limit), replicas=replicas)
    if answer.is_empty:
        raise InputError(
            "needScaleUp or needScaleDown is true, but nothing is recommended; allowed: amounts "
            "above 0 in recommendedResources, or recommendedReplicas"
        )
    return answer


def _object_in(body: bytes) -> Mapping[str, Any]:
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise InputError("the body is no JSON; allowed: one JSON object") from None
    if not isinstance(document, Mapping):
        raise InputError(f"the body is a {_kind(document)}; allowed: one JSON object")
    return document


def _name(document: Mapping[str, Any], key: str) -> str:
    value = document.get(key)
    if not isinstance(value, str) or _NAME.fullmatch(value) is None:
        raise InputError(
            f"{key} is {_shown(value)}; allowed: the name of a Kubernetes object (lower-case "
            "letters, digits, '-' and '.')"
        )
    return value


def _shown(value: object) -> str:
    if value is None:
        return "missing"
    return repr(value[:63]) if isinstance(value, str) else f"a {_kind(value)}"


def _member(document: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """Return an object inside a document; an absent one, or null, is empty."""
    value = document.get(key)
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise InputError(f"{key} is a {_kind(value)}; allowed: an object with requests and limits")
    return value


def _flag(document: Mapping[str, Any], key: str) -> bool:
    value = document.get(key)
    if value is not None and not isinstance(value, bool):
        raise InputError(f"{key} is a {_kind(value)}; allowed: true or false")
    return bool(value)


def _replicas(document: Mapping[str, Any]) -> int | None:
    value = document.get("recommendedReplicas")
    if value is None or (value == 0 and not isinstance(value, bool)):
        return None
    is_count = isinstance(value, int) and not isinstance(value, bool)
    if not is_count or not 0 < value <= LARGEST_REPLICAS:
        raise InputError(
            f"recommendedReplicas is not valid; allowed: 0 (keep) to {LARGEST_REPLICAS}"
        )
    return int(value)


def _amounts(resources: Mapping[str, Any], side: str, where: str) -> dict[str, float]:
    """Return the amounts of one side by resource name; zero is none."""
    value = resources.get(side)
    path = f"{where}.{side}"
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise InputError(f"{path} is a {_kind(value)}; allowed: an object of quantities")
    known = {key: value[key] for key in _API_KEYS if key in value}
    zeros = {key for key, amount in known.items() if _is_zero(amount)}
    # a structure of Go carries each of its fields: zero is no statement in percent or in TFLOPS
    stated = {key: amount for key, amount in known.items() if key not in zeros}
    found, problems = ResourceAmounts.from_mapping(stated, path)
    for problem in problems:
        raise InputError(f"{problem.path} is not valid; allowed: {_allowed(problem.path)}")
    units = found.base_units()
    for name, amount in units.items():
        if amount >= LARGEST_AMOUNT:
            raise InputError(f"{path}: {name} is not valid; allowed: below 2^53")
    return units


def _is_zero(amount: object) -> bool:
    if isinstance(amount, bool):
        return False
    return amount in (0, "0", "")


def _allowed(path: str) -> str:
    if path.endswith(f".{COMPUTE_PERCENT.api_name}"):
        return "a quantity from 0 to 100, percent of one GPU"
    if path.rpartition(".")[2] in _SIDES:
        return "one of tflops and compute, not both"
    return "a Kubernetes quantity of 0 or more, such as 20, 1500m or 16Gi"


def _positive(values: Mapping[str, float]) -> dict[str, float]:
    return {name: amount for name, amount in values.items() if amount > 0}


def _in_tflops(values: dict[str, float], peak_tflops: float | None) -> dict[str, float]:
    percent = values.get(COMPUTE_PERCENT.name)
    if percent is None or peak_tflops is None:
        return values
    rest = {name: amount for name, amount in values.items() if name != COMPUTE_PERCENT.name}
    return {TFLOPS.name: percent / 100.0 * peak_tflops, **rest}


def _resources(request: Amounts, limit: Amounts) -> dict[str, dict[str, str]]:
    return {"requests": _quantities(request), "limits": _quantities(limit)}


def _quantities(values: Amounts) -> dict[str, str]:
    """Return quantities by the keys of the API; TFLOPS win over percent, for it takes one."""
    written = {}
    if TFLOPS.name in values:
        written[str(TFLOPS.api_name)] = format_tflops(values[TFLOPS.name])
    elif COMPUTE_PERCENT.name in values:
        percent = ResourceAmounts(compute_percent=Decimal(str(values[COMPUTE_PERCENT.name])))
        written |= percent.to_mapping()
    if VRAM.name in values:
        written[str(VRAM.api_name)] = format_bytes_quantity(values[VRAM.name])
    return written


def _kind(value: object) -> str:
    kinds = {bool: "boolean", int: "number", float: "number", str: "string", list: "list"}
    return "null" if value is None else kinds.get(type(value), "object")
