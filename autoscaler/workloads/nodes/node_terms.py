"""Node selector terms, of required node affinities and of volumes, as the scheduler matches them.

Selectors of pods by their labels have other operators (``api/label_selector``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from autoscaler.kube.store import Object

Terms = Sequence[Mapping[str, Any]]
"""``nodeSelectorTerms``: a node must match one of them."""
_NAME_FIELD = "metadata.name"
_INTEGER = re.compile(r"[+-]?[0-9]{1,19}")
_LARGEST = 2**63 - 1


def matches_any(terms: Terms, node: Object) -> bool:
    """Return whether a node matches one of the terms; there is none that matches without terms."""
    return any(_matches_term(term, node) for term in terms)


def integer_of(text: str) -> int | None:
    """Return the number that a text stands for; None where it is no integer of 64 bits."""
    if _INTEGER.fullmatch(text) is None:
        return None
    number = int(text)
    return number if -_LARGEST - 1 <= number <= _LARGEST else None


def _matches_term(term: Mapping[str, Any], node: Object) -> bool:
    expressions, fields = term.get("matchExpressions") or (), term.get("matchFields") or ()
    if not expressions and not fields:
        return False  # an empty term matches no node
    labels = node["metadata"].get("labels") or {}
    own_fields = {_NAME_FIELD: node["metadata"]["name"]}
    return all(_holds(requirement, labels) for requirement in expressions) and all(
        _holds(requirement, own_fields) for requirement in fields
    )


def _holds(requirement: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    value = labels.get(requirement["key"])
    values = requirement.get("values") or ()
    match requirement["operator"]:
        case "In":
            return value is not None and value in values
        case "NotIn":
            return value is None or value not in values
        case "Exists":
            return value is not None
        case "DoesNotExist":
            return value is None
        case "Gt" | "Lt" as operator:
            return _compares(operator, value, values)
        case _:
            return False  # an operator of a later Kubernetes: what it asks for is not known


def _compares(operator: str, value: str | None, values: Sequence[str]) -> bool:
    own = None if value is None else integer_of(value)
    other = integer_of(values[0]) if len(values) == 1 else None
    if own is None or other is None:
        return False
    return own > other if operator == "Gt" else own < other
