"""A model as a structural schema, the form that the API server asks of a kind.

pydantic's JSON schema says more than that form allows: references, null as a type, titles and
defaults.  Defaults are left out on purpose: a default that the server writes into a profile could
not be told from what its owner wrote, and would win over quotas and pools.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

Schema = dict[str, Any]

_REMOVED = ("title", "default", "examples")
_NULL = {"type": "null"}
_FIRST = ("description", "type")
"""Keys that a reader wants to see first."""


def structural(model: type[BaseModel]) -> Schema:
    """Return the schema of a model, fields in the API's spelling."""
    schema = model.model_json_schema(by_alias=True)
    return _converted(schema, schema.get("$defs", {}))


def _converted(schema: Mapping[str, Any], named: Mapping[str, Any]) -> Schema:
    flat = _without_references(schema, named)
    result: Schema = {key: value for key, value in flat.items() if key not in {*_REMOVED, "$defs"}}
    if "description" in result:
        result["description"] = _one_line(result["description"])
    if "const" in result:
        result["enum"] = [result.pop("const")]
    if "properties" in result:
        # Unknown fields are removed by the server, whatever a model keeps.
        result.pop("additionalProperties", None)
        result["properties"] = {
            name: _converted(value, named) for name, value in result["properties"].items()
        }
    elif isinstance(result.get("additionalProperties"), Mapping):
        result["additionalProperties"] = _converted(result["additionalProperties"], named)
    if isinstance(result.get("items"), Mapping):
        result["items"] = _converted(result["items"], named)
    return {key: result[key] for key in (*_FIRST, *result) if key in result}


def _without_references(schema: Mapping[str, Any], named: Mapping[str, Any]) -> Schema:
    """Resolve a reference and an optional value; what stands beside them wins."""
    flat = dict(schema)
    if "$ref" in flat:
        target = named[flat.pop("$ref").rpartition("/")[2]]
        return _without_references({**target, **flat}, named)
    options = flat.get("anyOf", ())
    if _NULL in options:
        (option,) = (option for option in options if option != _NULL)
        del flat["anyOf"]
        return _without_references({**option, **flat}, named)
    return flat


def _one_line(text: str) -> str:
    return " ".join(text.replace("``", "").split())
