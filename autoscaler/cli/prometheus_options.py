"""Options that name a Prometheus server, the same for every command that asks one.

What they mean together with the settings file is ``prometheus_flags``.  None takes a secret: the
arguments of a process can be read by everybody on its machine.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

PROMETHEUS = "Prometheus"

PrometheusUrlOption = Annotated[
    str | None,
    typer.Option(
        "--prometheus-url",
        metavar="URL",
        rich_help_panel=PROMETHEUS,
        help="Prometheus, or what speaks its API, with the path prefix where there is one. "
        "Default: TFA_PROMETHEUS_URL, then prometheus.url of the settings file.",
    ),
]
PrometheusMappingOption = Annotated[
    str | None,
    typer.Option(
        "--prometheus-mapping",
        metavar="NAME",
        rich_help_panel=PROMETHEUS,
        help="Which series are read: agent, greptimedb or dcgm. "
        "Names of your own: prometheus.mapping of the settings file.",
    ),
]
PrometheusHeaderOption = Annotated[
    list[str] | None,
    typer.Option(
        "--prometheus-header",
        metavar="'NAME: VALUE'",
        rich_help_panel=PROMETHEUS,
        help="A header of every query, for example 'X-Scope-OrgID: team-a'. Repeatable.",
    ),
]
PrometheusHeaderFileOption = Annotated[
    list[str] | None,
    typer.Option(
        "--prometheus-header-file",
        metavar="NAME=FILE",
        rich_help_panel=PROMETHEUS,
        help="A header whose value is a secret: it is read from the file. Repeatable.",
    ),
]
PrometheusTokenFileOption = Annotated[
    Path | None,
    typer.Option(
        "--prometheus-token-file",
        metavar="FILE",
        rich_help_panel=PROMETHEUS,
        help="File with a bearer token; it is read again for every query.",
    ),
]
CaFileOption = Annotated[
    Path | None,
    typer.Option(
        "--ca-file",
        metavar="FILE",
        rich_help_panel=PROMETHEUS,
        help="Certificates (PEM) of the authorities that may sign the server's certificate.",
    ),
]
TimeoutOption = Annotated[
    str | None,
    typer.Option(
        "--timeout",
        metavar="DURATION",
        rich_help_panel=PROMETHEUS,
        help="How long one query may take, for example 2m. Default: prometheus.timeout.",
    ),
]
SelectorOption = Annotated[
    list[str] | None,
    typer.Option(
        "--selector",
        metavar="LABEL=VALUE",
        rich_help_panel=PROMETHEUS,
        help="Only series with this label, for example cluster=prod. Repeatable.",
    ),
]
StepOption = Annotated[
    str | None,
    typer.Option(
        "--step",
        metavar="DURATION",
        rich_help_panel=PROMETHEUS,
        help="Resolution in which the history is read: a part of an hour such as 5m. Longer steps "
        "are quicker to read and keep every peak. Default: 1m, the last ten minutes as scraped.",
    ),
]
