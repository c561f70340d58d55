"""The reference page of the JSON API, made from its description in OpenAPI."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from autoscaler.scaling.page.openapi import description
from tests.golden.tables import MADE, table

INTRODUCTION = (
    "[The review page and the JSON API](../page-and-api.md) tells how to reach it, who may read it "
    "and how new answers are. The same as a document is served as `/openapi.json`, and shipped as "
    "`deploy/schema/openapi-v1.json`. A field without a meaning here means what its name says; "
    "names end in their unit.\n"
)
SUCCESS = "200"


def api_page() -> str:
    """Return every path with parameters and answers, and every type with its fields."""
    api = description()
    info = api["info"]
    lines = [
        MADE,
        "# JSON API\n",
        f"Version {info['version']}. {info['description']}\n",
        INTRODUCTION,
    ]
    for path, operations in api["paths"].items():
        lines += _operation(path, operations["get"], api)
    lines.append("# Types\n")
    for name, schema in api["components"]["schemas"].items():
        lines += [f"## {name}\n", f"{schema['description']}\n", *_fields(schema)]
    return "\n".join(lines).rstrip() + "\n"


def _operation(path: str, operation: dict[str, Any], api: dict[str, Any]) -> Iterator[str]:
    yield f"## `GET {path}`\n"
    yield f"{operation['summary']}\n"
    if operation["parameters"]:
        rows = [
            (f"`{each['name']}`", each["in"], _type(each["schema"]), each["description"])
            for each in operation["parameters"]
        ]
        yield from table(("parameter", "in", "type", "meaning"), rows)
    yield from table(("status", "answer"), _answers(operation["responses"], api))


def _answers(responses: dict[str, Any], api: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for status, response in responses.items():
        if status == SUCCESS:
            for media, content in response["content"].items():
                yield status, f"`{media}`: {_type(content['schema'])}"
            continue
        named = response.get("$ref", "").rpartition("/")[2]
        stated = api["components"]["responses"][named] if named else response
        types = [_type(each["schema"]) for each in stated.get("content", {}).values()]
        yield status, " ".join([stated["description"], *types])


def _fields(schema: dict[str, Any]) -> Iterator[str]:
    required = set(schema["required"])
    rows = (
        (
            f"`{name}`" + ("" if name in required else " (may be absent)"),
            _type(part),
            _meaning(part),
        )
        for name, part in schema["properties"].items()
    )
    return table(("field", "type", "meaning"), rows)


def _meaning(part: dict[str, Any]) -> str:
    meaning: str = part.get("description", "")
    return meaning


def _type(schema: dict[str, Any]) -> str:
    """Return the type in words, with a link where it is one of the page."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "anyOf" in schema:
        return " or ".join(map(_type, schema["anyOf"]))
    if "const" in schema:
        return f"`{schema['const']}`"
    if "enum" in schema:
        return "one of " + ", ".join(f"`{word}`" for word in schema["enum"]) + _bounds(schema)
    return _of_parts(schema) + _bounds(schema)


def _of_parts(schema: dict[str, Any]) -> str:
    kind = schema.get("type")
    if kind == "array":
        return f"list of {_type(schema['items'])}"
    if kind == "object" and "additionalProperties" in schema:
        values = schema["additionalProperties"]
        return f"{_type({} if values is True else values)} by name"
    return {"string": "text", None: "any value"}.get(kind, str(kind))


def _bounds(schema: dict[str, Any]) -> str:
    said = [f"from {schema['minimum']} to {schema['maximum']}"] if "minimum" in schema else []
    said += [f"{schema['default']} unless given"] if "default" in schema else []
    return f" ({', '.join(said)})" if said else ""
