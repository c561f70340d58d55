"""What ``tfa leave`` does, after its arguments were read: looks, asks, acts, and prints."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from autoscaler.api.names import CONTROLLER_LEASE
from autoscaler.cli.exits import ExitCode
from autoscaler.cli.leave import LeaveFormat
from autoscaler.cli.leave_table import render_json, render_table
from autoscaler.cli.output import print_result
from autoscaler.cli.terminal import Terminal, is_terminal
from autoscaler.errors import AutoscalerError, UsageError
from autoscaler.kube.api_server import ApiServer
from autoscaler.kube.lease_watch import active_leader
from autoscaler.version import tool_version
from autoscaler.workloads.leaving.leaving import Action, Outcome, Step, Taken, leave, steps_now
from autoscaler.workloads.leaving.remaining import remaining
from autoscaler.workloads.leaving.stopping import stop_controller

SENTENCES = {
    Action.EMPTY: "webhook configurations emptied",
    Action.DELETE: "waiting pods deleted, which their controllers make anew",
    Action.UNGATE: "waiting bare pods let go without a GPU",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaveFlags:
    """The arguments of the command."""

    namespace: str
    is_dry_run: bool
    is_agreed: bool
    is_forced: bool
    stops_controller: bool
    output: LeaveFormat
    kubeconfig: Path | None


def run_leave(flags: LeaveFlags, terminal: Terminal) -> ExitCode:
    """Leave the cluster and print what was done; return whether a step failed.

    Raises ``UsageError`` where nobody can be asked, ``AutoscalerError`` where a controller leads,
    and ``KubeError``.
    """
    if not (flags.is_dry_run or flags.is_agreed or is_terminal(sys.stdin)):
        raise UsageError("stdin is no terminal, so nobody can be asked: give --yes, or --dry-run")
    api = ApiServer.from_environment(
        kubeconfig=flags.kubeconfig, user_agent=f"tfa-leave/{tool_version()}"
    )
    with closing(api):
        _require_no_leader(api, flags, terminal)
        steps = steps_now(api)
        # What cannot be read is said before anything is changed.
        stays = remaining(api)
        if flags.is_dry_run:
            _show(flags, [Taken(step=step, outcome=Outcome.PLANNED) for step in steps], api)
            return ExitCode.OK
        if steps and not flags.is_agreed and not _is_agreed(api, steps, len(stays[0].names)):
            terminal.note("nothing was changed")
            return ExitCode.INTERRUPTED
        if flags.stops_controller:
            stop_controller(api, namespace=flags.namespace)
        with terminal.progress("leave") as advance:
            taken = leave(api, progress=advance)
        _show(flags, taken, api)
    has_failed = any(each.outcome is Outcome.FAILED for each in taken)
    return ExitCode.PARTIAL if has_failed else ExitCode.OK


def _show(flags: LeaveFlags, taken: Sequence[Taken], api: ApiServer) -> None:
    render = render_json if flags.output is LeaveFormat.JSON else render_table
    print_result(render(taken, remaining(api)))


def _require_no_leader(api: ApiServer, flags: LeaveFlags, terminal: Terminal) -> None:
    """Raise ``AutoscalerError`` where a controller would undo the work at once."""
    if flags.stops_controller and not flags.is_dry_run:
        return
    leader = active_leader(api, CONTROLLER_LEASE, namespace=flags.namespace)
    if not leader:
        return
    text = (
        f"the controller {leader} leads (it renews Lease {flags.namespace}/{CONTROLLER_LEASE}) and "
        "fills the webhook lists again"
    )
    if not (flags.is_forced or flags.is_dry_run):
        scale = f"kubectl -n {flags.namespace} scale deployment {CONTROLLER_LEASE} --replicas=0"
        raise AutoscalerError(
            f"{text}; scale it down first ({scale}, or --stop-controller), or go on with --force"
        )
    terminal.note(f"note: {text}")


def _is_agreed(api: ApiServer, steps: Sequence[Step], running_workers: int) -> bool:
    counts = Counter(step.action for step in steps)
    planned = "".join(
        f"  {counts[action]} {sentence}\n"
        for action, sentence in SENTENCES.items()
        if counts[action]
    )
    # On stderr, because stdout is the result's; click would leave a blank there.
    sys.stderr.write(
        f"In {api.url}:\n{planned}  {running_workers} running workers stay as they are\n"
        "Go on? [y/N] "
    )
    sys.stderr.flush()
    return sys.stdin.readline().strip().lower() in {"y", "yes"}
