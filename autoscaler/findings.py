"""What a look at the surroundings found: one finding per check, with what to do next.

``tfa check`` shows findings of several parts, each in a section; how something is looked at stands
beside the part itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

MOST_NAMED = 20
"""Subjects of one finding that are named."""


class Status(StrEnum):
    """How a check ended."""

    OK = "ok"
    WARNING = "warning"
    """It works, with less than could be had."""
    FAILED = "failed"
    """Nothing can be recommended before this is mended."""
    SKIPPED = "skipped"
    """It could not be looked at."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What one check found."""

    check: str
    """Stable name of the check; the documentation has a section of this name."""
    status: Status
    text: str
    """One or two sentences: what was seen."""
    next_step: str = ""
    """What to do about it; empty where there is nothing to do."""
    subjects: tuple[str, ...] = ()
    """What was looked at, such as metrics, where a check looks at several things."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """The findings of one part of the surroundings."""

    name: str
    """For example ``source``."""
    subject: str
    """What was looked at, such as the address of a server; no secret."""
    findings: tuple[Finding, ...]

    @property
    def has_failed(self) -> bool:
        """Whether something failed."""
        return any(finding.status is Status.FAILED for finding in self.findings)


def first_named(names: Sequence[str]) -> tuple[str, ...]:
    """Return at most ``MOST_NAMED`` subjects, and a last one that counts the rest."""
    rest = len(names) - MOST_NAMED
    return (*names[:MOST_NAMED], *([f"and {rest} more"] if rest > 0 else ()))
