"""Reports to and from files, for every command that shows one."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from autoscaler.cli.output import Destination, Format, Rendered, write
from autoscaler.cli.terminal import has_color, is_terminal
from autoscaler.errors import InputError
from recommender.errors import InvalidValueError
from recommender.report.jsonform import read_report
from recommender.report.model import Report
from recommender.report.options import RenderOptions
from recommender.report.patches import render_kustomize
from recommender.report.renderers import RENDERERS

PLAIN_WIDTH = 80
"""Of tables that do not go to a terminal, so that they look the same everywhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """How tables and Markdown are shown, as the user asked for it."""

    is_wide: bool = False
    is_plain: bool = False
    include_ok: bool = False
    limit: int | None = None
    group_by: str | None = None

    def options(self, destination: Destination) -> RenderOptions:
        """Return the options for one destination: colours and width are of the terminal."""
        is_shown = destination.path is None and is_terminal(sys.stdout)
        return RenderOptions(
            width=shutil.get_terminal_size().columns if is_shown else PLAIN_WIDTH,
            is_wide=self.is_wide,
            include_ok=self.include_ok,
            limit=self.limit,
            group_by=self.group_by,
            has_color=is_shown and has_color(is_refused=self.is_plain),
        )


def load_report(path: Path) -> Report:
    """Read a report that was saved as JSON.

    Raises ``InputError`` when it cannot be read, is no report, or of another version.
    """
    try:
        text = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {error.strerror}") from error
    try:
        return read_report(text)
    except InvalidValueError as error:
        raise InputError(f"{path}: no usable report: {error}") from error


def write_report(report: Report, destinations: Sequence[Destination], look: Look) -> None:
    """Write a report everywhere; files first, so that stdout comes when all is done."""
    for destination in sorted(destinations, key=lambda each: each.path is None):
        write(destination, _rendered(report, destination, look.options(destination)))


def _rendered(report: Report, destination: Destination, options: RenderOptions) -> Rendered:
    if destination.format is Format.KUSTOMIZE and destination.path is not None:
        return render_kustomize(report)
    return RENDERERS[destination.format](report, options)
