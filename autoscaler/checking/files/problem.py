"""One thing that is wrong in a file, at its line and column."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from autoscaler.printable import printable
from recommender.errors import Problem


class Place(NamedTuple):
    """Where something stands, both counted from 1."""

    line: int
    column: int


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class FileProblem:
    """A problem and its place; problems sort by place within a file."""

    line: int
    column: int
    is_warning: bool
    path: str
    """From the document, such as ``spec.qos``; empty: the text or document as a whole."""
    message: str
    file: str

    def __str__(self) -> str:
        severity = "warning" if self.is_warning else "error"
        path = f"{self.path}: " if self.path else ""
        text = f"{self.file}:{self.line}:{self.column}: {severity}: {path}{self.message}"
        return printable(text, " ")


def placed(file: str, place: Place, problem: Problem) -> FileProblem:
    """Return a problem at its place."""
    return FileProblem(
        file=file,
        line=place.line,
        column=place.column,
        is_warning=problem.is_warning,
        path=problem.path,
        message=problem.message,
    )
