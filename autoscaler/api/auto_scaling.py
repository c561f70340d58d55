"""``autoScalingConfig`` in the schemas of our kinds: the recommender's table for the API server.

Every field of both generations stands there under its name and all its aliases, so that nothing
documented is removed on its way.  Models keep the configuration as a mapping: what it means is
said by ``recommender.policy``, which also checks what this schema cannot.

Shares, ratios and multiples may be numbers or texts (0.95, 95%), which only a schema without a type
allows; such a value has a pattern, and is none of the things that are no number or text.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Annotated, Any

from pydantic import WithJsonSchema

from autoscaler.api.resources import Amounts, at_most
from autoscaler.api.scalars import (
    LONGEST_NAME,
    LONGEST_SCALAR,
    QUANTITY_SCHEMA,
    duration_schema,
    or_blank,
    rule,
)
from autoscaler.api.structural import Schema, structural
from recommender.policy.field import Field, Kind
from recommender.policy.fields import FIELD, children_of
from recommender.policy.values import allowed_text, default_text

MOST_ITEMS = 100
"""Entries of one list."""
_LONGEST_URL = 2048
_CURRENT = "autoSetResources"
_FIRST = ("autoSetRequests", "autoSetLimits")
_SELF_EXPLAINING = {Kind.OBJECT, Kind.LIST, Kind.TEXT, Kind.BOOLEAN, Kind.ENUM, Kind.AMOUNTS}


def auto_scaling_schema() -> Schema:
    """Return the structural schema of ``autoScalingConfig``."""
    return {
        "description": "How the workload is sized automatically.",
        **_object(""),
    }


def _object(parent: str) -> Schema:
    names = children_of(parent)
    schema: Schema = {
        "type": "object",
        "properties": {name: _field(name, at) for name, at in names.items()},
    }
    if parent in _RULES:
        schema["x-kubernetes-validations"] = _RULES[parent]
    return schema


def _field(name: str, at: Field) -> Schema:
    return {"description": "", **_value(at)} | {"description": _description(name, at)}


def _description(name: str, at: Field) -> str:
    parts = [f"Older name of {at.name}." if name != at.name else "", at.meaning]
    if at.kind not in _SELF_EXPLAINING and not at.is_ignored:
        parts.append(f"Allowed: {allowed_text(at)}.")
    if default_text(at):
        parts.append(f"Default: {default_text(at)}.")
    return " ".join(filter(None, parts))


def _value(at: Field) -> Schema:
    """Return the schema of a field without its description."""
    return {"x-kubernetes-preserve-unknown-fields": True} if at.is_ignored else _FORMS[at.kind](at)


def _list(at: Field) -> Schema:
    return {
        "type": "array",
        "maxItems": MOST_ITEMS,
        "x-kubernetes-list-type": "atomic",
        "items": _object(f"{at.path}[]"),
    }


def _enum(at: Field) -> Schema:
    # Blank is the same as not set.
    return {"type": "string", "enum": [*at.choices, *(word for word, _ in at.synonyms), ""]}


def _integer(at: Field) -> Schema:
    bounds = {"minimum": at.lowest, "maximum": at.highest}
    return {
        "type": "integer",
        "format": "int32",
        **{key: int(value) for key, value in bounds.items() if value is not None},
    }


def _number_or_text(at: Field) -> Schema:
    return {
        "x-kubernetes-preserve-unknown-fields": True,
        "minimum": 0,
        "pattern": or_blank("bufferRatio" if at.kind is Kind.BUFFER_RATIO else at.kind),
        "maxLength": LONGEST_SCALAR,
        "not": {"enum": [True, False]},
        "maxItems": 0,
        "maxProperties": 0,
    }


_FORMS: Mapping[Kind, Callable[[Field], Schema]] = {
    Kind.OBJECT: lambda at: _object(at.path),
    Kind.LIST: _list,
    Kind.SHARE: _number_or_text,
    Kind.BUFFER_RATIO: _number_or_text,
    Kind.MULTIPLE: _number_or_text,
    Kind.DURATION: lambda at: duration_schema(allowed_text(at)),
    Kind.QUANTITY: lambda _: QUANTITY_SCHEMA,
    Kind.AMOUNTS: lambda _: structural(Amounts),
    Kind.INTEGER: _integer,
    Kind.BOOLEAN: lambda _: {"type": "boolean"},
    Kind.TEXT: lambda _: {"type": "string", "maxLength": LONGEST_NAME},
    Kind.URL: lambda _: {
        "type": "string",
        "maxLength": _LONGEST_URL,
        "pattern": or_blank("url"),
    },
    Kind.ENUM: _enum,
}


def _both_generations(block: str, dimension: str) -> dict[str, str]:
    """Return the rule that two blocks do not size one dimension."""
    at = FIELD[f"{_CURRENT}.targetResource"]
    words = [dimension, *(word for word, meant in at.synonyms if meant == dimension), "all"]
    current, first = f"self.?{_CURRENT}", f"self.?{block}"
    parts = (
        f"{current}.?enable.orValue(false)",
        f"{current}.?targetResource.orValue('') in {words}",
        f"{first}.?enable.orValue(false)",
        f"{first}.?targetResource.orValue('') in {[*words, '']}",
    )
    return rule(
        f"!({' && '.join(parts)})",
        f"autoScalingConfig.{_CURRENT} and autoScalingConfig.{block} both set {dimension}: enable "
        "one of the two, or give them different target resources",
    )


_ALLOWED_BOUNDS = at_most("minAllowed", "maxAllowed", ("tflops", "vram"))
_RULES: Mapping[str, list[dict[str, str]]] = {
    "": [
        _both_generations(block, dimension) for block in _FIRST for dimension in ("compute", "vram")
    ],
    "autoSetRequests": _ALLOWED_BOUNDS,
    "autoSetLimits": _ALLOWED_BOUNDS,
    "autoSetReplicas": [
        rule(
            "!has(self.minReplicas) || !has(self.maxReplicas)"
            " || self.minReplicas <= self.maxReplicas",
            "minReplicas is above maxReplicas",
        )
    ],
}
AutoScalingConfig = Annotated[Mapping[str, Any], WithJsonSchema(auto_scaling_schema())]
"""Both generations of settings, as they were written."""
