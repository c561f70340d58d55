"""The reference pages of the Kubernetes API: annotations and labels, and the kinds."""

from __future__ import annotations

from collections.abc import Iterator

from autoscaler.api.annotations import LABELS, OBJECT_KEYS, SYSTEM_KEYS, USER_KEYS
from autoscaler.api.conditions import StatusCondition
from autoscaler.api.crd import definition
from autoscaler.api.injection import INIT_CONTAINER, PRELOAD, VARIABLES, VOLUMES
from autoscaler.api.kinds import KINDS, CustomKind
from autoscaler.api.names import NATIVE_GPU_RESOURCES, PLACEMENT_GATE, PRIORITY_CLASSES
from autoscaler.api.resources import Amounts
from autoscaler.api.scalars import or_blank
from autoscaler.api.structural import structural
from tests.golden.tables import MADE, table

ANNOTATIONS_INTRODUCTION = (
    "Annotations stand on the pod template, and so do labels; values are texts, so quote numbers "
    "and booleans. What a user may write is in the first table. Any other key of the prefix "
    "`tensor-fusion.ai/` is kept, and answered with a warning that names it.\n"
)
KINDS_INTRODUCTION = (
    "API version `tensor-fusion.ai/v1`; `kubectl explain` shows the same. No field has a default "
    "that the API server writes: what is not set is decided by the next layer, in the order "
    "annotation, profile, quota, pool, built-in default. Quantities and durations may be written "
    "with or without quotes, a duration needs a unit.\n"
)
REFERENCES = {
    "autoScalingConfig": "[Its fields](settings.md)",
    "conditions": "[Their fields](#conditions)",
}
"""Fields that are explained in one place for all kinds."""
AMOUNTS = {"tflops", "vram", "compute"}
PLURALS = {
    "object": "objects",
    "text": "texts",
    "quantity": "quantities",
    "whole number from 0": "whole numbers from 0",
}


def annotations_page() -> str:
    """Return every annotation and label, and what admission adds to a pod."""
    lines = [
        MADE,
        "# Annotations and labels\n",
        ANNOTATIONS_INTRODUCTION,
        "## Annotations that you write\n",
        *table(
            ("annotation", "allowed", "default", "meaning"),
            ((f"`{key.key}`", key.allowed, key.default, key.meaning) for key in USER_KEYS),
        ),
        "## Labels\n",
        *table(
            ("label", "on", "written by", "allowed", "meaning"),
            ((f"`{key.key}`", key.on, key.writer, key.allowed, key.meaning) for key in LABELS),
        ),
        "## Annotations that the system writes on pods\n",
        *table(
            ("annotation", "written by", "meaning"),
            ((f"`{key.key}`", key.writer, key.meaning) for key in SYSTEM_KEYS),
        ),
        "## Annotations of other objects\n",
        *table(
            ("annotation", "on", "written by", "allowed", "meaning"),
            ((f"`{key.key}`", key.on, key.writer, key.allowed, key.meaning) for key in OBJECT_KEYS),
        ),
        "## What admission adds to a pod\n",
        *_injected(),
    ]
    return "\n".join(lines).rstrip() + "\n"


def kinds_page() -> str:
    """Return every field of every kind."""
    lines = [
        MADE,
        "# Kinds\n",
        KINDS_INTRODUCTION,
    ]
    lines += ["## Amounts\n", *_fields("", structural(Amounts))]
    lines += ["## Conditions\n", *_fields("", structural(StatusCondition))]
    specs: dict[str, str] = {}
    for kind in KINDS:
        lines += _kind(kind, specs)
    return "\n".join(lines).rstrip() + "\n"


def _injected() -> Iterator[str]:
    yield (
        f"Init container `{INIT_CONTAINER}`, scheduling gate `{PLACEMENT_GATE}`, the limiter in "
        f"`{PRELOAD}`, and what follows. The resources {_names(NATIVE_GPU_RESOURCES)} are removed "
        "from injected containers. A pod that names no PriorityClass gets "
        + " and ".join(f"`{name}` with QoS {qos}" for qos, name in PRIORITY_CLASSES.items())
        + ", where that class exists.\n"
    )
    yield from table(
        ("volume", "path in the containers", "medium", "size limit", "meaning"),
        (
            (f"`{v.name}`", f"`{v.path}`", v.medium or "disk", v.size_limit, v.meaning)
            for v in VOLUMES
        ),
    )
    yield from table(
        ("environment variable", "from the annotation", "meaning"),
        ((f"`{v.name}`", f"`{v.annotation}`", v.meaning) for v in VARIABLES),
    )


