"""Options that the long-running commands share, and others with them that ask a cluster."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from autoscaler.api.object_names import name_problem
from autoscaler.cli.options import GENERAL
from autoscaler.errors import UsageError
from autoscaler.logs import LogFormat

INSTALLATION, PACE, SERVING = "Installation", "Pace", "Serving"
LONGEST_NAMESPACE = 63


def checked_namespace(text: str) -> str:
    """Return a name of a namespace.  Raises ``UsageError`` for what can be none."""
    problem = name_problem(text, "--namespace", longest=LONGEST_NAMESPACE)
    if problem:
        raise UsageError(str(problem))
    return text


NamespaceOption = Annotated[
    str,
    typer.Option(
        "--namespace",
        metavar="NAME",
        callback=checked_namespace,
        rich_help_panel=INSTALLATION,
        help="Namespace of the installation.",
    ),
]
RootOwnerOption = Annotated[
    list[str] | None,
    typer.Option(
        "--root-owner",
        metavar="CHILD=KIND",
        rich_help_panel=INSTALLATION,
        help="A further kind that owns ReplicaSet.apps, StatefulSet.apps or Job.batch, for example "
        "ReplicaSet.apps=Rollout.example.com: its pods are one workload. Repeatable; the same for "
        "webhook and controller.",
    ),
]
BindAddressOption = Annotated[
    str | None,
    typer.Option(
        "--bind-address",
        metavar="IP",
        rich_help_panel=SERVING,
        help="Address to listen at. Default: all.",
    ),
]
KubeconfigOption = Annotated[
    Path | None,
    typer.Option(
        "--kubeconfig",
        metavar="FILE",
        rich_help_panel=GENERAL,
        help="How to reach the API server. Default: KUBECONFIG, ~/.kube/config, or the pod's own "
        "ServiceAccount.",
    ),
]
ContextOption = Annotated[
    str | None,
    typer.Option(
        "--context",
        metavar="NAME",
        rich_help_panel=GENERAL,
        help="Context of the kubeconfig. Default: its current one.",
    ),
]
WriteRateOption = Annotated[
    float,
    typer.Option(
        "--write-rate",
        metavar="NUMBER",
        rich_help_panel=PACE,
        help="Writes to the API server per second, at most; fewer while it is slow.",
    ),
]
LogFormatOption = Annotated[
    LogFormat,
    typer.Option("--log-format", rich_help_panel=GENERAL, help="Lines of the log, on stderr."),
]
