"""``tfa crds``: the definitions of the kinds, for an installation without the chart."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

NamesOption = Annotated[
    list[str] | None,
    typer.Option(
        "--name",
        metavar="KIND",
        help="Only this kind, by its name, plural or short name; may be repeated.",
    ),
]
OutputDirOption = Annotated[
    Path | None,
    typer.Option(
        "--output-dir",
        metavar="DIR",
        help="Write one file for each kind into this folder, in place of stdout.",
    ),
]


def command(name: NamesOption = None, output_dir: OutputDirOption = None) -> None:
    """Print the CustomResourceDefinitions: tfa crds | kubectl apply --server-side -f -.

    Changes nothing in a cluster.
    """
    from autoscaler.cli.crds_run import run_crds

    run_crds(names=name or [], output_dir=output_dir)
