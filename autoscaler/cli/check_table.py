"""Findings of ``tfa check`` as a table or JSON."""

from __future__ import annotations

import json
import shutil
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, replace
from io import StringIO
from typing import TYPE_CHECKING

from autoscaler.cli.rendering import PLAIN_WIDTH
from autoscaler.cli.terminal import has_color, is_terminal
from autoscaler.findings import Finding, Section, Status
from autoscaler.printable import printable

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

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
    """Return a table per section: of the terminal's width and in colours where there is one."""
    from rich.console import Console
    from rich.text import Text

    is_shown = is_terminal(sys.stdout)
    has_colors = has_color(is_refused=is_plain)
    console = Console(
        file=StringIO(),
        width=shutil.get_terminal_size().columns if is_shown else PLAIN_WIDTH,
        force_terminal=has_colors,
        color_system="standard" if has_colors else None,
        no_color=not has_colors,
    )
    with console.capture() as captured:
        for section in _harmless(sections):
            console.print(Text(f"{section.name}: {section.subject}"), soft_wrap=True)
            console.print(_table(section.findings))
    lines = [line.rstrip() for line in captured.get().splitlines()]
    return "\n".join([*lines, summary(sections)]) + "\n"


def counts(sections: Sequence[Section]) -> dict[str, int]:
    """Return how many findings there are of each status."""
    found = Counter(finding.status for section in sections for finding in section.findings)
    return {str(status): found[status] for status in Status}


def summary(sections: Sequence[Section]) -> str:
    """Return one line on all findings."""
    return ", ".join(f"{count} {status}" for status, count in counts(sections).items() if count)


def _table(findings: Sequence[Finding]) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for finding in findings:
        table.add_row(
            Text(finding.status, STYLES[finding.status]), Text(finding.check), _told(finding)
        )
    table.add_row("", "", "")
    return table


def _told(finding: Finding) -> Text:
    """Return what was seen, and below it what to do."""
    from rich.text import Text

    subjects = f"{', '.join(finding.subjects)}: " if finding.subjects else ""
    told = Text(f"{subjects}{finding.text}")
    if finding.next_step:
        told.append(f"\n-> {finding.next_step}", STYLES[finding.status])
    return told


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
