"""What ``tfa apply`` does, after its arguments were read: plans, tries, asks, writes, prints."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from autoscaler.applying.planning import ApplyRules, plan_of
from autoscaler.applying.rows import ObjectChange, Outcome, Plan
from autoscaler.applying.writing import Done, write
from autoscaler.cli.apply import ApplyFormat, DryRun
from autoscaler.cli.apply_audit import Audit
from autoscaler.cli.apply_table import Result, question, render_json, render_table
from autoscaler.cli.exits import ExitCode
from autoscaler.cli.explain_run import names_like
from autoscaler.cli.output import print_result
from autoscaler.cli.rendering import load_report
from autoscaler.cli.report_input import ReportOptions
from autoscaler.cli.report_run import Choice, compute_report
from autoscaler.cli.terminal import Terminal, is_terminal
from autoscaler.clock import SystemClock
from autoscaler.errors import UsageError
from autoscaler.kube.access_review import who_am_i
from autoscaler.kube.api_server import ApiServer
from autoscaler.sources.timestamps import iso
from autoscaler.version import tool_version
from recommender.durations import parse_duration_s
from recommender.report.model import Report
from recommender.report.select import selected
from recommender.sentences import duration

MAX_AGE = "--max-age"


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplyFlags:
    """The arguments of the command."""

    saved: Path | None
    options: ReportOptions
    """Of the report that is computed where none is saved."""
    max_age: str
    workloads: tuple[str, ...]
    choice: Choice
    rules: ApplyRules
    dry_run: DryRun
    is_agreed: bool
    audit_file: Path | None
    output: ApplyFormat
    kubeconfig: Path | None
    context: str | None


def run_apply(flags: ApplyFlags, terminal: Terminal) -> ExitCode:
    """Write what a report recommends and print what was done; return the exit code.

    Raises ``UsageError`` where nobody can be asked and where the report is too old, and
    ``KubeError`` where the cluster cannot be read.
    """
    is_asking = flags.dry_run is DryRun.NONE and not flags.is_agreed
    if is_asking and not is_terminal(sys.stdin):
        raise UsageError("stdin is no terminal, so nobody can be asked: give --yes, or --dry-run")
    parse_duration_s(flags.max_age, MAX_AGE)
    api = ApiServer.from_environment(
        kubeconfig=flags.kubeconfig,
        context=flags.context,
        user_agent=f"tfa-apply/{tool_version()}",
    )
    with closing(api):
        report = _report(flags, terminal)
        _require_fresh(report, flags.max_age)
        with terminal.progress("read") as advance:
            plan = plan_of(api, report, flags.rules, progress=advance)
        done = _done(api, plan, report, flags, terminal)
        if done is None:
            terminal.note("nothing was changed")
            return ExitCode.INTERRUPTED
        result = Result(
            cluster=api.url, dry_run=flags.dry_run, report=report.meta, plan=plan, done=done
        )
    render = render_json if flags.output is ApplyFormat.JSON else render_table
    print_result(render(result))
    return code_of_result(plan, done)


def code_of_result(plan: Plan, done: Sequence[Done]) -> ExitCode:
    """Return 3 where every object failed, 4 where something was refused or failed, else 0."""
    outcomes = [each.outcome for each in done]
    rows = [row.outcome for row in plan.others]
    if Outcome.FAILED in {*outcomes, *rows} and not {Outcome.PLANNED, Outcome.WRITTEN} & {
        *outcomes
    }:
        return ExitCode.CANNOT_WORK
    if {Outcome.FAILED, Outcome.REFUSED} & {*outcomes, *rows}:
        return ExitCode.PARTIAL
    return ExitCode.OK


def _report(flags: ApplyFlags, terminal: Terminal) -> Report:
    """Return the report, as far as it is selected."""
    selection = replace(flags.choice.selection(), workloads=flags.workloads)
    if flags.saved is not None:
        report = load_report(flags.saved)
    else:
        report = compute_report(flags.options, has_what_if=False, terminal=terminal)
    _require_known(report, flags.workloads)
    chosen = selected(report, selection)
    if not chosen.items:
        asked = f" ({', '.join(selection.words())})" if selection.words() else ""
        terminal.note(f"the report has no item that is selected{asked}")
    return chosen


def _require_known(report: Report, names: Sequence[str]) -> None:
    """Raise ``UsageError`` for a name that the report lacks; a pattern may match nothing."""
    known = {item.name for item in report.items}
    either = known | {item.identity.workload for item in report.items}
    for name in names:
        if name not in either and not set(name) & set("*?["):
            hint = names_like(name, sorted(known)) if known else "it has none"
            raise UsageError(f"no workload {name!r} in the report; {hint}")


def _require_fresh(report: Report, max_age: str) -> None:
    """Raise ``UsageError`` for a report whose measurements ended too long ago."""
    max_age_s = parse_duration_s(max_age, MAX_AGE)
    window = report.meta.window
    end_s = report.meta.generated_s if window is None else window.end_s
    end_s = min(end_s, report.meta.generated_s)
    age_s = SystemClock().now_s() - end_s
    if age_s > max_age_s:
        raise UsageError(
            f"the report ends with the measurements of {iso(end_s)}, "
            f"{duration(age_s)} ago; allowed: at most {max_age} "
            f"({MAX_AGE}); make a new one with tfa report -o json"
        )


def _done(
    api: ApiServer, plan: Plan, report: Report, flags: ApplyFlags, terminal: Terminal
) -> list[Done] | None:
    """Go as far as the dry run says; return None where a person does not agree."""
    if flags.dry_run is DryRun.CLIENT:
        return [Done(change=change, outcome=Outcome.PLANNED) for change in plan.changes]
    tried = _written(api, plan.changes, terminal, is_dry_run=True)
    if flags.dry_run is DryRun.SERVER:
        return tried
    agreed = [each.change for each in tried if each.outcome is Outcome.PLANNED]
    failed = [each for each in tried if each.outcome is not Outcome.PLANNED]
    if not agreed:
        return failed
    if not flags.is_agreed and not _is_agreed(api, agreed):
        return None
    user = who_am_i(api).user
    with Audit(flags.audit_file, user=user, cluster=api.url, report=report.meta) as audit:
        written = []
        with terminal.progress("write") as advance:
            for number, change in enumerate(agreed):
                done = write(api, change, is_dry_run=False)
                terminal.note(audit.tell(done))
                written.append(done)
                advance((number + 1) / len(agreed))
    return [*written, *failed]


def _written(
    api: ApiServer, changes: Sequence[ObjectChange], terminal: Terminal, *, is_dry_run: bool
) -> list[Done]:
    done = []
    with terminal.progress("dry run") as advance:
        for number, change in enumerate(changes):
            done.append(write(api, change, is_dry_run=is_dry_run))
            advance((number + 1) / len(changes))
    return done


def _is_agreed(api: ApiServer, changes: Sequence[ObjectChange]) -> bool:
    # On stderr, because stdout is the result's.
    sys.stderr.write(f"In {api.url}:\n{question(changes)}Go on? [y/N] ")
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in {"y", "yes"}
