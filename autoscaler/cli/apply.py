"""``tfa apply``: writes recommendations as the stated values of workloads, when a person asks."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from autoscaler.cli.live_options import (
    URL,
    AutoscalerOption,
    AutoscalerTokenFileOption,
    LiveFlags,
)
from autoscaler.cli.options import (
    CHOICE,
    INPUT,
    OUTPUT,
    ConfigOption,
    GpuModelOption,
    MinChangeOption,
    MinConfidenceOption,
    MinSeverityOption,
    NamespaceOption,
    OnlyOption,
    ProfilesOption,
    ProgressOption,
    QuietOption,
    SinceOption,
    UntilOption,
    VerboseOption,
    WorkloadsOption,
)
from autoscaler.cli.prometheus_options import (
    CaFileOption,
    PrometheusHeaderFileOption,
    PrometheusHeaderOption,
    PrometheusMappingOption,
    PrometheusTokenFileOption,
    PrometheusUrlOption,
    SelectorOption,
    StepOption,
    TimeoutOption,
)
from autoscaler.cli.service_options import ContextOption, KubeconfigOption
from autoscaler.cli.terminal import ProgressMode, Terminal
from autoscaler.errors import UsageError

WRITING = "Writing"


class ApplyFormat(StrEnum):
    """Formats of what was written."""

    TABLE = "table"
    JSON = "json"


class DryRun(StrEnum):
    """How far a command goes, as with kubectl."""

    NONE = "none"
    CLIENT = "client"
    SERVER = "server"


class WriteTo(StrEnum):
    """Where a number is written."""

    STATED = "stated"
    TEMPLATE = "template"


WorkloadsArgument = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[NAMESPACE/]WORKLOAD...",
        help="Only these workloads; patterns such as 'team/chat-*'. Default: all of the report.",
    ),
]
FromOption = Annotated[
    Path | None,
    typer.Option(
        "--from",
        metavar="REPORT.json",
        rich_help_panel=INPUT,
        help="A saved report (tfa report -o json). Default: that of a running autoscaler "
        "(--autoscaler), else one that is computed now from a Prometheus, as tfa report does.",
    ),
]
MaxAgeOption = Annotated[
    str,
    typer.Option(
        "--max-age",
        metavar="DURATION",
        rich_help_panel=INPUT,
        help="Oldest report that is applied; its age counts from the end of its measurements.",
    ),
]
IncludeEnrolledOption = Annotated[
    bool,
    typer.Option(
        "--include-enrolled",
        rich_help_panel=CHOICE,
        help="Also numbers that the autoscaler sets itself, because their layer is enrolled.",
    ),
]
AllowChangedOption = Annotated[
    bool,
    typer.Option(
        "--allow-changed",
        rich_help_panel=CHOICE,
        help="Also numbers that are stated otherwise now than the report saw them.",
    ),
]
WriteToOption = Annotated[
    WriteTo,
    typer.Option(
        "--write-to",
        rich_help_panel=WRITING,
        help="stated: where a number stands today, which for a profile changes all its users; "
        "template: always the pod template of the workload's owner.",
    ),
]
DryRunOption = Annotated[
    DryRun,
    typer.Option(
        "--dry-run",
        rich_help_panel=WRITING,
        help="client: only print what would be written; server: let the server try it too; none: "
        "let the server try it, ask, and write.",
    ),
]
YesOption = Annotated[
    bool, typer.Option("-y", "--yes", rich_help_panel=WRITING, help="Do not ask.")
]
AuditFileOption = Annotated[
    Path | None,
    typer.Option(
        "--audit-file",
        metavar="FILE",
        rich_help_panel=WRITING,
        help="Append one line of JSON for each object that is written.",
    ),
]
OutputOption = Annotated[
    ApplyFormat,
    typer.Option("-o", "--output", rich_help_panel=OUTPUT, help="Format of the result."),
]


def command(
    workload: WorkloadsArgument = None,
    report: FromOption = None,
    prometheus_url: PrometheusUrlOption = None,
    prometheus_mapping: PrometheusMappingOption = None,
    prometheus_header: PrometheusHeaderOption = None,
    prometheus_header_file: PrometheusHeaderFileOption = None,
    prometheus_token_file: PrometheusTokenFileOption = None,
    ca_file: CaFileOption = None,
    timeout: TimeoutOption = None,
    selector: SelectorOption = None,
    step: StepOption = None,
    autoscaler: AutoscalerOption = None,
    autoscaler_token_file: AutoscalerTokenFileOption = None,
    workloads: WorkloadsOption = None,
    profiles: ProfilesOption = None,
    gpu_model: GpuModelOption = None,
    until: UntilOption = None,
    since: SinceOption = None,
    max_age: MaxAgeOption = "24h",
    namespace: NamespaceOption = None,
    min_severity: MinSeverityOption = None,
    min_change: MinChangeOption = None,
    min_confidence: MinConfidenceOption = None,
    only: OnlyOption = None,
    include_enrolled: IncludeEnrolledOption = False,
    allow_changed: AllowChangedOption = False,
    write_to: WriteToOption = WriteTo.STATED,
    dry_run: DryRunOption = DryRun.NONE,
    yes: YesOption = False,
    audit_file: AuditFileOption = None,
    output: OutputOption = ApplyFormat.TABLE,
    kubeconfig: KubeconfigOption = None,
    context: ContextOption = None,
    config: ConfigOption = None,
    quiet: QuietOption = False,
    verbose: VerboseOption = 0,
    progress: ProgressOption = ProgressMode.AUTO,
) -> None:
    """Write recommendations as the stated values of workloads: pod templates, or their profiles.

    The server tries everything first, then a person is asked. Status, running pods and replicas
    are never written. Exit code 4 when a number was refused or failed.
    """
    from autoscaler.applying.planning import ApplyRules
    from autoscaler.cli.apply_run import ApplyFlags, run_apply
    from autoscaler.cli.prometheus_flags import PrometheusFlags
    from autoscaler.cli.report_input import report_options
    from autoscaler.cli.report_run import Choice
    from autoscaler.cli.stated_input import StatedOptions

    server = PrometheusFlags(
        url=prometheus_url,
        mapping=prometheus_mapping,
        headers=tuple(prometheus_header or ()),
        header_files=tuple(prometheus_header_file or ()),
        token_file=prometheus_token_file,
        ca_file=ca_file,
        timeout=timeout,
        selectors=tuple(selector or ()),
    )
    if report is not None and (server.given or step is not None or autoscaler is not None):
        raise UsageError(f"give either --from REPORT.json, or a Prometheus or {URL}")
    stated = StatedOptions(
        workloads=workloads,
        profiles=profiles,
        gpu_model=gpu_model,
        until=until,
        since=since,
        config=config,
    )
    code = run_apply(
        ApplyFlags(
            saved=report,
            options=report_options(
                None,
                server,
                stated,
                step=step,
                live=LiveFlags(url=autoscaler, token_file=autoscaler_token_file, ca_file=ca_file),
            ),
            max_age=max_age,
            workloads=tuple(workload or ()),
            choice=Choice(
                namespaces=tuple(namespace or ()),
                min_severity=min_severity,
                min_change=min_change,
                min_confidence=min_confidence,
                only=only,
            ),
            rules=ApplyRules(
                has_enrolled=include_enrolled,
                has_changed=allow_changed,
                is_template_only=write_to is WriteTo.TEMPLATE,
            ),
            dry_run=dry_run,
            is_agreed=yes,
            audit_file=audit_file,
            output=output,
            kubeconfig=kubeconfig,
            context=context,
        ),
        Terminal(verbosity=-1 if quiet else verbose, progress_mode=progress),
    )
    raise typer.Exit(code)
