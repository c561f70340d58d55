"""``tfa render``: an old report in another format."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from autoscaler.cli.options import (
    FormatOption,
    GroupByOption,
    IncludeOkOption,
    LimitOption,
    NoColorOption,
    OutOption,
    WideOption,
)

ReportArgument = Annotated[Path, typer.Argument(metavar="REPORT.json", help="A report in JSON.")]


def command(
    report: ReportArgument,
    output: FormatOption = None,
    out: OutOption = None,
    group_by: GroupByOption = None,
    include_ok: IncludeOkOption = False,
    limit: LimitOption = None,
    wide: WideOption = False,
    no_color: NoColorOption = False,
) -> None:
    """Write a report that was saved as JSON in another format; nothing is computed again."""
    from autoscaler.cli.output import destinations
    from autoscaler.cli.rendering import Look, load_report, write_report

    targets = destinations(output, out or [])
    look = Look(
        is_wide=wide,
        is_plain=no_color,
        include_ok=include_ok,
        limit=limit,
        group_by=group_by,
    )
    write_report(load_report(report), targets, look)
