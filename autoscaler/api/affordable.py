"""What CEL may cost: rules that read numbers or texts, only where an object has few of them.

The API server estimates the cost of every rule when a definition is applied, and refuses one whose
rules could cost too much.  Kubernetes 1.33 takes a value that may be a number or a text for as long
as a whole request, so that rules that read it are affordable for single fields of ``spec``, and not
in lists and maps.  There, and in ``status``, whose writers are the project's own programs, patterns
and bounds check such values; relations between them are left to whoever reads the object.
"""

from __future__ import annotations

from autoscaler.api.scalars import QUANTITY_PATTERN
from autoscaler.api.structural import Schema

_RULES = "x-kubernetes-validations"
_REPEATED = ("items", "additionalProperties")


def affordable(schema: Schema) -> Schema:
    """Return the schema of a kind, with costly rules for single fields of ``spec`` alone."""
    properties = {
        name: _without_costly_rules(field) if name == "status" else _single(field)
        for name, field in schema["properties"].items()
    }
    return {**schema, "properties": properties}


def costly_rules(schema: Schema) -> list[dict[str, str]]:
    """Return the rules of a schema that read a value that may be a number or a text."""
    rules: list[dict[str, str]] = schema.get(_RULES, [])
    if schema.get("x-kubernetes-int-or-string"):
        return rules
    return [rule for rule in rules if "quantity(string(" in rule["rule"]]


def _single(schema: Schema) -> Schema:
    """Leave single fields as they are, and go into lists and maps."""
    result = dict(schema)
    for key in _REPEATED:
        if isinstance(schema.get(key), dict):
            result[key] = _without_costly_rules(schema[key])
    if "properties" in schema:
        result["properties"] = {
            name: _single(field) for name, field in schema["properties"].items()
        }
    return result


def _without_costly_rules(schema: Schema) -> Schema:
    result = dict(schema)
    costly = costly_rules(schema)
    kept = [rule for rule in result.pop(_RULES, []) if rule not in costly]
    if kept:
        result[_RULES] = kept
    if schema.get("x-kubernetes-int-or-string"):
        # A duration has a pattern already; as a number it can only be zero.
        is_duration = "pattern" in schema
        result |= {"maximum": 0} if is_duration else {"pattern": QUANTITY_PATTERN}
        result["minimum"] = 0
    for key in _REPEATED:
        if isinstance(schema.get(key), dict):
            result[key] = _without_costly_rules(schema[key])
    if "properties" in schema:
        result["properties"] = {
            name: _without_costly_rules(field) for name, field in schema["properties"].items()
        }
    return result
