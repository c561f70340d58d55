"""Kubernetes label selectors, matched against the labels of one object."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

_OPERATORS: Mapping[str, Callable[[str | None, Sequence[str]], bool]] = {
    "In": lambda value, values: value in values,
    "NotIn": lambda value, values: value not in values,
    "Exists": lambda value, _: value is not None,
    "DoesNotExist": lambda value, _: value is None,
}
"""From the label's value (None: absent) and the values of the requirement."""


def matches(selector: Mapping[str, Any] | None, labels: Mapping[str, str]) -> bool:
    """Return whether a LabelSelector selects an object with these labels.

    An empty selector selects everything and an absent one nothing, as everywhere in Kubernetes; an
    operator that does not exist selects nothing either.
    """
    if selector is None:
        return False
    equal = selector.get("matchLabels") or {}
    if any(labels.get(key) != value for key, value in equal.items()):
        return False
    return all(_meets(labels, item) for item in selector.get("matchExpressions") or ())


def _meets(labels: Mapping[str, str], requirement: Mapping[str, Any]) -> bool:
    is_met = _OPERATORS.get(str(requirement.get("operator")))
    if is_met is None:
        return False
    return is_met(labels.get(str(requirement.get("key"))), requirement.get("values") or ())
