"""JSON Schema (draft 2020-12) of a manifest of one of our kinds, for editors and CI.

It says more than the API server's schema may: names that do not exist are refused, and of
``autoScalingConfig`` every spelling is known.  Relations between values are checked by admission.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from autoscaler.api.names import API_VERSION
from autoscaler.api.scalars import or_blank
from autoscaler.api.shape import CustomObject
from autoscaler.api.structural import Schema
from recommender.policy.schema import DRAFT, auto_scaling_config_schema

_CONFIG = "autoScalingConfig"
_INT_OR_STRING = "x-kubernetes-int-or-string"
_METADATA = {
    "description": "Name, namespace, labels and annotations.",
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "namespace": {"type": "string"},
        "labels": {"type": ["object", "null"], "additionalProperties": {"type": "string"}},
        "annotations": {"type": ["object", "null"], "additionalProperties": {"type": "string"}},
    },
}


def manifest_schema(model: type[CustomObject]) -> Schema:
    """Return the schema of a manifest of one kind."""
    schema = _exact(model.model_json_schema(by_alias=True))
    config = auto_scaling_config_schema()
    named: Any = config.pop("$defs")
    del config["$schema"]
    schema["properties"] |= {
        "apiVersion": {"const": API_VERSION, "description": "Group and version of the API."},
        "kind": {"const": model.__name__, "description": f"The kind: {model.__name__}."},
        "metadata": _METADATA,
        "status": {"description": "Written by the system.", "type": ["object", "null"]},
    }
    definitions = _used(schema["properties"], {**schema.pop("$defs"), **named, _CONFIG: config})
    return {
        "$schema": DRAFT,
        "title": model.__name__,
        **schema,
        "required": ["apiVersion", "kind", "metadata"],
        "$defs": dict(sorted(definitions.items())),
    }


def _used(part: object, named: Mapping[str, Any]) -> dict[str, Any]:
    """Return the definitions that a part of a schema refers to, and those that they refer to."""
    used: dict[str, Any] = {}
    waiting = [part]
    while waiting:
        match waiting.pop():
            case {"$ref": str(reference), **others}:
                name = str(reference.rpartition("/")[2])
                if name not in used:
                    used[name] = named[name]
                    waiting.append(named[name])
                waiting += others.values()
            case Mapping() as parts:
                waiting += parts.values()
            case list(parts):
                waiting += parts
    return used


def _exact(schema: Mapping[str, Any]) -> Schema:
    """Return pydantic's schema with what an editor needs and without what only servers read."""
    exact: Schema = {}
    for key, value in schema.items():
        if key in {"title", "default"} or key.startswith("x-kubernetes-"):
            continue
        if key in {"properties", "$defs"}:
            exact[key] = {name: _part(name, part) for name, part in value.items()}
        elif key == "description":
            exact[key] = " ".join(value.replace("``", "").split())
        elif isinstance(value, Mapping):
            exact[key] = _exact(value)
        elif key in {"anyOf", "allOf"}:
            exact[key] = [_exact(part) for part in value]
        else:
            exact[key] = value
    if "properties" in exact:
        exact["additionalProperties"] = False
    if schema.get(_INT_OR_STRING):
        exact.setdefault("pattern", or_blank("quantity"))
    return exact


def _part(name: str, schema: Mapping[str, Any]) -> Schema:
    if name == _CONFIG:
        return {"description": schema["description"], "$ref": f"#/$defs/{_CONFIG}"}
    return _exact(schema)
