"""JSON Schema (draft 2020-12) of ``autoScalingConfig`` and of a workloads file's row.

Generated from the table of fields, for editors and CI.  The schema knows spellings, names and
words; ranges and relations between settings are in the descriptions and are checked by ``parse``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from recommender.policy.field import Field, Kind
from recommender.policy.fields import (
    ANNOTATION_PREFIX,
    FIELDS,
    PROFILE_ANNOTATIONS,
    STATEMENTS,
    Statement,
    children_of,
)
from recommender.policy.values import allowed_text, default_text

if TYPE_CHECKING:
    from collections.abc import Mapping

DRAFT = "https://json-schema.org/draft/2020-12/schema"
Schema = dict[str, object]

_NUMBER = r"[+]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?"
_DURATION = r"([0-9]+\.?[0-9]*|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h|d|w)"
_QUANTITY = r"[+]?([0-9]+\.?[0-9]*|\.[0-9]+)([numkMGTPE]|[KMGTPE]i|[eE][+-]?[0-9]+)?"
_BLANK = r"^\s*$"
_UNSET = {"type": ["string", "null"], "pattern": _BLANK}


def _spelling(pattern: str, *others: Schema) -> Schema:
    text = {"type": "string", "pattern": rf"^\s*{pattern}\s*$"}
    return {"anyOf": [text, *others, _UNSET]}


_PLAIN = {"type": "number", "minimum": 0}
DEFINITIONS: Mapping[str, Schema] = {
    Kind.SHARE: _spelling(rf"{_NUMBER}\s*%?", _PLAIN),
    "bufferRatio": _spelling(rf"{_NUMBER}\s*%?", _PLAIN),
    Kind.MULTIPLE: _spelling(_NUMBER, _PLAIN),
    Kind.DURATION: _spelling(rf"([+]?({_DURATION})+|[+-]?0)", {"const": 0}),
    Kind.QUANTITY: _spelling(rf"{_QUANTITY}", _PLAIN),
    "percent": _spelling(rf"{_QUANTITY}\s*%?", _PLAIN),
    Kind.INTEGER: _spelling(r"[+]?[0-9]+(\.0*)?", {"type": "integer", "minimum": 0}),
    Kind.BOOLEAN: _spelling(r"([Tt][Rr][Uu][Ee]|[Ff][Aa][Ll][Ss][Ee])", {"type": "boolean"}),
    Kind.TEXT: {"type": ["string", "number", "null"]},
    "url": _spelling(r"[Hh][Tt][Tt][Pp][Ss]?://\S+"),
    Kind.AMOUNTS: {
        "type": ["object", "null", "string"],
        "pattern": _BLANK,
        "additionalProperties": False,
        "properties": {
            name: {"$ref": "#/$defs/quantity"} for name in ("tflops", "vram", "compute")
        },
    },
}
_DEFINITION_OF = {Kind.BUFFER_RATIO: "bufferRatio", Kind.URL: "url"}


def auto_scaling_config_schema() -> Schema:
    """Return the JSON Schema of ``autoScalingConfig``, both generations and all aliases."""
    return {
        "$schema": DRAFT,
        "title": "autoScalingConfig",
        "description": "How a workload is sized automatically.",
        **_object(""),
        "$defs": dict(DEFINITIONS),
    }


def workloads_row_schema() -> Schema:
    """Return the JSON Schema of one row of the workloads file."""
    properties: Schema = {
        "namespace": _text("Namespace of the workload."),
        "workload": _text("Name of the workload."),
        "series_id": _text("Name of the recorded series, in place of namespace and workload."),
        "profile": _text("WorkloadProfile, as name or namespace/name."),
        "owner": _text("Kind and name of the owner; a Job's percentiles are over time."),
        "kind": _text("Kind of the owner."),
        "price_per_hour": {
            "$ref": "#/$defs/multiple",
            "description": "Price of one GPU for one hour.",
        },
        "annotations": {
            "type": ["object", "null"],
            "description": "Annotations of the pod template.",
            "properties": _annotations(),
        },
        "autoScalingConfig": _object(""),
    }
    properties |= {s.column: _statement(s) for s in STATEMENTS if s.column}
    return {
        "$schema": DRAFT,
        "title": "row of a workloads file",
        "type": "object",
        "properties": properties,
        "additionalProperties": False,
        "anyOf": [{"required": ["namespace", "workload"]}, {"required": ["series_id"]}],
        "$defs": dict(DEFINITIONS),
    }


def _object(parent: str) -> Schema:
    names = children_of(parent)
    return {
        "type": ["object", "null", "string"],
        "pattern": _BLANK,
        "properties": {name: _field(at, is_alias=name != at.name) for name, at in names.items()},
        "additionalProperties": False,
    }


def _field(at: Field, *, is_alias: bool = False) -> Schema:
    schema = _value(at)
    schema["description"] = _description(at)
    default = default_text(at)
    if default and not at.default_text:
        schema["default"] = default
    if is_alias or at.is_ignored:
        schema["deprecated"] = True
    return schema


def _value(at: Field) -> Schema:
    if at.is_ignored:
        return {}
    if at.kind is Kind.OBJECT:
        return _object(at.path)
    if at.kind is Kind.LIST:
        items = {**_object(f"{at.path}[]"), "type": "object"}
        return {"type": ["array", "null", "string"], "pattern": _BLANK, "items": items}
    if at.kind is Kind.ENUM:
        words = [*at.choices, *(word for word, _ in at.synonyms)]
        insensitive = "|".join(_any_case(word) for word in words)
        return {"anyOf": [{"enum": words}, _spelling(f"({insensitive})")]}
    if at.kind is Kind.QUANTITY and at.unit == "%":
        return {"$ref": "#/$defs/percent"}
    return {"$ref": f"#/$defs/{_DEFINITION_OF.get(at.kind, at.kind.value)}"}


def _description(at: Field) -> str:
    parts = [at.meaning]
    if at.kind not in {Kind.OBJECT, Kind.LIST, Kind.TEXT, Kind.BOOLEAN, Kind.ENUM}:
        parts.append(f"Allowed: {allowed_text(at)}.")
    if default_text(at):
        parts.append(f"Default: {default_text(at)}.")
    return " ".join(parts)


def _any_case(word: str) -> str:
    return "".join(f"[{letter.upper()}{letter}]" for letter in word)


def _text(description: str) -> Schema:
    return {"$ref": "#/$defs/text", "description": description}


def _statement(statement: Statement) -> Schema:
    return _field(statement.as_field)


def _annotations() -> Schema:
    properties = {
        f"{ANNOTATION_PREFIX}{key}": _statement(statement)
        for statement in STATEMENTS
        for key in statement.annotations
    }
    for key in PROFILE_ANNOTATIONS:
        properties[f"{ANNOTATION_PREFIX}{key}"] = _text("WorkloadProfile of the same namespace.")
    return dict(properties)


def field_rows() -> tuple[tuple[Field, str, str], ...]:
    """Return (field, what is allowed, default) of every field, for the reference page."""
    return tuple((at, allowed_text(at), default_text(at)) for at in FIELDS)
