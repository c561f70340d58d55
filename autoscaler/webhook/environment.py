"""The environment of injected containers: downward API, and the preloaded library.

Ours stands first, because ``$(NAME)`` in an entry sees only what is before it.  What an image or a
ConfigMap (``envFrom``) sets cannot be seen at admission; an entry of the pod overrides it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from autoscaler.api.injection import LIBRARY, PRELOAD, VARIABLES
from autoscaler.webhook.named_items import with_ours

Entry = dict[str, Any]
_PRELOAD_SEPARATOR = re.compile(r"[:\s]+")  # as the dynamic loader splits it


@dataclass(frozen=True, slots=True)
class FieldRef:
    """A value that the downward API fills in when the container starts."""

    path: str
    """Such as ``metadata.name``."""


def annotation_ref(key: str) -> FieldRef:
    """Return a reference to an annotation of the pod; empty where the pod has none such."""
    return FieldRef(f"metadata.annotations['{key}']")


LIMITER_ENVIRONMENT: Mapping[str, FieldRef] = MappingProxyType(
    {variable.name: annotation_ref(variable.annotation) for variable in VARIABLES}
)


def with_environment(entries: Sequence[Entry], values: Mapping[str, str | FieldRef]) -> list[Entry]:
    """Return the entries with ``values``, first unless an earlier admission put them elsewhere.

    Older entries of the same names go.
    """
    return with_ours(entries, [_entry(*item) for item in values.items()], is_first=True)


def with_preload(entries: Sequence[Entry]) -> list[Entry]:
    """Return the entries with our library at the end of what is preloaded, once.

    An entry that takes its value from elsewhere is left alone (``preload_entry``).
    """
    entry = preload_entry(entries)
    if entry is None:
        return [_entry(PRELOAD, LIBRARY), *entries]
    value = str(entry.get("value") or "")
    if "valueFrom" in entry or LIBRARY in _PRELOAD_SEPARATOR.split(value):
        return list(entries)
    appended = {"name": PRELOAD, "value": f"{value}:{LIBRARY}" if value else LIBRARY}
    return [appended if other is entry else other for other in entries]


def preload_entry(entries: Sequence[Entry]) -> Entry | None:
    """Return the entry of ``LD_PRELOAD`` that counts: the last one, as in Kubernetes."""
    return next((entry for entry in reversed(entries) if entry.get("name") == PRELOAD), None)


def _entry(name: str, value: str | FieldRef) -> Entry:
    if isinstance(value, FieldRef):
        reference = {"apiVersion": "v1", "fieldPath": value.path}
        return {"name": name, "valueFrom": {"fieldRef": reference}}
    return {"name": name, "value": value}
