"""The experiments as Markdown: one table of all, and one of the numbers of each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from tests.benchmarks.gpu.outcomes import Outcome, Row


def markdown(about: Mapping[str, Any], outcomes: Sequence[Outcome]) -> str:
    """Return the whole page; ``about`` is where and with what it was measured."""
    lines = ["# Experiments on a GPU", ""]
    lines += _table(("what", "value"), ((key, _shown(value)) for key, value in about.items()))
    lines += ["", "## All", ""]
    lines += _table(
        ("#", "experiment", "run", "measured", "pass line", "verdict"),
        (_line(outcome) for outcome in outcomes),
    )
    for outcome in outcomes:
        if outcome.rows:
            lines += ["", f"## {outcome.number}. {outcome.title}", ""]
            lines += _table(
                ("number", "measured", "must be", "met", "note"), map(_cells, outcome.rows)
            )
    return "\n".join(lines) + "\n"


def _line(outcome: Outcome) -> tuple[str, ...]:
    verdict = outcome.verdict + (f": {outcome.problem}" if outcome.problem else "")
    return (
        str(outcome.number),
        outcome.title,
        outcome.ran or "-",
        _summary(outcome.rows),
        outcome.pass_line,
        verdict,
    )


def _summary(rows: Sequence[Row]) -> str:
    judged = [row for row in rows if row.is_met is not None]
    if not judged:
        return f"{len(rows)} numbers" if rows else "-"
    return f"{sum(row.is_met is True for row in judged)} of {len(judged)} met"


def _cells(row: Row) -> tuple[str, ...]:
    met = {True: "yes", False: "**no**", None: ""}[row.is_met]
    return row.what, f"{_number(row.value)} {row.unit}", _bounds(row), met, row.note


def _bounds(row: Row) -> str:
    if row.low is not None and row.high is not None:
        return f"{_number(row.low)} to {_number(row.high)}"
    if row.low is not None:
        return f">= {_number(row.low)}"
    return "" if row.high is None else f"<= {_number(row.high)}"


def _number(value: float) -> str:
    return f"{value:.4g}" if abs(value) < 1e4 else f"{value:.0f}"


def _shown(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {inner}" for key, inner in value.items())
    return str(value)


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield "|" + "---|" * len(head)
    for row in rows:
        cells = (" ".join(cell.split()).replace("|", "\\|") for cell in row)
        yield f"| {' | '.join(cells)} |"
