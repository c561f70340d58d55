"""What the models of our kinds have in common: how they are read, written and spelt.

A model keeps everything that it is given, fields that it does not know included, and writes it back
as it was spelt; what is not in the schema is removed by the API server and not here.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from autoscaler.api.names import API_VERSION
from autoscaler.errors import InputError
from recommender.errors import Problem
from recommender.policy.values import shown

_ACRONYMS = {"gpu": "GPU", "qos": "QoS", "uuids": "UUIDs", "url": "URL"}
_SHOWN_CHARS = 80


def camel(name: str) -> str:
    """Return the API's spelling of a field: ``is_local_gpu`` is ``isLocalGPU``."""
    first, *others = name.split("_")
    return first + "".join(_ACRONYMS.get(word, word.capitalize()) for word in others)


class Shape(BaseModel):
    """A part of an object: immutable, and strict about types (``"1"`` is no number)."""

    model_config = ConfigDict(
        alias_generator=camel,
        populate_by_name=True,
        frozen=True,
        strict=True,
        extra="allow",
        use_attribute_docstrings=True,
    )


class OwnerReference(Shape):
    """An object that another one belongs to."""

    api_version: str
    kind: str
    name: str
    uid: str
    controller: bool | None = None
    block_owner_deletion: bool | None = None


class Metadata(Shape):
    """The part of ``metadata`` that the project reads."""

    name: str = ""
    generate_name: str = ""
    namespace: str = ""
    """Empty for kinds without."""
    uid: str = ""
    resource_version: str = ""
    generation: int = 0
    creation_timestamp: str | None = None
    deletion_timestamp: str | None = None
    labels: Mapping[str, str] | None = None
    annotations: Mapping[str, str] | None = None
    owner_references: list[OwnerReference] | None = None


class CustomObject(Shape):
    """An object of one of our kinds."""

    api_version: str = API_VERSION
    """Group and version of the API."""
    kind: str = ""
    """Name of the kind."""
    metadata: Metadata = Metadata()
    """Name, namespace, labels and annotations."""

    @classmethod
    def from_object(cls, obj: Mapping[str, Any]) -> Self:
        """Return a JSON object as this kind.

        Raises ``InputError`` that names the object, and every field with its value and what is
        allowed.
        """
        try:
            return cls.model_validate(obj)
        except ValidationError as error:
            problems = "; ".join(_problem(found) for found in error.errors(include_url=False))
            raise InputError(f"{_name_of(cls.__name__, obj)}: {problems}") from error

    def to_object(self) -> dict[str, Any]:
        """Return it as JSON: what was given, in the API's spelling, and no defaults."""
        return self.model_dump(by_alias=True, exclude_unset=True)


def shape_problems(model: type[Shape], obj: object) -> tuple[Problem, ...]:
    """Return what keeps an object from being of a shape, each with the path of its field."""
    try:
        model.model_validate(obj)
    except ValidationError as error:
        messages: dict[tuple[str, str], list[str]] = {}
        for found in error.errors(include_url=False):
            path, value = _written(obj, found["loc"])
            is_missing = found["type"] == "missing"
            text = "not set" if is_missing else f"{shown(value)!r} is not valid"
            message = "a value is needed" if is_missing else found["msg"]
            messages.setdefault((path, text), []).append(message)
        return tuple(
            Problem(path, f"{text}; allowed: {_allowed(all_of)}")
            for (path, text), all_of in messages.items()
        )
    return ()


def _allowed(messages: list[str]) -> str:
    """Return pydantic's sentences as what is allowed; a union has one of each of its types."""
    prefixes = ("Input should be ", "Value error, allowed: ")
    texts = []
    for message in messages:
        for prefix in prefixes:
            message = message.removeprefix(prefix)  # noqa: PLW2901 - it is the same message
        texts.append(message[:1].lower() + message[1:])
    return " or ".join(dict.fromkeys(texts))


def _written(obj: Any, location: tuple[int | str, ...]) -> tuple[str, Any]:
    """Return the path and the value that a location means; it may end with names of types."""
    path, value = "", obj
    for part in location:
        if isinstance(part, int) and isinstance(value, list) and part < len(value):
            path, value = f"{path}[{part}]", value[part]
        elif isinstance(value, Mapping) and part in value:
            path, value = f"{path}.{part}", value[part]
        elif isinstance(value, Mapping):  # what is missing
            path, value = f"{path}.{part}", None
        else:
            break
    return path.removeprefix("."), value


def _name_of(kind: str, obj: object) -> str:
    metadata = obj.get("metadata") if isinstance(obj, Mapping) else None
    if not isinstance(metadata, Mapping):
        return kind
    name = "/".join(str(metadata[key]) for key in ("namespace", "name") if metadata.get(key))
    return f"{kind} {name}".strip()


def _problem(found: Mapping[str, Any]) -> str:
    path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in found["loc"])
    value = repr(found["input"])
    shown = value if len(value) <= _SHOWN_CHARS else f"{value[:_SHOWN_CHARS]}..."
    return f"{path.lstrip('.')}: {shown} is not valid: {found['msg']}"
