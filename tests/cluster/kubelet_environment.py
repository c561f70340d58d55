"""The environment of a container, as the kubelet makes it at each start.

Pure but for the reading of ConfigMaps and Secrets, which a caller hands in.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

Object = Mapping[str, Any]
Values = Callable[[str, str], Mapping[str, str] | None]
"""Kind (``ConfigMap`` or ``Secret``) and name to the decoded data; None where there is none."""

REFERENCE = re.compile(r"\$(?:\$|\(([^)]*)\))")
SUBSCRIPT = re.compile(r"metadata\.(annotations|labels)\['([^']+)'\]")
FIELDS: dict[str, tuple[str, ...]] = {
    "metadata.name": ("metadata", "name"),
    "metadata.namespace": ("metadata", "namespace"),
    "metadata.uid": ("metadata", "uid"),
    "spec.nodeName": ("spec", "nodeName"),
    "spec.serviceAccountName": ("spec", "serviceAccountName"),
    "status.hostIP": ("status", "hostIP"),
    "status.podIP": ("status", "podIP"),
}
"""Path of a ``fieldRef`` to the keys in the pod."""


class CannotStartError(Exception):
    """A container cannot be started; the status of the pod shows the reason and the text."""

    def __init__(self, text: str, *, reason: str = "CreateContainerConfigError") -> None:
        super().__init__(text)
        self.reason = reason


def environment(container: Object, pod: Object, values: Values) -> dict[str, str]:
    """Return the environment of a container of a pod as it is now.

    ``env`` wins over ``envFrom``, and later entries over earlier ones; a reference sees what stands
    before it.  Raises ``CannotStartError``.
    """
    made: dict[str, str] = {}
    for source in container.get("envFrom", ()):
        made |= _all_values(source, values)
    for entry in container.get("env", ()):
        if entry.get("value"):
            made[entry["name"]] = expand(entry["value"], made)
        elif (given := _referred(entry, pod, values)) is not None:
            made[entry["name"]] = given
    return made


def expand(text: str, variables: Mapping[str, str]) -> str:
    """Replace each ``$(NAME)`` that is known and each ``$$`` by ``$``; the rest stays."""

    def replacement(match: re.Match[str]) -> str:
        name = match[1]
        return "$" if name is None else variables.get(name, match[0])

    return REFERENCE.sub(replacement, text)


def field(pod: Object, path: str) -> str:
    """Return what a ``fieldRef`` names; an absent label or annotation is an empty text.

    Raises ``CannotStartError``.
    """
    subscript = SUBSCRIPT.fullmatch(path)
    if subscript is not None:
        return str(pod["metadata"].get(subscript[1], {}).get(subscript[2], ""))
    if path not in FIELDS:
        allowed = ", ".join((*FIELDS, "metadata.annotations['KEY']", "metadata.labels['KEY']"))
        raise CannotStartError(f"fieldRef {path!r} is not supported; allowed: {allowed}")
    value: Any = pod
    for key in FIELDS[path]:
        value = value.get(key, {})
    return str(value or "")


def _referred(entry: Object, pod: Object, values: Values) -> str | None:
    """Return the value of an entry without a literal one; None where an optional one is absent."""
    source = entry.get("valueFrom")
    if source is None:
        return ""
    (form, reference), *_ = source.items()
    if form == "fieldRef":
        return field(pod, reference["fieldPath"])
    kinds = {"configMapKeyRef": "ConfigMap", "secretKeyRef": "Secret"}
    if form not in kinds:
        allowed = ", ".join(("fieldRef", *kinds))
        raise CannotStartError(
            f"variable {entry['name']}: {form} is not supported by this kubelet; allowed: {allowed}"
        )
    kind, name, key = kinds[form], reference["name"], reference["key"]
    given = (values(kind, name) or {}).get(key)
    if given is None and not reference.get("optional"):
        raise CannotStartError(f"variable {entry['name']}: no key {key} in {kind} {name}")
    return given


def _all_values(source: Object, values: Values) -> dict[str, str]:
    kind = "ConfigMap" if "configMapRef" in source else "Secret"
    reference = source["configMapRef" if kind == "ConfigMap" else "secretRef"]
    given = values(kind, reference["name"])
    if given is None and not reference.get("optional"):
        raise CannotStartError(f"there is no {kind} {reference['name']}")
    prefix = source.get("prefix", "")
    return {f"{prefix}{key}": value for key, value in (given or {}).items()}
