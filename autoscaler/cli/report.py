"""``tfa report``: recommendations for all workloads; changes nothing."""

from __future__ import annotations

import typer

from autoscaler.cli.live_options import AutoscalerOption, AutoscalerTokenFileOption, LiveFlags
from autoscaler.cli.options import (
    ConfigOption,
    FailOn,
    FailOnOption,
    FormatOption,
    GpuModelOption,
    GroupByOption,
    IncludeOkOption,
    LimitOption,
    MinChangeOption,
    MinConfidenceOption,
    MinSeverityOption,
    NamespaceOption,
    NoColorOption,
    NoWhatIfOption,
    OnlyOption,
    OutOption,
    ProfilesOption,
    ProgressOption,
    QuietOption,
    SinceOption,
    SortBy,
    SortOption,
    UntilOption,
    UsageOrServerOption,
    VerboseOption,
    WideOption,
    WorkloadsOption,
)
from autoscaler.cli.output import destinations
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
from autoscaler.cli.terminal import ProgressMode, Terminal


def command(
    usage: UsageOrServerOption = None,
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
    no_what_if: NoWhatIfOption = False,
    namespace: NamespaceOption = None,
    group_by: GroupByOption = None,
    sort: SortOption = SortBy.RISK,
    min_severity: MinSeverityOption = None,
    min_change: MinChangeOption = None,
    min_confidence: MinConfidenceOption = None,
    only: OnlyOption = None,
    include_ok: IncludeOkOption = False,
    limit: LimitOption = None,
    output: FormatOption = None,
    out: OutOption = None,
    fail_on: FailOnOption = FailOn.NONE,
    wide: WideOption = False,
    no_color: NoColorOption = False,
    config: ConfigOption = None,
    quiet: QuietOption = False,
    verbose: VerboseOption = 0,
    progress: ProgressOption = ProgressMode.AUTO,
) -> None:
    """Compute recommendations from measured usage and explain them; changes nothing.

    The usage is that of a Prometheus (--prometheus-url) or of a file (--from); a running
    autoscaler (--autoscaler) has a report that is finished.
    stdout carries the result alone, notes and progress go to stderr.
    """
    targets = destinations(output, out or [])
    from autoscaler.cli.prometheus_flags import PrometheusFlags
    from autoscaler.cli.rendering import Look
    from autoscaler.cli.report_input import report_options
    from autoscaler.cli.report_run import Choice, run_report
    from autoscaler.cli.stated_input import StatedOptions

    terminal = Terminal(verbosity=-1 if quiet else verbose, progress_mode=progress)
    code = run_report(
        report_options(
            usage,
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
            StatedOptions(
                workloads=workloads,
                profiles=profiles,
                gpu_model=gpu_model,
                until=until,
                since=since,
                config=config,
            ),
            step=step,
            live=LiveFlags(url=autoscaler, token_file=autoscaler_token_file, ca_file=ca_file),
            has_what_if=not no_what_if,
        ),
        Choice(
            namespaces=tuple(namespace or ()),
            sort=sort,
            min_severity=min_severity,
            min_change=min_change,
            min_confidence=min_confidence,
            only=only,
        ),
        Look(
            is_wide=wide,
            is_plain=no_color,
            include_ok=include_ok,
            limit=limit,
            group_by=group_by,
        ),
        targets,
        fail_on=fail_on,
        has_what_if=not no_what_if,
        terminal=terminal,
    )
    raise typer.Exit(code)
