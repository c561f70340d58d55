"""Findings of ``tfa check`` as a table or JSON."""

from __future__ import annotations

import json
import shutil
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from io import StringIO
from itertools import groupby
from typing import TYPE_CHECKING

from autoscaler.cli.terminal import has_color, is_terminal
from autoscaler.findings import Finding, Section, Status
from autoscaler.printable import printable

if TYPE_CHECKING:
    from rich.table import Table

SCHEMA = "tensorfusion-check/v1"
STYLES = {
    Status.OK: "green",
    Status.WARNING: "yellow",
    Status.FAILED: "bold red",
    Status.SKIPPED: "dim",
}


def render_json(sections: Sequence[Section]) -> str:
    """Return the findings for machines."""
    sections = _harmless(sections)
    document = {
        "schema": SCHEMA,
        "counts": counts(sections),
        "sections": [asdict(section) for section in sections],
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def render_table(sections: Sequence[Section], *, is_plain: bool) -> str:
    """Return a table per section: of the terminal's width and in colours where there is one.

    Where there is none, each finding is one line, however long, so that ``grep`` finds all of it.
    """
    sections = _harmless(sections)
    lines = _folded(sections, is_plain=is_plain) if is_terminal(sys.stdout) else _lines(sections)
    return "\n".join([*(line.rstrip() for line in lines), summary(sections)]) + "\n"


def _lines(sections: Sequence[Section]) -> Iterator[str]:
    for section in sections:
        rows = list(_rows(section.findings))
        status_letters = max((len(row.status) for row in rows), default=0)
        check_letters = max((len(row.check) for row in rows), default=0)
        yield f"{section.name}: {section.subject}"
        for row in rows:
            told = f"{row.text} -> {row.next_step}" if row.next_step else row.text
            yield f"{row.status:{status_letters}}  {row.check:{check_letters}}  {told}"
        yield ""


def _folded(sections: Sequence[Section], *, is_plain: bool) -> list[str]:
    from rich.console import Console
    from rich.text import Text

    has_colors = has_color(is_refused=is_plain)
    console = Console(
        file=StringIO(),
        width=shutil.get_terminal_size().columns,
        force_terminal=has_colors,
        color_system="standard" if has_colors else None,
        no_color=not has_colors,
    )
    with console.capture() as captured:
        for section in sections:
            console.print(Text(f"{section.name}: {section.subject}"), soft_wrap=True)
            console.print(_table(list(_rows(section.findings))))
    return captured.get().splitlines()


def counts(sections: Sequence[Section]) -> dict[str, int]:
    """Return how many findings there are of each status."""
    found = Counter(finding.status for section in sections for finding in section.findings)
    return {str(status): found[status] for status in Status}


def summary(sections: Sequence[Section]) -> str:
    """Return one line on all findings."""
    return ", ".join(f"{count} {status}" for status, count in counts(sections).items() if count)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Row:
    """One finding, or several that say the same, as a table shows it."""

    status: Status
    check: str
    text: str
    next_step: str


def _rows(findings: Sequence[Finding]) -> Iterator[_Row]:
    """Yield a row per finding; neighbours that were skipped for one reason share a row."""
    for _, alike in groupby(findings, _reason):
        group = list(alike)
        first = group[0]
        checks = [finding.check for finding in group]
        about = checks if len(group) > 1 else first.subjects
        yield _Row(
            status=first.status,
            check=f"{len(group)} checks" if len(group) > 1 else first.check,
            text=f"{', '.join(about)}: {first.text}" if about else first.text,
            next_step=first.next_step,
        )


def _reason(finding: Finding) -> object:
    """Return what is the same for findings that share a row."""
    if finding.status is not Status.SKIPPED or finding.subjects or finding.next_step:
        return id(finding)
    return finding.text


def _table(rows: Sequence[_Row]) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for row in rows:
        told = Text(row.text)
        if row.next_step:
            told.append(f"\n-> {row.next_step}", STYLES[row.status])
        table.add_row(Text(row.status, STYLES[row.status]), Text(row.check), told)
    table.add_row("", "", "")
    return table


def _harmless(sections: Sequence[Section]) -> list[Section]:
    """Return sections whose texts, which may quote a server, move no terminal's cursor."""
    return [
        replace(section, findings=tuple(map(_harmless_finding, section.findings)))
        for section in sections
    ]


def _harmless_finding(finding: Finding) -> Finding:
    return replace(
        finding, text=printable(finding.text, " "), next_step=printable(finding.next_step, " ")
    )
