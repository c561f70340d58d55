"""``tfa controller``: the process that gives pods their GPUs and puts decisions in force."""

from __future__ import annotations

from typing import Annotated

import typer

from autoscaler.api.names import NAMESPACE
from autoscaler.cli.service_options import (
    INSTALLATION,
    PACE,
    SERVING,
    BindAddressOption,
    KubeconfigOption,
    LogFormatOption,
    NamespaceOption,
    RootOwnerOption,
    WriteRateOption,
)
from autoscaler.logs import LogFormat

WEBHOOK = "Webhook"


def command(
    namespace: NamespaceOption = NAMESPACE,
    standalone_workers: Annotated[
        bool,
        typer.Option(
            "--standalone-workers",
            rich_help_panel=INSTALLATION,
            help="Worker pods are created for stand-alone and remote workloads.",
        ),
    ] = False,
    root_owner: RootOwnerOption = None,
    webhook_replicas: Annotated[
        int,
        typer.Option(
            "--webhook-replicas",
            min=1,
            rich_help_panel=WEBHOOK,
            help="So many webhook processes must answer before pods are sent to them.",
        ),
    ] = 2,
    webhook_open_after: Annotated[
        str | None,
        typer.Option(
            "--webhook-open-after",
            metavar="DURATION",
            rich_help_panel=WEBHOOK,
            help="When no webhook process has answered for so long, pods are admitted without it. "
            "Default: never.",
        ),
    ] = None,
    webhook_url: Annotated[
        str | None,
        typer.Option(
            "--webhook-url",
            metavar="URL",
            rich_help_panel=WEBHOOK,
            help="Where the webhook answers if it runs outside the cluster. Default: its Service.",
        ),
    ] = None,
    external_certificate: Annotated[
        bool,
        typer.Option(
            "--external-certificate",
            rich_help_panel=WEBHOOK,
            help="Somebody else, such as cert-manager, writes the Secret of the certificate.",
        ),
    ] = False,
    release_after: Annotated[
        str,
        typer.Option(
            "--release-after",
            metavar="DURATION",
            rich_help_panel=PACE,
            help="A placed pod that the scheduler refuses for so long gives its GPUs back.",
        ),
    ] = "60s",
    resync: Annotated[
        str,
        typer.Option(
            "--resync",
            metavar="DURATION",
            rich_help_panel=PACE,
            help="How often everything is looked at again, and the books are checked.",
        ),
    ] = "5m",
    write_rate: WriteRateOption = 200.0,
    workers: Annotated[
        int,
        typer.Option(
            "--workers",
            min=1,
            max=64,
            rich_help_panel=PACE,
            help="Objects that are looked at at the same time.",
        ),
    ] = 8,
    bind_address: BindAddressOption = None,
    health_port: Annotated[
        int,
        typer.Option(
            "--health-port",
            min=1,
            max=65535,
            rich_help_panel=SERVING,
            help="Port without TLS: /healthz, /readyz, /metrics, /api/connection.",
        ),
    ] = 8080,
    kubeconfig: KubeconfigOption = None,
    log_format: LogFormatOption = LogFormat.TEXT,
) -> None:
    """Place admitted pods on GPUs, keep workloads and their status, put decisions in force.

    Runs until SIGTERM. Of several processes one works; each is ready once its caches are filled.
    """
    from autoscaler.cli.controller_run import ControllerFlags, run_controller

    run_controller(
        ControllerFlags(
            namespace=namespace,
            has_standalone_workers=standalone_workers,
            root_owners=tuple(root_owner or ()),
            webhook_replicas=webhook_replicas,
            webhook_open_after=webhook_open_after,
            webhook_url=webhook_url,
            is_certificate_external=external_certificate,
            release_after=release_after,
            resync=resync,
            write_rate_per_s=write_rate,
            workers=workers,
            address=bind_address,
            health_port=health_port,
            kubeconfig=kubeconfig,
            log_format=log_format,
        )
    )
