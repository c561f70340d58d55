"""``tfa config``: every setting with its value, default, source and meaning."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from autoscaler.cli.options import ConfigOption, ProfilesOption, WorkloadsOption
from autoscaler.cli.output import print_result

app = typer.Typer(no_args_is_help=True, help="Settings: what is in force, and their JSON Schema.")


class TextFormat(StrEnum):
    """Formats of a list of settings."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"
    CSV = "csv"


class SchemaOf(StrEnum):
    """What a JSON Schema can be printed of."""

    AUTO_SCALING_CONFIG = "autoScalingConfig"
    WORKLOADS = "workloads"
    REPORT = "report"
    PROFILE = "profile"
    POOL = "pool"
    QUOTA = "quota"
    SETTINGS = "settings"


@app.command("show")
def show(
    profile: Annotated[
        Path | None,
        typer.Option(
            "--profile",
            metavar="FILE",
            help="Policy of a WorkloadProfile manifest, or of an autoScalingConfig alone.",
        ),
    ] = None,
    workloads: WorkloadsOption = None,
    profiles: ProfilesOption = None,
    workload: Annotated[
        str | None,
        typer.Option(
            "--workload", metavar="NS/NAME", help="Only this workload of the workloads file."
        ),
    ] = None,
    config: ConfigOption = None,
    output: Annotated[
        TextFormat, typer.Option("-o", "--output", help="Format of the result.")
    ] = TextFormat.TABLE,
) -> None:
    """Print every setting: value, default, source and meaning.

    Without a file these are the defaults of the process and of a workload's policy.
    """
    from autoscaler.cli.settings_table import render_settings, settings_rows

    rows = settings_rows(
        profile=profile,
        workloads=workloads,
        profiles=profiles,
        workload=workload,
        config=config,
    )
    print_result(render_settings(rows, output))


@app.command("schema")
def schema(
    of: Annotated[SchemaOf, typer.Argument(help="Which schema.")] = SchemaOf.AUTO_SCALING_CONFIG,
) -> None:
    """Print a JSON Schema (draft 2020-12)."""
    from autoscaler.cli.settings_table import schema_text

    print_result(schema_text(of))
