"""A pod as its user wrote it: without what only the system writes, and of a sensible size.

Copies, backups and pods that are admitted again carry keys of the system.  They are left out here
and never a reason to refuse the pod; whoever tries to smuggle one in gains nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from autoscaler.api.names import (
    DECLARED,
    ENABLED,
    PREFIX,
    SOURCES,
    SYSTEM_ANNOTATIONS,
    SYSTEM_LABELS,
    USER_ANNOTATIONS,
    WORKER_POD_TEMPLATE,
)
from autoscaler.webhook.admission import Object, PodRequest
from autoscaler.webhook.verdict import Verdict
from recommender.errors import Problem
from recommender.policy.fields import suggestion

MOST_ANNOTATION_BYTES = 256 * 1024
"""Of all annotations together; the API server refuses more."""
LONGEST_VALUE = 1024
LONGEST_TEMPLATE = 4 * 1024
_MOST_NAMED = 10
"""Unknown keys that are named one by one."""
_KNOWN = frozenset((*USER_ANNOTATIONS, *DECLARED, SOURCES))
_SUGGESTED = [key.removeprefix(PREFIX) for key in USER_ANNOTATIONS]


@dataclass(frozen=True, slots=True, kw_only=True)
class Submitted:
    """What a user asks for."""

    pod: Object
    """As it arrived."""
    namespace: str
    annotations: Mapping[str, str]
    """Of our prefix and known, without those of the system."""
    labels: Mapping[str, str]
    """All, without those of the system."""
    stripped: Mapping[str, str]
    """Annotations and labels of the system that the pod carries."""


def is_selected(pod: Object) -> bool:
    """Return whether a pod asks to be admitted by us."""
    return _texts(pod, "labels").get(ENABLED) == "true"


def read_submitted(request: PodRequest, verdict: Verdict) -> Submitted:
    """Return what the user wrote; sizes that cannot be meant are refused."""
    annotations, labels = _texts(request.pod, "annotations"), _texts(request.pod, "labels")
    _check_sizes(annotations, verdict)
    if not verdict.errors:
        _warn_of_unknown(annotations, verdict)
    stripped = {key: annotations[key] for key in SYSTEM_ANNOTATIONS if key in annotations}
    stripped |= {key: labels[key] for key in SYSTEM_LABELS if key in labels}
    return Submitted(
        pod=request.pod,
        namespace=request.namespace,
        annotations=MappingProxyType({k: v for k, v in annotations.items() if k in _KNOWN}),
        labels=MappingProxyType({k: v for k, v in labels.items() if k not in SYSTEM_LABELS}),
        stripped=MappingProxyType(stripped),
    )


def warn_of_stripped(submitted: Submitted, kept: Mapping[str, str], verdict: Verdict) -> None:
    """Warn of system keys that do not come out as they went in.

    ``kept`` is what the admitted pod carries.  A pod that is admitted again brings the very values
    that it gets, and nobody needs to hear of that.
    """
    for key, value in submitted.stripped.items():
        if kept.get(key) != value:
            verdict.warn(
                Problem(key, "only the system writes it; what the pod brought is left out")
            )


def _texts(pod: Object, name: str) -> Mapping[str, str]:
    """Return labels or annotations; a null value counts as an empty text, as in Kubernetes."""
    found: Any = (pod.get("metadata") or {}).get(name)
    if not isinstance(found, Mapping):
        return {}
    return {str(key): "" if value is None else str(value) for key, value in found.items()}


def _check_sizes(annotations: Mapping[str, str], verdict: Verdict) -> None:
    sizes_bytes = {key: len(key.encode()) + len(text.encode()) for key, text in annotations.items()}
    all_bytes = sum(sizes_bytes.values())
    if all_bytes > MOST_ANNOTATION_BYTES:
        largest = max(sizes_bytes, key=lambda key: sizes_bytes[key])
        verdict.refuse(
            Problem(
                "metadata.annotations",
                f"{all_bytes} bytes; allowed: at most {MOST_ANNOTATION_BYTES} "
                f"bytes in all (the largest is {largest[:100]} with {sizes_bytes[largest]} bytes)",
            )
        )
        return
    for key in sorted(_KNOWN & annotations.keys() - {SOURCES}):
        most = LONGEST_TEMPLATE if key == WORKER_POD_TEMPLATE else LONGEST_VALUE
        if len(annotations[key]) > most:
            verdict.refuse(
                Problem(
                    f"annotation {key}",
                    f"{len(annotations[key])} characters; allowed: at most {most}",
                )
            )


def _warn_of_unknown(annotations: Mapping[str, str], verdict: Verdict) -> None:
    unknown = [
        key
        for key in annotations
        if key.startswith(PREFIX) and key not in _KNOWN and key not in SYSTEM_ANNOTATIONS
    ]
    for key in unknown[:_MOST_NAMED]:
        name = key.removeprefix(PREFIX)[:100]
        meant = suggestion(name, _SUGGESTED)
        hint = f"; did you mean {PREFIX}{meant}?" if meant else ""
        verdict.warn(Problem(f"annotation {PREFIX}{name}", f"has no effect{hint}"))
    if len(unknown) > _MOST_NAMED:
        verdict.warn(f"{len(unknown) - _MOST_NAMED} more annotations of {PREFIX} have no effect")
