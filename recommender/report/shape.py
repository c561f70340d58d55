"""Frozen dataclasses from JSON, and their JSON Schema, both read from the same type hints.

So the shipped schema, the reader and the classes cannot drift apart.  Understood are the types
that the report model uses: dataclasses, ``str``, ``bool``, ``int``, ``float``, ``StrEnum``, tuples
of one type, mappings from text, unions, None and ``object`` (any JSON value).  A field with a
default may be absent, an unknown field is an error.  Letters that command a terminal are replaced,
because whoever wrote a file or answers at an address need not be a friend.
"""

from __future__ import annotations

import re
import types
from collections.abc import Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from enum import StrEnum
from functools import cache
from typing import Any, Union, get_args, get_origin, get_type_hints

from recommender.errors import InvalidValueError
from recommender.report.field_meanings import field_meanings

_COMMANDS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""Control characters but tab and line end, and letters that turn the direction of a line."""
_SCALARS: dict[object, tuple[str, tuple[type, ...]]] = {
    str: ("string", (str,)),
    bool: ("boolean", (bool,)),
    int: ("integer", (int,)),
    float: ("number", (int, float)),
    types.NoneType: ("null", (types.NoneType,)),
}


def decode(kind: Any, value: object, path: str = "report") -> Any:
    """Return ``value`` as an instance of ``kind``.

    Raises ``InvalidValueError`` that names the path, the value and what is allowed.
    """
    if kind in {object, Any}:
        return value
    if kind in _SCALARS:
        return _scalar(kind, value, path)
    reader = _READERS.get(get_origin(kind))
    if reader is not None:
        return reader(get_args(kind), value, path)
    return _word(kind, value, path) if _is_enum(kind) else _record(kind, value, path)


def schema_of(kind: Any, definitions: dict[str, object]) -> dict[str, object]:
    """Return the JSON Schema of ``kind``; dataclasses are collected in ``definitions``."""
    if kind in {object, Any}:
        return {}
    if kind in _SCALARS:
        return {"type": _SCALARS[kind][0]}
    writer = _WRITERS.get(get_origin(kind))
    if writer is not None:
        return writer(get_args(kind), definitions)
    if _is_enum(kind):
        return {"type": "string", "enum": [str(member) for member in kind]}
    if kind.__name__ not in definitions:
        definitions[kind.__name__] = {}
        definitions[kind.__name__] = _record_schema(kind, definitions)
    return {"$ref": f"#/$defs/{kind.__name__}"}


def _record_schema(kind: Any, definitions: dict[str, object]) -> dict[str, object]:
    parts = _fields(kind)
    return {
        "type": "object",
        "description": _of_json(" ".join((kind.__doc__ or "").split())),
        "properties": {
            name: schema_of(hint, definitions) | _described(kind, name)
            for name, (_, hint) in parts.items()
        },
        "required": [name for name, (part, _) in parts.items() if _is_required(part)],
        "additionalProperties": False,
    }


def _described(kind: Any, name: str) -> dict[str, object]:
    meaning = field_meanings(kind).get(name)
    return {} if meaning is None else {"description": _of_json(meaning)}


def _of_json(text: str) -> str:
    """Return a text of the code in the words of JSON."""
    return re.sub(r"\bNone\b", "null", text).replace("``", "`")


def _record(kind: Any, value: object, path: str) -> Any:
    if not isinstance(value, dict):
        raise InvalidValueError(path, value, "an object")
    parts = _fields(kind)
    decoded = {}
    for name, part in value.items():
        if name not in parts:
            raise InvalidValueError(f"{path}.{name}", part, "one of " + ", ".join(parts))
        decoded[name] = decode(parts[name][1], part, f"{path}.{name}")
    for name, (part, _) in parts.items():
        if name not in decoded and _is_required(part):
            raise InvalidValueError(f"{path}.{name}", None, "a value, it is required")
    return kind(**decoded)


def _scalar(kind: Any, value: object, path: str) -> object:
    name, accepted = _SCALARS[kind]
    if not isinstance(value, accepted) or (isinstance(value, bool) and kind is not bool):
        raise InvalidValueError(path, value, f"a JSON {name}")
    if isinstance(value, str):
        return _harmless(value)
    return float(value) if kind is float else value  # type: ignore[arg-type]


def _one_of(kinds: tuple[Any, ...], value: object, path: str) -> object:
    """Try the alternatives in order; dataclasses first need all keys of the value."""
    if value is None and types.NoneType in kinds:
        return None
    named = [kind for kind in kinds if kind is not types.NoneType]
    for kind in named[:-1]:
        if is_dataclass(kind) and isinstance(value, dict) and not value.keys() <= _names(kind):
            continue
        try:
            return decode(kind, value, path)
        except InvalidValueError:
            continue
    return decode(named[-1], value, path)


def _tuple(kinds: tuple[Any, ...], value: object, path: str) -> tuple[object, ...]:
    if not isinstance(value, list):
        raise InvalidValueError(path, value, "a list")
    return tuple(decode(kinds[0], part, f"{path}[{i}]") for i, part in enumerate(value))


def _mapping(kinds: tuple[Any, ...], value: object, path: str) -> dict[str, object]:
    if not isinstance(value, dict):
        raise InvalidValueError(path, value, "an object")
    return {_harmless(key): decode(kinds[1], part, f"{path}.{key}") for key, part in value.items()}


def _harmless(text: str) -> str:
    return _COMMANDS.sub("\ufffd", text)


def _word(kind: Any, value: object, path: str) -> object:
    if value not in list(kind):
        raise InvalidValueError(path, value, "one of " + ", ".join(kind))
    return kind(value)


def _union_schema(kinds: tuple[Any, ...], definitions: dict[str, object]) -> dict[str, object]:
    return {"anyOf": [schema_of(kind, definitions) for kind in kinds]}


def _tuple_schema(kinds: tuple[Any, ...], definitions: dict[str, object]) -> dict[str, object]:
    return {"type": "array", "items": schema_of(kinds[0], definitions)}


def _mapping_schema(kinds: tuple[Any, ...], definitions: dict[str, object]) -> dict[str, object]:
    return {"type": "object", "additionalProperties": schema_of(kinds[1], definitions) or True}


def _names(kind: Any) -> set[str]:
    return set(_fields(kind))


def _is_enum(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, StrEnum)


@cache
def _fields(kind: Any) -> dict[str, tuple[Field[Any], Any]]:
    hints = get_type_hints(kind)
    return {part.name: (part, hints[part.name]) for part in fields(kind)}


def _is_required(part: Field[Any]) -> bool:
    return part.default is MISSING and part.default_factory is MISSING


_READERS = {Union: _one_of, types.UnionType: _one_of, tuple: _tuple, Mapping: _mapping}
_WRITERS = {
    Union: _union_schema,
    types.UnionType: _union_schema,
    tuple: _tuple_schema,
    Mapping: _mapping_schema,
}
