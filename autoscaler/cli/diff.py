"""``tfa diff``: what changed from one report to the next."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from autoscaler.cli.exits import ExitCode
from autoscaler.cli.output import print_result


class DiffFormat(StrEnum):
    """Formats of a difference."""

    TABLE = "table"
    JSON = "json"


def command(
    old: Annotated[Path, typer.Argument(metavar="OLD.json", help="The earlier report.")],
    new: Annotated[Path, typer.Argument(metavar="NEW.json", help="The later report.")],
    output: Annotated[
        DiffFormat, typer.Option("-o", "--output", help="Format of the result.")
    ] = DiffFormat.TABLE,
    fail_on_worse: Annotated[
        bool,
        typer.Option(
            "--fail-on-worse", help="End with exit code 1 when an item became more urgent."
        ),
    ] = False,
) -> None:
    """Compare two saved reports: new, gone and changed verdicts and amounts."""
    from autoscaler.cli.rendering import load_report
    from recommender.report.diff import compare, render_diff_json, render_diff_table

    difference = compare(load_report(old), load_report(new))
    render = render_diff_json if output is DiffFormat.JSON else render_diff_table
    print_result(render(difference))
    is_worse = any(entry.is_worse for entry in difference.entries)
    raise typer.Exit(ExitCode.FINDINGS if fail_on_worse and is_worse else ExitCode.OK)
