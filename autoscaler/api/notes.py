"""Where readers of what users wrote note what is wrong with it, instead of raising at the first.

Admission refuses a pod for it and the controller shows it in a condition; a reader need not know.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from recommender.errors import Problem
from recommender.policy.values import shown

Note = Problem | str
"""With the path of what it is about; a text alone where it is about the whole."""


class Notes(Protocol):
    """Takes notes, in the order in which things are found."""

    def refuse(self, *reasons: Note) -> None:
        """Add what cannot be used at all; each names what was written and what is allowed."""
        ...

    def invalid(self, path: str, value: object, allowed: str) -> None:
        """Add a value that cannot be used as a reason."""
        ...

    def warn(self, *warnings: Note) -> None:
        """Add what is left out or has no effect."""
        ...


@dataclass(slots=True)
class NotedProblems:
    """The notes of one reading."""

    refused: list[Note] = field(default_factory=list)
    warned: list[Note] = field(default_factory=list)

    def refuse(self, *reasons: Note) -> None:
        """Add what cannot be used at all; each names what was written and what is allowed."""
        self.refused.extend(reasons)

    def invalid(self, path: str, value: object, allowed: str) -> None:
        """Add a value that cannot be used as a reason."""
        self.refuse(Problem(path, f"{shown(value)!r} is not valid; allowed: {allowed}"))

    def warn(self, *warnings: Note) -> None:
        """Add what is left out or has no effect."""
        self.warned.extend(warnings)

    @property
    def errors(self) -> list[str]:
        """The reasons as texts."""
        return [str(reason) for reason in self.refused]

    @property
    def warnings(self) -> list[str]:
        """The warnings as texts."""
        return [str(warning) for warning in self.warned]

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Reasons and warnings with their paths."""
        reasons = (_problem(note, is_warning=False) for note in self.refused)
        return (*reasons, *(_problem(note, is_warning=True) for note in self.warned))


def _problem(note: Note, *, is_warning: bool) -> Problem:
    if isinstance(note, str):
        return Problem("", note, is_warning)
    return Problem(note.path, note.message, is_warning, note.consequence)
