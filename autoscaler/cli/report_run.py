"""What ``tfa report`` does, after its arguments were read."""

from __future__ import annotations

import shlex
import time
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from autoscaler.cli.exits import ExitCode, strongest
from autoscaler.cli.live_input import live_report, live_words
from autoscaler.cli.options import FailOn, Grade, Only, SeverityName, SortBy
from autoscaler.cli.output import Destination, Format
from autoscaler.cli.rendering import Look, write_report
from autoscaler.cli.report_input import ReportOptions, opened
from autoscaler.cli.terminal import Terminal
from autoscaler.errors import UsageError
from autoscaler.reporting import look_back, look_into_days, report_of
from autoscaler.sources.live_server import LiveServer
from recommender.report import select
from recommender.report.blocks import Severity
from recommender.report.grouping import grouped
from recommender.report.model import Report
from recommender.report.severity import findings_at_least
from recommender.sentences import counted


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Which items are wanted, and in which order."""

    namespaces: tuple[str, ...] = ()
    sort: SortBy = SortBy.RISK
    min_severity: SeverityName | None = None
    min_change: str | None = None
    min_confidence: Grade | None = None
    only: Only | None = None

    def selection(self) -> select.Selection:
        """Return the same for ``recommender.report``.  Raises ``UsageError``."""
        return select.Selection(
            namespaces=self.namespaces,
            min_severity=None if self.min_severity is None else Severity(self.min_severity.upper()),
            min_change_ratio=None if self.min_change is None else change_ratio(self.min_change),
            min_confidence=self.min_confidence,
            only=None if self.only is None else select.Only(self.only),
        )


def run_report(
    options: ReportOptions,
    choice: Choice,
    look: Look,
    destinations: Sequence[Destination],
    *,
    fail_on: FailOn,
    has_what_if: bool,
    terminal: Terminal,
) -> ExitCode:
    """Compute, select and write a report; return the exit code it deserves."""
    selection = choice.selection()
    grouped((), look.group_by)
    report = compute_report(options, has_what_if=has_what_if, terminal=terminal)
    _tell_unmatched(report, choice.namespaces, terminal)
    report = select.ordered(select.selected(report, selection), select.SortKey(choice.sort))
    write_report(report, destinations, look)
    if not shows_totals(destinations):
        terminal.note(summary(report))
    if report.items:
        flags = live_words(options) if isinstance(options, LiveServer) else options.flags
        words = ["tfa explain", *flags, shlex.quote(report.items[0].name)]
        terminal.hint(f"why: {' '.join(words)}   # with the same options")
    return code_of_report(report, fail_on)


def _tell_unmatched(report: Report, globs: Sequence[str], terminal: Terminal) -> None:
    """Say which namespaces were asked for in vain: an empty report would look like a clean one."""
    known = sorted({item.identity.namespace for item in report.items})
    for glob in globs:
        if not any(fnmatchcase(name, glob) for name in known):
            names = ", ".join(known[:5]) + (" and more" if len(known) > 5 else "")
            terminal.note(
                f"--namespace: {glob!r} matches no namespace of the report; it has {names}"
            )


def compute_report(
    options: ReportOptions,
    *,
    has_what_if: bool,
    terminal: Terminal,
    workload: str | None = None,
) -> Report:
    """Return the report of all workloads of a file or server, or that of an autoscaler.

    The days of ``workload`` are looked into whether it asks for forecasts or not, and those of no
    other; so are its last days replayed.
    """
    if isinstance(options, LiveServer):
        return live_report(options, terminal)
    with terminal.progress("report") as advance, opened(options, terminal) as given:
        share = given.analysed_share if has_what_if else 1.0
        analysis = given.analyse(lambda done: advance(share * done))
        whatif = None
        if has_what_if:
            whatif = look_back(
                analysis,
                lambda done: advance(share + (1.0 - share) * done),
                workload=workload,
            )
        diagnoses = look_into_days(analysis, clock=time.monotonic, workload=workload)
        return report_of(analysis, given.text(), whatif, diagnoses)


def code_of_report(report: Report, fail_on: FailOn) -> ExitCode:
    """Return 4 where something failed, else 1 where there are findings, else 0."""
    codes = [ExitCode.OK]
    if report.errors:
        codes.append(ExitCode.PARTIAL)
    if fail_on is not FailOn.NONE and findings_at_least(report, Severity(fail_on.upper())):
        codes.append(ExitCode.FINDINGS)
    return strongest(codes)


def shows_totals(destinations: Sequence[Destination]) -> bool:
    """Return whether stdout says by itself what the summary line would say."""
    return any(
        destination.path is None and destination.format in {Format.TABLE, Format.MD}
        for destination in destinations
    )


def summary(report: Report) -> str:
    """Return one line for stderr: how much was looked at, and what was found."""
    counts = ", ".join(
        f"{count} {severity}" for severity, count in report.meta.totals.severities.items() if count
    )
    failed = f"; {len(report.errors)} failed" if report.errors else ""
    scanned = counted(report.meta.scanned_workloads, "workload")
    return f"{scanned}: {counts or 'nothing selected'}{failed}"


def change_ratio(text: str) -> float:
    """Read ``10%`` or ``0.1``.  Raises ``UsageError``."""
    number = text.strip()
    try:
        ratio = float(number.removesuffix("%")) / (100.0 if number.endswith("%") else 1.0)
    except ValueError:
        ratio = -1.0
    if not 0 <= ratio < 1e6 or (not number.endswith("%") and ratio > 1):
        raise UsageError(f"--min-change: {text!r} is not valid; allowed: a change such as 10%")
    return ratio
