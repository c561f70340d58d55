"""Errors of the library.

RecommenderError
├── InvalidValueError   a user's value; names the field, the value and what is allowed
├── CheckpointError     a checkpoint of another version, or damaged: rebuild the usage model
└── ContractError       a caller broke a contract (shape, dtype, order): a defect, never user input

Problems of a whole configuration are not raised one by one: they are collected as ``Problem``.
"""

from __future__ import annotations

from dataclasses import dataclass


class RecommenderError(Exception):
    """Any error that the library raises on purpose."""


class InvalidValueError(RecommenderError, ValueError):
    """A value that a user wrote cannot be used."""

    def __init__(self, field: str, value: object, allowed: str) -> None:
        self.field, self.value, self.allowed = field, value, allowed
        super().__init__(f"{field}: {value!r} is not valid; allowed: {allowed}")


class CheckpointError(RecommenderError):
    """Bytes that are no usable checkpoint of this version."""


class ContractError(RecommenderError):
    """A caller passed arrays that break a function's contract."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong in a configuration, reported together with all others."""

    path: str
    message: str
    is_warning: bool = False

    def __str__(self) -> str:
        return f"{self.path}: {self.message}"
