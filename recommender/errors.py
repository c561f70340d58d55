"""Errors of the library.

RecommenderError
├── InvalidValueError   a user's value; names the field, the value and what is allowed
├── CheckpointError     a checkpoint of another version, or damaged: rebuild the usage model
├── EngineError         a cluster does not answer, or failed while it worked on a back-test
│                       (``backtest.engine``)
└── ContractError       a caller broke a contract (shape, dtype, order): a defect, never user input

Problems of a whole configuration are not raised one by one: they are collected as ``Problem``.
"""

from __future__ import annotations

from dataclasses import dataclass

LONGEST_SHOWN = 80


class RecommenderError(Exception):
    """Any error that the library raises on purpose."""


class InvalidValueError(RecommenderError, ValueError):
    """A value that a user wrote cannot be used."""

    def __init__(self, field: str, value: object, allowed: str) -> None:
        self.field, self.value, self.allowed = field, value, allowed
        super().__init__(f"{field}: {_shown(value)} is not valid; allowed: {allowed}")


def _shown(value: object) -> str:
    """Return a value for a message; a huge one is cut, and never fails to be shown."""
    try:
        text = repr(value)
    except ValueError:  # an int of more digits than Python converts
        return f"a {type(value).__name__} of too many digits"
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}..."


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
    consequence: str = ""
    """What counts until it is corrected, for callers that go on in spite of it."""

    def __str__(self) -> str:
        consequence = f"; {self.consequence}" if self.consequence else ""
        return f"{self.refusal}{consequence}"

    @property
    def refusal(self) -> str:
        """Its text for callers that end because of it: nothing counts in its place."""
        return f"{self.path}: {self.message}"
