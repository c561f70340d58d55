"""Options of ``tfa autoscaler`` that no other command has."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from autoscaler.cli.options import INPUT
from autoscaler.cli.service_options import INSTALLATION, PACE, SERVING
from autoscaler.scaling.running.profile import Profile

SCALER = "External scalers"


def _port(flag: str, meaning: str) -> typer.models.OptionInfo:
    option: typer.models.OptionInfo = typer.Option(
        flag, min=1, max=65535, rich_help_panel=SERVING, help=meaning
    )
    return option


def _duration(flag: str, meaning: str, panel: str = PACE) -> typer.models.OptionInfo:
    option: typer.models.OptionInfo = typer.Option(
        flag, metavar="DURATION", rich_help_panel=panel, help=meaning
    )
    return option


ProfileOption = Annotated[
    Profile,
    typer.Option(
        "--profile",
        rich_help_panel=INSTALLATION,
        help="full: workloads of the API server, and decisions go into their status. "
        "recommend-only: what the metrics show, no API server, nothing is changed. "
        "beside-upstream: workers of another operator, which asks for decisions.",
    ),
]
NamespaceSelectorOption = Annotated[
    str,
    typer.Option(
        "--namespace-selector",
        metavar="LABELS",
        rich_help_panel=INSTALLATION,
        help="Only workloads in namespaces with these labels, for example team=search. "
        "Needs --instance.",
    ),
]
InstanceOption = Annotated[
    str,
    typer.Option(
        "--instance",
        metavar="NAME",
        rich_help_panel=INSTALLATION,
        help="Name of this instance, where several share a cluster; part of its Lease's name.",
    ),
]
ScalableOption = Annotated[
    list[str] | None,
    typer.Option(
        "--scalable",
        metavar="KIND.GROUP",
        rich_help_panel=INSTALLATION,
        help="A kind of owners whose replicas are set by their scale subresource; it needs the "
        "right to. Repeatable. Default: Deployment.apps and StatefulSet.apps.",
    ),
]
WebhookUrlOption = Annotated[
    str | None,
    typer.Option(
        "--webhook-url",
        metavar="URL",
        rich_help_panel=INSTALLATION,
        help="Where the webhook answers if it runs outside the cluster. Default: its Service.",
    ),
]
TickOption = Annotated[
    str, _duration("--tick", "Between two looks at limits and replicas; from 1s to 5m.")
]
RequestsEveryOption = Annotated[
    str,
    _duration(
        "--requests-every",
        "Between two looks at requests; from 1s to 1d. Each workload is evaluated when its own "
        "evaluationPeriod has passed.",
    ),
]
RawStepOption = Annotated[
    str, _duration("--step", "Resolution in which the last minutes are read; from 1s to 1m.")
]
StateFileOption = Annotated[
    Path | None,
    typer.Option(
        "--state-file",
        metavar="FILE",
        rich_help_panel=PACE,
        help="Where measured use and decisions are kept between starts. Default: nowhere, and the "
        "history is read at every start.",
    ),
]
CheckpointEveryOption = Annotated[
    str, _duration("--checkpoint-every", "How often the state file is written.")
]
TrainEveryOption = Annotated[
    str,
    _duration(
        "--train-every",
        "How often the models that forecast for the whole fleet are trained; 1m and longer.",
    ),
]
WritersOption = Annotated[
    int,
    typer.Option(
        "--workers",
        min=1,
        max=64,
        rich_help_panel=PACE,
        help="Workloads that are written at the same time.",
    ),
]
DecisionLogOption = Annotated[
    Path | None,
    typer.Option(
        "--decision-log",
        metavar="FILE",
        rich_help_panel=INPUT,
        help="Every new decision and every change is appended to this file, one JSON object a "
        "line. Default: none.",
    ),
]
ScalerAllowOption = Annotated[
    list[str] | None,
    typer.Option(
        "--external-scaler-allow",
        metavar="HOST[:PORT]",
        rich_help_panel=SCALER,
        help="A host that workloads may name as their external scaler; *.example.com is every host "
        "below example.com. Repeatable. Default: none.",
    ),
]
ScalerCaFileOption = Annotated[
    Path | None,
    typer.Option(
        "--external-scaler-ca-file",
        metavar="FILE",
        exists=True,
        dir_okay=False,
        readable=True,
        rich_help_panel=SCALER,
        help="Authorities that sign the certificates of those hosts. Default: those of the image.",
    ),
]
ScalerTokenFileOption = Annotated[
    Path | None,
    typer.Option(
        "--external-scaler-token-file",
        metavar="FILE",
        rich_help_panel=SCALER,
        help="File with the token of those who ask this process as an external scaler. Default: "
        "nobody may.",
    ),
]
HealthPortOption = Annotated[int, _port("--health-port", "Port of /healthz, /readyz, /metrics.")]
PagePortOption = Annotated[
    int, _port("--page-port", "Port of the review page, its JSON API, and external scaling.")
]
PageAddressOption = Annotated[
    str,
    typer.Option(
        "--page-address",
        metavar="IP",
        rich_help_panel=SERVING,
        help="Address of this process for the other ones of the installation: one that does not "
        "work passes readers of its page on to the one that does. Default: it says so.",
    ),
]
PageTokenFileOption = Annotated[
    Path | None,
    typer.Option(
        "--page-token-file",
        metavar="FILE",
        rich_help_panel=SERVING,
        help="File with the token that readers of page and API must bring. Default: everybody who "
        "reaches the port may read.",
    ),
]
PageEveryOption = Annotated[
    str,
    _duration("--page-every", "How often the page is made anew while somebody reads it.", SERVING),
]
NoWorkloadMetricsOption = Annotated[
    bool,
    typer.Option(
        "--no-workload-metrics",
        rich_help_panel=SERVING,
        help="Leave out the metrics of single workloads, some 18 series for each.",
    ),
]
