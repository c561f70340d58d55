"""What is asked at admission and what is answered: plain data, independent of HTTP."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from autoscaler.api.object_key import ObjectKey
from recommender.errors import Problem

Object = Mapping[str, Any]
"""A Kubernetes object as JSON says it; never changed."""
Operation = Mapping[str, Any]
"""One operation of a JSON Patch (RFC 6902)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PodRequest:
    """A pod that somebody wants to create."""

    pod: Object
    """As it arrived; its ``metadata.namespace`` may be missing."""
    namespace: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """The answer: a patch, or a refusal."""

    patch: tuple[Operation, ...] = ()
    warnings: tuple[str, ...] = ()
    """Shown to whoever made the request; one thing each, in plain English."""
    error: str = ""
    """Why the pod is refused: every reason, each naming annotation, value and what is allowed."""
    reasons: tuple[str, ...] = ()
    """The same one by one, where there are several; else empty."""
    problems: tuple[Problem, ...] = field(default=(), compare=False)
    """Reasons and warnings with their paths: annotations, or fields of the pod; not cut short."""
    missing: tuple[ObjectKey, ...] = ()
    """Objects that were named and not found; with any of them the answer may change."""