def _kind(kind: CustomKind, specs: dict[str, str]) -> Iterator[str]:
    """Yield a kind's section; ``specs`` are the kinds by their spec's description so far."""
    version = definition(kind)["spec"]["versions"][0]
    schema = version["schema"]["openAPIV3Schema"]
    yield f"## {kind.name}\n"
    yield f"{schema['description']}\n"
    facts = [
        "namespaced" if kind.is_namespaced else "of the whole cluster",
        f"plural {_names((kind.plural,))}",
    ]
    if kind.short_names:
        facts.append(f"short name {_names(kind.short_names)}")
    if kind.is_scalable:
        facts.append("has the scale subresource")
    yield f"{'; '.join(facts).capitalize()}.\n"
    for part in ("spec", "status"):
        fields = schema["properties"].get(part)
        if fields is None:
            continue
        same = specs.setdefault(str(fields["properties"]), kind.name)
        if same != kind.name:
            yield f"`{part}` is that of [{same}](#{same.lower()}).\n"
            continue
        yield from _fields(part, fields)
    wide = [column.name for column in kind.columns if column.is_wide]
    shown = [column.name for column in kind.columns if not column.is_wide]
    more = f"; with `-o wide` also {', '.join(wide)}" if wide else ""
    yield f"`kubectl get {kind.plural}` shows {', '.join(shown)}{more}.\n"
    rules = [found["message"] for found in _rules(schema)]
    if rules:
        yield "Refused by the API server itself:\n"
        yield from (f"- {message}" for message in dict.fromkeys(rules))
        yield ""


def _fields(path: str, schema: dict) -> Iterator[str]:
    yield from table(("field", "value", "meaning"), _rows(path, schema))


def _rows(path: str, schema: dict) -> Iterator[tuple[str, str, str]]:
    for name, field in schema.get("properties", {}).items():
        below = f"{path}.{name}".lstrip(".")
        meaning = field["description"]
        if name in REFERENCES:
            yield f"`{below}`", _value(field), f"{meaning} {REFERENCES[name]}."
            continue
        yield f"`{below}`", _value(field), meaning
        inner = _inner(field)
        if not _is_amounts(inner):
            suffix = "[]" if "items" in field else ".*" if inner is not field else ""
            yield from _rows(f"{below}{suffix}", inner)


def _inner(field: dict) -> dict:
    """Return the schema of a field's entries, or of the field itself."""
    if "items" in field:
        return field["items"]
    entries = field.get("additionalProperties")
    return entries if isinstance(entries, dict) else field


def _is_amounts(field: dict) -> bool:
    return bool(field.get("properties")) and field["properties"].keys() <= AMOUNTS


def _value(field: dict) -> str:
    if "enum" in field:
        return ", ".join(map(str, field["enum"]))
    if "items" in field:
        return f"list of {_plural(field['items'])}"
    if "additionalProperties" in field:
        return f"map of {_plural(field['additionalProperties'])}"
    if _is_amounts(field):
        return f"amounts: {', '.join(field['properties'])}"
    return _scalar(field)


def _scalar(field: dict) -> str:
    if field.get("x-kubernetes-int-or-string"):
        return "duration" if field.get("pattern") == or_blank("duration") else "quantity"
    if field["type"] == "integer":
        return "whole number" + _range(field)
    if field.get("format") == "date-time":
        return "time"
    return {"string": "text", "boolean": "true, false"}.get(field["type"], field["type"])


def _plural(field: dict) -> str:
    value = _value(field)
    return PLURALS.get(value, value)


def _range(field: dict) -> str:
    if "maximum" in field:
        return f" from {field['minimum']} to {field['maximum']}"
    return f" from {field['minimum']}" if "minimum" in field else ""


def _rules(schema: dict) -> Iterator[dict]:
    """Walk the relations between fields; rules of single values are in the table."""
    if not schema.get("x-kubernetes-int-or-string"):
        yield from schema.get("x-kubernetes-validations", ())
    for field in schema.get("properties", {}).values():
        yield from _rules(field)
    inner = _inner(schema)
    if inner is not schema:
        yield from _rules(inner)


def _names(names) -> str:
    return ", ".join(f"`{name}`" for name in names)
