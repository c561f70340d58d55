"""What ``tfa explain`` does, after its arguments were read."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from autoscaler.cli.exits import ExitCode
from autoscaler.cli.explanation import explanation
from autoscaler.cli.live_explanation import live_explanation
from autoscaler.cli.live_input import live_workload
from autoscaler.cli.output import Destination, Format, write
from autoscaler.cli.rendering import Look, load_report, write_report
from autoscaler.cli.report_input import ReportOptions
from autoscaler.cli.report_run import compute_report
from autoscaler.cli.terminal import Terminal
from autoscaler.errors import InputError, UsageError
from autoscaler.sources.live_server import LiveServer
from recommender.report.model import Report
from recommender.report.select import Selection, selected


def run_explain(
    workload: str,
    *,
    options: ReportOptions,
    saved: Path | None,
    destinations: Sequence[Destination],
    has_what_if: bool,
    terminal: Terminal,
) -> ExitCode:
    """Explain one workload of a saved report, else of a file, server or running autoscaler."""
    if isinstance(options, LiveServer) and saved is None:
        return _explain_live(options, workload, destinations)
    if saved is not None:
        report = load_report(saved)
    else:
        report = compute_report(
            options, has_what_if=has_what_if, terminal=terminal, workload=full_name(workload)
        )
    own = workload_report(report, workload)
    for destination in destinations:
        if destination.format is Format.TABLE:
            write(destination, explanation(own.items, own.meta))
        else:
            write_report(own, [destination], Look())
    return ExitCode.PARTIAL if own.errors else ExitCode.OK


def _explain_live(
    server: LiveServer, workload: str, destinations: Sequence[Destination]
) -> ExitCode:
    answer = live_workload(server, workload)
    for destination in destinations:
        if destination.format is Format.TABLE:
            write(destination, live_explanation(answer))
        elif answer.report is not None:
            write_report(answer.report, [destination], Look())
        else:
            raise InputError(f"{server.url}: no report of {workload} yet; ask again in a moment")
    is_partial = answer.report is not None and bool(answer.report.errors)
    return ExitCode.PARTIAL if is_partial else ExitCode.OK


def workload_report(report: Report, workload: str) -> Report:
    """Return the report of one workload.  Raises ``UsageError`` with names like it."""
    known = sorted({item.name for item in report.items})
    name = full_name(workload)
    failed = [error for error in report.errors if f"{error.namespace}/{error.workload}" == name]
    if name not in known:
        if failed:
            raise UsageError(f"{name}: {failed[0].message}")
        raise UsageError(f"no workload {name!r}; {names_like(name, known)}")
    chosen = selected(report, Selection(workloads=(_literal(name),)))
    return replace(chosen, errors=tuple(failed))


def full_name(workload: str) -> str:
    """Return ``namespace/workload``: one without a namespace is in ``default``, as with kubectl."""
    return workload if "/" in workload else f"default/{workload}"


def names_like(name: str, known: Sequence[str]) -> str:
    """Return what a user may have meant who gave a name that is not among the known ones."""
    close = difflib.get_close_matches(name, known, n=3)
    return f"did you mean {', '.join(close)}?" if close else f"known: {_some(known)}"


def _literal(name: str) -> str:
    """Return a glob that matches a name and nothing else."""
    return "".join(f"[{char}]" if char in "*?[" else char for char in name)


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
