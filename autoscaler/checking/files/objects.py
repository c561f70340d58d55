"""Objects of our kinds: shape, names that do not exist, and what admission says of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from autoscaler.api.kinds import KINDS
from autoscaler.api.names import API_VERSION, GROUP
from autoscaler.api.shape import CustomObject, shape_problems
from autoscaler.api.structural import Schema, structural
from autoscaler.webhook.snapshot import Snapshot
from autoscaler.webhook.validate_objects import validate_objects
from recommender.errors import Problem
from recommender.policy.fields import suggestion
from recommender.policy.values import shown

MODELS: Mapping[str, type[CustomObject]] = {kind.name: kind.model for kind in KINDS}
_KEPT = "x-kubernetes-preserve-unknown-fields"


def is_ours(obj: Mapping[str, Any]) -> bool:
    """Return whether an object is of our group, or of a kind of ours without a version."""
    version = obj.get("apiVersion")
    if version is None:
        return str(obj.get("kind")) in MODELS
    return str(version).partition("/")[0] == GROUP


def has_shape(obj: Mapping[str, Any]) -> bool:
    """Return whether an object has a name and the shape of its kind, so that others may find it."""
    model = MODELS.get(str(obj.get("kind"))) if is_ours(obj) else None
    if shape_problems(model or CustomObject, obj):
        return False
    return bool((obj.get("metadata") or {}).get("name"))


def object_problems(obj: Mapping[str, Any], snapshot: Snapshot) -> tuple[Problem, ...]:
    """Return what is wrong with an object of our group."""
    problems = list(_identity(obj))
    model = MODELS.get(str(obj.get("kind")))
    if model is None:
        return tuple(problems)
    shape = shape_problems(model, obj)
    problems += shape
    problems += _unknown(obj, _schema(model), "")
    told = {problem.path for problem in problems}
    # Admission reads only what has the shape of its kind.
    noted = () if shape else validate_objects(model.__name__, obj, None, snapshot).problems
    return (*problems, *(problem for problem in noted if problem.path not in told))


def _identity(obj: Mapping[str, Any]) -> Iterator[Problem]:
    version, kind = obj.get("apiVersion"), obj.get("kind")
    if version != API_VERSION:
        yield Problem("apiVersion", f"{shown(version)!r} is not valid; allowed: {API_VERSION}")
    if str(kind) not in MODELS:
        meant = suggestion(str(shown(kind)), list(MODELS))
        hint = f"did you mean {meant}?" if meant else f"known: {', '.join(MODELS)}"
        yield Problem("kind", f"{shown(kind)!r} is no kind of {GROUP}; {hint}")
    metadata = obj.get("metadata")
    names = metadata if isinstance(metadata, Mapping) else {}
    if not names.get("name") and not names.get("generateName"):
        yield Problem("metadata.name", "not set; allowed: the name of the object")


@cache
def _schema(model: type[CustomObject]) -> Schema:
    schema = structural(model)
    # The API server has a schema of its own for metadata, and users write no status.
    schema["properties"] |= {name: {} for name in ("metadata", "status")}
    return schema


def _unknown(value: Any, schema: Schema, path: str) -> Iterator[Problem]:
    """Yield the names that the API server would remove, or refuse."""
    if schema.get(_KEPT):
        return
    if isinstance(value, list) and "items" in schema:
        for index, item in enumerate(value):
            yield from _unknown(item, schema["items"], f"{path}[{index}]")
    known = schema.get("properties")
    if not isinstance(value, Mapping) or known is None:
        return
    for name, part in value.items():
        below = f"{path}.{shown(name)}".removeprefix(".")
        if name in known:
            yield from _unknown(part, known[name], below)
            continue
        meant = suggestion(str(shown(name)), list(known))
        hint = f"did you mean {meant}?" if meant else f"known: {', '.join(sorted(known))}"
        yield Problem(below, f"unknown field; {hint}")
