"""The description of the JSON API in OpenAPI 3.1, made from the routes and the types they answer.

It says nothing of one installation: whether a token is needed is stated as a possibility.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import orjson

from autoscaler.scaling.page.answers import DECISIONS_SCHEMA, WORKLOAD_SCHEMA, Problem
from autoscaler.scaling.page.formats import JSON_TYPE
from autoscaler.scaling.page.parameters import Parameter
from autoscaler.scaling.page.routes import ROUTES, Route
from recommender.report.model import SCHEMA
from recommender.report.shape import schema_of

API_VERSION = "1.0.0"
"""Fields may come under the same first number; none goes, and none changes its meaning."""
_SCHEMAS = {
    "Report": SCHEMA,
    "WorkloadAnswer": WORKLOAD_SCHEMA,
    "DecisionsAnswer": DECISIONS_SCHEMA,
}
"""Types that say their version in a field ``schema``."""
_DEFINITIONS, _COMPONENTS = "#/$defs/", "#/components/schemas/"


def description() -> dict[str, Any]:
    """Return the description as a document."""
    components: dict[str, object] = {}
    paths = {route.path: {"get": _operation(route, components)} for route in ROUTES}
    schema_of(Problem, components)
    for name, schema in _SCHEMAS.items():
        definition: Any = components[name]
        definition["properties"]["schema"] = {"const": schema}
        definition["required"] = ["schema", *definition["required"]]
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "TensorFusion Autoscaler",
            "version": API_VERSION,
            "description": (
                "What the autoscaler recommends, decides and has changed. Read only. Amounts are "
                "per worker and GPU device in base units (TFLOPS, percent, bytes), times are UTC "
                "seconds, what is not known is null or absent. Readers must ignore fields that "
                "they do not know."
            ),
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "security": [{}, {"bearer": []}, {"basic": []}],
        "paths": paths,
        "components": {
            "schemas": {name: _open(components[name]) for name in sorted(components)},
            "responses": _problems(),
            "securitySchemes": {
                "bearer": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "The token of --page-token-file, where one is set.",
                },
                "basic": {
                    "type": "http",
                    "scheme": "basic",
                    "description": "For browsers: the same token as password of any user.",
                },
            },
        },
    }


def render_description() -> str:
    """Return the description as it is served and shipped."""
    return orjson.dumps(description(), option=orjson.OPT_INDENT_2).decode() + "\n"


def _operation(route: Route, components: dict[str, object]) -> dict[str, Any]:
    content = {
        media: {"schema": _schema(kind, media, components)} for media, kind in route.answers.items()
    }
    return {
        "operationId": route.name,
        "summary": route.summary,
        "parameters": [_parameter(parameter) for parameter in route.parameters],
        "responses": {
            "200": {
                "description": "The answer.",
                "headers": {"ETag": {"schema": {"type": "string"}}},
                "content": content,
            },
            "304": {"description": "What If-None-Match names is the newest."},
            **{status: {"$ref": f"#/components/responses/{name}"} for status, name in _bad(route)},
        },
    }


def _schema(kind: type | None, media: str, components: dict[str, object]) -> Any:
    if kind is None:
        return {"type": "object"} if media == JSON_TYPE else {"type": "string"}
    return _open(schema_of(kind, components))


def _parameter(parameter: Parameter) -> dict[str, Any]:
    schema = dict(parameter.schema)
    if parameter.is_repeatable:
        schema = {"type": "array", "items": schema}
    return {
        "name": parameter.name,
        "in": "path" if parameter.is_in_path else "query",
        "required": parameter.is_in_path,
        "description": parameter.meaning,
        "schema": schema,
        **({"style": "form", "explode": True} if parameter.is_repeatable else {}),
    }


def _bad(route: Route) -> Iterator[tuple[str, str]]:
    if route.parameters:
        yield "400", "BadRequest"
    yield "401", "Unauthorized"
    if route.may_be_missing:
        yield "404", "NotFound"
    yield "503", "Unavailable"


def _problems() -> dict[str, Any]:
    content = {JSON_TYPE: {"schema": {"$ref": f"{_COMPONENTS}Problem"}}}
    retry = {"Retry-After": {"schema": {"type": "integer"}, "description": "Seconds to wait."}}
    return {
        "BadRequest": {
            "description": "A parameter is wrong; the error says what is allowed.",
            "content": content,
        },
        "Unauthorized": {
            "description": "A token is needed, and none or another one was given.",
            "headers": {"WWW-Authenticate": {"schema": {"type": "string"}}},
            "content": content,
        },
        "NotFound": {"description": "Nothing has that name.", "content": content},
        "Unavailable": {
            "description": "There is nothing to tell yet, or this process is a standby: ask again "
            "on a new connection, which may reach another process. The page answers in HTML.",
            "headers": retry,
            "content": content,
        },
    }


def _open(schema: Any) -> Any:
    """Return a schema of this document, whose objects may grow fields."""
    if isinstance(schema, list):
        return [_open(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {
        key: value
        for key, value in schema.items()
        if not (key == "additionalProperties" and value is False)
    }
    if isinstance(kept.get("$ref"), str):
        kept["$ref"] = kept["$ref"].replace(_DEFINITIONS, _COMPONENTS)
    return {key: _open(value) for key, value in kept.items()}
