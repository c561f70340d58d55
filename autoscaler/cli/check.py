"""``tfa check``: the doctor, which looks at what the autoscaler needs and says what to mend."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from autoscaler.api.names import NAMESPACE
from autoscaler.cli.options import (
    OUTPUT,
    ConfigOption,
    NoColorOption,
    ProgressOption,
    QuietOption,
    SinceOption,
    VerboseOption,
)
from autoscaler.cli.prometheus_options import (
    CaFileOption,
    PrometheusHeaderFileOption,
    PrometheusHeaderOption,
    PrometheusMappingOption,
    PrometheusTokenFileOption,
    PrometheusUrlOption,
    SelectorOption,
    TimeoutOption,
)
from autoscaler.cli.service_options import ContextOption, KubeconfigOption, checked_namespace
from autoscaler.cli.terminal import ProgressMode, Terminal
from autoscaler.errors import UsageError

CLUSTER = "Cluster"


class CheckFormat(StrEnum):
    """Formats of the findings."""

    TABLE = "table"
    JSON = "json"


FindingsOption = Annotated[
    CheckFormat,
    typer.Option("-o", "--output", rich_help_panel=OUTPUT, help="Format of the findings."),
]


FilesArgument = Annotated[
    list[Path] | None,
    typer.Argument(
        metavar="FILE",
        help="Files to look at in place of server and cluster: manifests, settings, workloads "
        "files, folders of them, - for standard input; several may be named.",
        show_default=False,
    ),
]


def command(
    files: FilesArgument = None,
    prometheus_url: PrometheusUrlOption = None,
    prometheus_mapping: PrometheusMappingOption = None,
    prometheus_header: PrometheusHeaderOption = None,
    prometheus_header_file: PrometheusHeaderFileOption = None,
    prometheus_token_file: PrometheusTokenFileOption = None,
    ca_file: CaFileOption = None,
    timeout: TimeoutOption = None,
    selector: SelectorOption = None,
    since: SinceOption = None,
    namespace: Annotated[
        str,
        typer.Option(
            "-n",
            "--namespace",
            metavar="NAME",
            callback=checked_namespace,
            rich_help_panel=CLUSTER,
            help="Namespace of the installation.",
        ),
    ] = NAMESPACE,
    kubeconfig: KubeconfigOption = None,
    context: ContextOption = None,
    no_cluster: Annotated[
        bool,
        typer.Option(
            "--no-cluster", rich_help_panel=CLUSTER, help="Look at the metrics source alone."
        ),
    ] = False,
    output: FindingsOption = CheckFormat.TABLE,
    no_color: NoColorOption = False,
    config: ConfigOption = None,
    quiet: QuietOption = False,
    verbose: VerboseOption = 0,
    progress: ProgressOption = ProgressMode.AUTO,
) -> None:
    """Look at the metrics source and the cluster as the autoscaler would use them; changes nothing.

    Each finding is ok, warning, failed or skipped, and says what to do. With files named, only
    these are looked at, and each problem is told with line and column. Exit code 3 when something
    failed; warnings leave it at 0.
    """
    terminal = Terminal(verbosity=-1 if quiet else verbose, progress_mode=progress)
    if files:
        from autoscaler.cli.check_files_run import run_check_files

        _refuse_beside_files(
            {
                "--prometheus-url": prometheus_url,
                "--kubeconfig": kubeconfig,
                "--context": context,
                "--since": since,
            }
        )
        raise typer.Exit(run_check_files(files, config=config, output=output, terminal=terminal))
    from autoscaler.checking.cluster import ClusterFlags
    from autoscaler.cli.check_run import run_check
    from autoscaler.cli.prometheus_flags import PrometheusFlags

    code = run_check(
        PrometheusFlags(
            url=prometheus_url,
            mapping=prometheus_mapping,
            headers=tuple(prometheus_header or ()),
            header_files=tuple(prometheus_header_file or ()),
            token_file=prometheus_token_file,
            ca_file=ca_file,
            timeout=timeout,
            selectors=tuple(selector or ()),
        ),
        ClusterFlags(
            namespace=namespace, kubeconfig=kubeconfig, context=context, is_left_out=no_cluster
        ),
        since=since,
        config=config,
        output=output,
        is_plain=no_color,
        terminal=terminal,
    )
    raise typer.Exit(code)


def _refuse_beside_files(options: Mapping[str, object]) -> None:
    given = [name for name, value in options.items() if value is not None]
    if given:
        raise UsageError(
            f"{', '.join(given)}: no server and no cluster is asked where files are named; leave "
            "one of the two out"
        )
