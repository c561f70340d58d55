"""Options that the long-running commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from autoscaler.cli.options import GENERAL
from autoscaler.logs import LogFormat

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
LogFormatOption = Annotated[
    LogFormat,
    typer.Option("--log-format", rich_help_panel=GENERAL, help="Lines of the log, on stderr."),
]
