"""``tfa leave``: takes the autoscaler out of a cluster's way, before it is uninstalled."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from autoscaler.api.names import NAMESPACE
from autoscaler.cli.options import OUTPUT, ProgressOption, QuietOption
from autoscaler.cli.service_options import KubeconfigOption, checked_namespace
from autoscaler.cli.terminal import ProgressMode, Terminal


class LeaveFormat(StrEnum):
    """Formats of what was done and of what stays."""

    TABLE = "table"
    JSON = "json"


def command(
    namespace: Annotated[
        str,
        typer.Option(
            "-n",
            "--namespace",
            metavar="NAME",
            callback=checked_namespace,
            help="Namespace of the installation.",
        ),
    ] = NAMESPACE,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only print what would be done; changes nothing.")
    ] = False,
    yes: Annotated[bool, typer.Option("-y", "--yes", help="Do not ask.")] = False,
    force: Annotated[
        bool,
        typer.Option("--force", help="Go on although a controller leads, which undoes the work."),
    ] = False,
    stop_controller: Annotated[
        bool,
        typer.Option(
            "--stop-controller", help="Scale the controller to 0 first, and wait until none leads."
        ),
    ] = False,
    output: Annotated[
        LeaveFormat,
        typer.Option("-o", "--output", rich_help_panel=OUTPUT, help="Format of the result."),
    ] = LeaveFormat.TABLE,
    kubeconfig: KubeconfigOption = None,
    quiet: QuietOption = False,
    progress: ProgressOption = ProgressMode.AUTO,
) -> None:
    """Empty the webhook lists and let waiting pods go, so that nothing is stuck once we are gone.

    Pods behind our scheduling gate are deleted where a controller makes them anew, and lose the
    gate otherwise. Running workers and all objects of ours stay, and are listed. Scale the
    controller to 0 first, or let --stop-controller do it. Exit code 4 when a step failed.
    """
    from autoscaler.cli.leave_run import LeaveFlags, run_leave

    code = run_leave(
        LeaveFlags(
            namespace=namespace,
            is_dry_run=dry_run,
            is_agreed=yes,
            is_forced=force,
            stops_controller=stop_controller,
            output=output,
            kubeconfig=kubeconfig,
        ),
        Terminal(verbosity=-1 if quiet else 0, progress_mode=progress),
    )
    raise typer.Exit(code)
