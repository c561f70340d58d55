"""Conditions in status, with their writers kept apart: the list is a map by ``type``."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from autoscaler.api.scalars import Number, Time
from autoscaler.api.shape import Shape


class StatusCondition(Shape):
    """One observation of an object's state; the types are in ``names.Condition``."""

    type: Annotated[str, Field(min_length=1, max_length=316)]
    """Name of the condition, in CamelCase."""
    status: Literal["True", "False", "Unknown"]
    """Whether it holds."""
    reason: Annotated[
        str,
        Field(min_length=1, max_length=1024, pattern=r"^[A-Za-z]([A-Za-z0-9_,:]*[A-Za-z0-9_])?$"),
    ]
    """Why, as one word in CamelCase."""
    message: Annotated[str, Field(max_length=32768)]
    """Why, for people."""
    last_transition_time: Time
    """When the status last changed."""
    observed_generation: Number | None = None
    """``metadata.generation`` that it is about."""


Conditions = Annotated[
    list[StatusCondition],
    Field(
        json_schema_extra={
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["type"],
        }
    ),
]
