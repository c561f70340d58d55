"""``tfa webhook``: the process that the API server asks about pods and about our objects."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from autoscaler.api.names import NAMESPACE
from autoscaler.cli.service_options import (
    INSTALLATION,
    SERVING,
    BindAddressOption,
    KubeconfigOption,
    LogFormatOption,
    NamespaceOption,
    RootOwnerOption,
)
from autoscaler.logs import LogFormat


def command(
    limiter_image: Annotated[
        str,
        typer.Option(
            "--limiter-image",
            envvar="TFA_LIMITER_IMAGE",
            metavar="IMAGE",
            rich_help_panel=INSTALLATION,
            help="Image of the init container that brings the limiter, where a pool names none.",
        ),
    ],
    namespace: NamespaceOption = NAMESPACE,
    connection_endpoint: Annotated[
        str,
        typer.Option(
            "--connection-endpoint",
            metavar="URL",
            rich_help_panel=INSTALLATION,
            help="Where clients of remote workers ask for their connection.",
        ),
    ] = "",
    standalone_workers: Annotated[
        bool,
        typer.Option(
            "--standalone-workers",
            rich_help_panel=INSTALLATION,
            help="The controller may create worker pods.",
        ),
    ] = False,
    root_owner: RootOwnerOption = None,
    bind_address: BindAddressOption = None,
    port: Annotated[
        int,
        typer.Option("--port", min=1, max=65535, rich_help_panel=SERVING, help="Port with TLS."),
    ] = 9443,
    health_port: Annotated[
        int,
        typer.Option(
            "--health-port",
            min=1,
            max=65535,
            rich_help_panel=SERVING,
            help="Port without TLS: /healthz, /readyz, /metrics.",
        ),
    ] = 8080,
    certificate_file: Annotated[
        Path | None,
        typer.Option(
            "--certificate-file",
            metavar="FILE",
            rich_help_panel=SERVING,
            help="Chain to serve with (PEM), read again when it changes. Default: that of the "
            "Secret which the controller keeps.",
        ),
    ] = None,
    key_file: Annotated[
        Path | None,
        typer.Option(
            "--key-file",
            metavar="FILE",
            rich_help_panel=SERVING,
            help="Key of --certificate-file (PEM).",
        ),
    ] = None,
    drain: Annotated[
        str,
        typer.Option(
            "--drain",
            metavar="DURATION",
            rich_help_panel=SERVING,
            help="How long requests are answered after SIGTERM, while /readyz fails already.",
        ),
    ] = "10s",
    kubeconfig: KubeconfigOption = None,
    log_format: LogFormatOption = LogFormat.TEXT,
) -> None:
    """Admit pods and validate our objects for the API server; writes nothing.

    Runs until SIGTERM. Ready once its caches hold what the cluster has and there is a certificate.
    """
    from autoscaler.cli.webhook_run import WebhookFlags, run_webhook

    run_webhook(
        WebhookFlags(
            namespace=namespace,
            limiter_image=limiter_image,
            connection_endpoint=connection_endpoint,
            has_standalone_workers=standalone_workers,
            root_owners=tuple(root_owner or ()),
            address=bind_address,
            port=port,
            health_port=health_port,
            certificate_file=certificate_file,
            key_file=key_file,
            drain=drain,
            kubeconfig=kubeconfig,
            log_format=log_format,
        )
    )
