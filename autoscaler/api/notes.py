"""Where readers of what users wrote note what is wrong with it, instead of raising at the first.

Admission refuses a pod for it and the controller shows it in a condition; a reader need not know.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from recommender.policy.values import shown


class Notes(Protocol):
    """Takes notes, in the order in which things are found."""

    def refuse(self, *reasons: str) -> None:
        """Add what cannot be used at all; each names what was written and what is allowed."""
        ...

    def invalid(self, path: str, value: object, allowed: str) -> None:
        """Add a value that cannot be used as a reason."""
        ...

    def warn(self, *warnings: str) -> None:
        """Add what is left out or has no effect."""
        ...


@dataclass(slots=True)
class NotedProblems:
    """The notes of one reading."""

    errors: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def refuse(self, *reasons: str) -> None:
        """Add what cannot be used at all; each names what was written and what is allowed."""
        self.errors.extend(reasons)

    def invalid(self, path: str, value: object, allowed: str) -> None:
        """Add a value that cannot be used as a reason."""
        self.refuse(f"{path}: {shown(value)!r} is not valid; allowed: {allowed}")

    def warn(self, *warnings: str) -> None:
        """Add what is left out or has no effect."""
        self.warnings.extend(warnings)
