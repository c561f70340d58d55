"""Options that several commands share, declared once.  Names are kubectl's where it has them.

Those that name a Prometheus are ``prometheus_options``.
"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from autoscaler.cli.output import Format
from autoscaler.cli.terminal import ProgressMode

INPUT, CHOICE, OUTPUT, GENERAL = "Input", "Selection", "Output", "General"


class Only(StrEnum):
    """Kinds of findings."""

    SAVINGS = "savings"
    RISKS = "risks"
    UNKNOWN = "unknown"


class FailOn(StrEnum):
    """From which severity on a command ends with exit code 1."""

    CRITICAL = "critical"
    WARNING = "warning"
    SAVING = "saving"
    UNKNOWN = "unknown"
    NONE = "none"


class SeverityName(StrEnum):
    """Severities, most urgent first."""

    CRITICAL = "critical"
    WARNING = "warning"
    SAVING = "saving"
    UNKNOWN = "unknown"
    UNSET = "unset"
    OK = "ok"


class SortBy(StrEnum):
    """Orders of a report; risk stands before saving in each."""

    RISK = "risk"
    MONEY = "money"
    NAME = "name"
    CHANGE = "change"


class Grade(StrEnum):
    """Grades of confidence, best first."""

    A = "A"
    B = "B"
    C = "C"
    D = "D"


UsageOption = Annotated[
    Path,
    typer.Option(
        "--from",
        metavar="USAGE",
        rich_help_panel=INPUT,
        help="Recorded usage: long CSV (also gzip) or Parquet with ts, resource, value, and "
        "series_id or namespace, workload, worker.",
    ),
]
UsageOrServerOption = Annotated[
    Path | None,
    typer.Option(
        "--from",
        metavar="USAGE",
        rich_help_panel=INPUT,
        help="Recorded usage in place of a Prometheus: long CSV (also gzip) or Parquet with ts, "
        "resource, value, and series_id or namespace, workload, worker.",
    ),
]
WorkloadsOption = Annotated[
    Path | None,
    typer.Option(
        "--workloads",
        metavar="FILE",
        rich_help_panel=INPUT,
        help="What is in force: a YAML or CSV file with a row per workload.",
    ),
]
ProfilesOption = Annotated[
    Path | None,
    typer.Option(
        "--profiles",
        metavar="PATH",
        rich_help_panel=INPUT,
        help="WorkloadProfile manifests: a YAML file, or a folder of them.",
    ),
]
GpuModelOption = Annotated[
    str | None,
    typer.Option(
        "--gpu-model",
        metavar="MODEL",
        rich_help_panel=INPUT,
        help="GPU model of workloads that state none, for example A100: percent becomes TFLOPS.",
    ),
]
UntilOption = Annotated[
    str | None,
    typer.Option(
        "--until",
        metavar="TIME",
        rich_help_panel=INPUT,
        help="The time that counts as now; later samples are left out. "
        "Default: one step after the last sample of a file; of a server, this moment.",
    ),
]
SinceOption = Annotated[
    str | None,
    typer.Option(
        "--since",
        metavar="DURATION",
        rich_help_panel=INPUT,
        help="How much usage before now is read, for example 14d. Default: report.since.",
    ),
]
ConfigOption = Annotated[
    Path | None,
    typer.Option(
        "--config",
        metavar="FILE",
        rich_help_panel=GENERAL,
        help="Settings of the process (YAML); see tfa config show.",
    ),
]
FormatOption = Annotated[
    Format | None,
    typer.Option(
        "-o",
        "--output",
        rich_help_panel=OUTPUT,
        help="Format of the result. Default: table, or what the suffix of --out says.",
    ),
]
OutOption = Annotated[
    list[str] | None,
    typer.Option(
        "--out",
        metavar="FILE",
        rich_help_panel=OUTPUT,
        help="Write the result into a file in place of stdout. FORMAT=FILE writes a copy beside "
        "it (html=report.html); kustomize writes a folder. Repeatable.",
    ),
]
WideOption = Annotated[
    bool,
    typer.Option("--wide", rich_help_panel=OUTPUT, help="Table: all columns, however wide."),
]
NoColorOption = Annotated[
    bool,
    typer.Option("--no-color", rich_help_panel=OUTPUT, help="No colours; NO_COLOR does the same."),
]
NamespaceOption = Annotated[
    list[str] | None,
    typer.Option(
        "-n",
        "--namespace",
        metavar="GLOB",
        rich_help_panel=CHOICE,
        help="Only namespaces that match, for example team-*. Repeatable.",
    ),
]
GroupByOption = Annotated[
    str | None,
    typer.Option(
        "--group-by",
        metavar="KEY",
        rich_help_panel=CHOICE,
        help="namespace, pool or label:NAME.",
    ),
]
SortOption = Annotated[
    SortBy,
    typer.Option("--sort", rich_help_panel=CHOICE, help="Order; risk always before saving."),
]
MinSeverityOption = Annotated[
    SeverityName | None,
    typer.Option("--min-severity", rich_help_panel=CHOICE, help="Only items at least as urgent."),
]
MinChangeOption = Annotated[
    str | None,
    typer.Option(
        "--min-change",
        metavar="PERCENT",
        rich_help_panel=CHOICE,
        help="Only items that would change by at least so much, for example 10%.",
    ),
]
MinConfidenceOption = Annotated[
    Grade | None,
    typer.Option("--min-confidence", rich_help_panel=CHOICE, help="Only items at least as sure."),
]
OnlyOption = Annotated[
    Only | None,
    typer.Option("--only", rich_help_panel=CHOICE, help="Only one kind of finding."),
]
IncludeOkOption = Annotated[
    bool,
    typer.Option(
        "--include-ok",
        rich_help_panel=CHOICE,
        help="Table and Markdown: show items that need no change too.",
    ),
]
LimitOption = Annotated[
    int | None,
    typer.Option(
        "--limit",
        min=1,
        rich_help_panel=CHOICE,
        help="Table and Markdown: show at most so many items, and count the rest.",
    ),
]
FailOnOption = Annotated[
    FailOn,
    typer.Option(
        "--fail-on",
        rich_help_panel=OUTPUT,
        help="End with exit code 1 when there is a finding at least as urgent.",
    ),
]
NoWhatIfOption = Annotated[
    bool,
    typer.Option(
        "--no-what-if",
        rich_help_panel=INPUT,
        help="Skip the back-test of the recommendations on the measured usage: faster.",
    ),
]
QuietOption = Annotated[
    bool,
    typer.Option("-q", "--quiet", rich_help_panel=GENERAL, help="Only errors on stderr."),
]
VerboseOption = Annotated[
    int,
    typer.Option(
        "-v",
        "--verbose",
        count=True,
        rich_help_panel=GENERAL,
        help="More on stderr.",
    ),
]
ProgressOption = Annotated[
    ProgressMode,
    typer.Option(
        "--progress",
        rich_help_panel=GENERAL,
        help="Progress on stderr: auto shows it on a terminal.",
    ),
]
