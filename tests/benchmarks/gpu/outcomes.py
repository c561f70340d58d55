"""What an experiment measured, beside what it must reach; as it travels between processes."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

Ending = Literal["ended", "not run", "failed"]


class CannotRunError(Exception):
    """An experiment cannot be made here; the text says what is missing."""


class ExperimentError(Exception):
    """An experiment went wrong; the text says how."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One number; ``low`` and ``high`` are the ends of what it may be."""

    what: str
    value: float
    unit: str
    low: float | None = None
    high: float | None = None
    note: str = ""

    @property
    def is_met(self) -> bool | None:
        """Return whether it reaches what it must; None where nothing is asked of it."""
        if self.low is None and self.high is None:
            return None
        is_above = self.low is None or self.value >= self.low
        return is_above and (self.high is None or self.value <= self.high)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One experiment."""

    number: int
    title: str
    pass_line: str
    ending: Ending
    ran: str = ""
    """With what it was made."""
    problem: str = ""
    """Why it was not run, or failed."""
    rows: tuple[Row, ...] = ()
    """Of a failed one: as far as it came."""
    duration_s: float = 0.0

    @property
    def verdict(self) -> str:
        """Return "not run", "failed", "missed", "passed", or "measured" where nothing is asked."""
        if self.ending != "ended":
            return self.ending
        verdicts = [row.is_met for row in self.rows]
        if False in verdicts:
            return "missed"
        return "passed" if True in verdicts else "measured"

    def document(self) -> dict[str, Any]:
        """Return it for JSON."""
        rows = [{**asdict(row), "is_met": row.is_met} for row in self.rows]
        return {**asdict(self), "rows": rows, "verdict": self.verdict}


class Record:
    """Where an experiment in a process of its own writes down what it has so far."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def ran(self, text: str) -> None:
        """Write with what the experiment is made."""
        self._write({"ran": text})

    def row(self, row: Row) -> None:
        """Write one number.  Raises ``ExperimentError`` where it is none."""
        if not math.isfinite(row.value):
            raise ExperimentError(f"{row.what}: {row.value} was measured, which is no number")
        self._write({"row": asdict(row)})

    def end(self, ending: Ending, problem: str = "") -> None:
        """Write how it ended; nothing comes after that."""
        self._write({"ending": ending, "problem": problem})

    def _write(self, line: dict[str, Any]) -> None:
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(line) + "\n")


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """What a ``Record`` holds; ``ending`` is None where its process never came to an end."""

    ran: str
    rows: tuple[Row, ...]
    ending: Ending | None
    problem: str


def recorded(path: Path) -> Recorded:
    """Read what an experiment has written."""
    lines = _lines(path)
    ends = [line for line in lines if "ending" in line]
    return Recorded(
        ran="; ".join(line["ran"] for line in lines if "ran" in line),
        rows=tuple(Row(**line["row"]) for line in lines if "row" in line),
        ending=ends[-1]["ending"] if ends else None,
        problem=ends[-1]["problem"] if ends else "",
    )


def _lines(path: Path) -> list[dict[str, Any]]:
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    # The last one is cut where its writer was killed meanwhile.
    return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]


def write_document(path: Path, about: dict[str, Any], outcomes: Iterable[Outcome]) -> None:
    """Write all experiments as JSON."""
    document = {**about, "experiments": [each.document() for each in outcomes]}
    path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
