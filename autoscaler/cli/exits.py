"""Exit codes: "found something", "asked wrongly" and "could not work" differ."""

from __future__ import annotations

from collections.abc import Iterable
from enum import IntEnum

from autoscaler.errors import AutoscalerError, UsageError
from recommender.errors import InvalidValueError, RecommenderError


class ExitCode(IntEnum):
    """What a process says to its caller."""

    OK = 0
    FINDINGS = 1
    """Findings at or above ``--fail-on``."""
    USAGE = 2
    """Arguments or configuration are wrong."""
    CANNOT_WORK = 3
    """Input is unreadable, empty, lacks a column or has no usable sample; nobody answers."""
    PARTIAL = 4
    """Some workloads or queries failed; the result was written and lists them."""
    INTERRUPTED = 130


_ORDER = (
    ExitCode.INTERRUPTED,
    ExitCode.USAGE,
    ExitCode.CANNOT_WORK,
    ExitCode.PARTIAL,
    ExitCode.FINDINGS,
    ExitCode.OK,
)


def strongest(codes: Iterable[ExitCode]) -> ExitCode:
    """Return the code that beats the others: 3 beats 4 beats 1."""
    return min(codes, key=_ORDER.index, default=ExitCode.OK)


def code_of(error: AutoscalerError | RecommenderError) -> ExitCode:
    """Return the code of an error that ends a command."""
    if isinstance(error, UsageError | InvalidValueError):
        return ExitCode.USAGE
    return ExitCode.CANNOT_WORK
