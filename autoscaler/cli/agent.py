"""``tfa agent``: the process of a node with GPUs, and ``tfa agent top``, a look at it."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from autoscaler.agent.backstops.policy import Backstop
from autoscaler.cli.options import OUTPUT, ConfigOption
from autoscaler.cli.service_options import (
    PACE,
    SERVING,
    BindAddressOption,
    KubeconfigOption,
    LogFormatOption,
)
from autoscaler.logs import LogFormat

NODE, LIMITS = "Node", "Limits"
PORT = 8080


class TopFormat(StrEnum):
    """Formats of one look."""

    TABLE = "table"
    JSON = "json"


app = typer.Typer(
    invoke_without_command=True,
    help="Meter the workers of this node, keep them to their limits, and export what they use.",
)


@app.callback()
def command(
    context: typer.Context,
    node: Annotated[
        str | None,
        typer.Option(
            "--node",
            metavar="NAME",
            envvar="TFA_NODE",
            rich_help_panel=NODE,
            help="Name of this node in the cluster. Default: the name of the host.",
        ),
    ] = None,
    standalone: Annotated[
        Path | None,
        typer.Option(
            "--standalone",
            metavar="FILE",
            rich_help_panel=NODE,
            help="Without Kubernetes: the workers of this host and their limits, from a file that "
            "is read again when it changes.",
        ),
    ] = None,
    kubelet_root: Annotated[
        Path,
        typer.Option(
            "--kubelet-root",
            metavar="FOLDER",
            rich_help_panel=NODE,
            help="Folder of the kubelet, in which the volumes of pods lie.",
        ),
    ] = Path("/var/lib/kubelet"),
    nvml: Annotated[
        Path | None,
        typer.Option(
            "--nvml",
            metavar="FILE",
            rich_help_panel=NODE,
            help="NVML library of the driver. Default: libnvidia-ml.so.1, as the loader finds it.",
        ),
    ] = None,
    burst: Annotated[
        str,
        typer.Option(
            "--burst",
            metavar="DURATION",
            rich_help_panel=LIMITS,
            help="Time without launches that a worker may catch up at once. 0s: the limiter's own, "
            "20ms.",
        ),
    ] = "0s",
    in_flight: Annotated[
        str,
        typer.Option(
            "--in-flight",
            metavar="DURATION",
            rich_help_panel=LIMITS,
            help="Device time that one process may have launched ahead on a GPU. 0s: the limiter's "
            "own, 50ms.",
        ),
    ] = "0s",
    count_contexts: Annotated[
        bool,
        typer.Option(
            "--count-contexts/--no-count-contexts",
            rich_help_panel=LIMITS,
            help="VRAM that contexts themselves take counts for the limit of a worker.",
        ),
    ] = True,
    backstop: Annotated[
        Backstop,
        typer.Option(
            "--backstop",
            rich_help_panel=LIMITS,
            help="What is done to a worker whose use is unaccounted.",
        ),
    ] = Backstop.LOG,
    inventory: Annotated[
        str,
        typer.Option(
            "--inventory",
            metavar="DURATION",
            rich_help_panel=PACE,
            help="How often the GPUs of the node are looked for again.",
        ),
    ] = "30s",
    bind_address: BindAddressOption = None,
    health_port: Annotated[
        int,
        typer.Option(
            "--health-port",
            min=1,
            max=65535,
            rich_help_panel=SERVING,
            help="Port without TLS: /healthz, /readyz, /metrics, /api/node.",
        ),
    ] = PORT,
    config: ConfigOption = None,
    kubeconfig: KubeconfigOption = None,
    log_format: LogFormatOption = LogFormat.TEXT,
) -> None:
    """Find the GPUs of this node, keep its workers to their limits, and export what they use.

    Runs until SIGTERM; running workers keep their limits while no agent runs.
    """
    if context.invoked_subcommand is not None:
        return
    from autoscaler.cli.agent_run import AgentFlags, run_agent

    run_agent(
        AgentFlags(
            node=node,
            standalone=standalone,
            kubelet_root=kubelet_root,
            nvml=nvml,
            burst=burst,
            in_flight=in_flight,
            counts_contexts=count_contexts,
            backstop=backstop,
            inventory=inventory,
            address=bind_address,
            health_port=health_port,
            config=config,
            kubeconfig=kubeconfig,
            log_format=log_format,
        )
    )


@app.command("top")
def top(
    address: Annotated[
        str,
        typer.Option(
            "--address",
            metavar="HOST:PORT",
            envvar="TFA_AGENT",
            help="Where the agent answers.",
        ),
    ] = f"127.0.0.1:{PORT}",
    interval: Annotated[
        str, typer.Option("--interval", metavar="DURATION", help="Pause between two looks.")
    ] = "2s",
    once: Annotated[bool, typer.Option("--once", help="Show one interval and end.")] = False,
    output: Annotated[
        TopFormat,
        typer.Option("-o", "--output", rich_help_panel=OUTPUT, help="Format; json is of one look."),
    ] = TopFormat.TABLE,
) -> None:
    """Show the GPUs and workers of a node, live: what they use, and what bounds them."""
    from autoscaler.cli.agent_top import TopFlags, run_top

    run_top(TopFlags(address=address, interval=interval, is_once=once, output=output))
