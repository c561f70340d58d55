"""``tfa crds``: the definitions of the kinds, and ``tfa crds remove``, their explicit end."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from autoscaler.api.names import NAMESPACE
from autoscaler.cli.service_options import KubeconfigOption, NamespaceOption

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


app = typer.Typer(
    invoke_without_command=True,
    help="Print the CustomResourceDefinitions: tfa crds | kubectl apply --server-side -f -.",
)


@app.callback()
def command(
    context: typer.Context, name: NamesOption = None, output_dir: OutputDirOption = None
) -> None:
    """Print the CustomResourceDefinitions: tfa crds | kubectl apply --server-side -f -.

    Changes nothing in a cluster.
    """
    if context.invoked_subcommand is not None:
        return
    from autoscaler.cli.crds_run import run_crds

    run_crds(names=name or [], output_dir=output_dir)


@app.command("remove")
def remove(
    delete_data: Annotated[
        bool,
        typer.Option(
            "--delete-data",
            help="Say that every profile, workload, pool, quota, connection and GPU object is to "
            "be deleted.",
        ),
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only print what would be deleted; changes nothing.")
    ] = False,
    yes: Annotated[bool, typer.Option("-y", "--yes", help="Do not ask.")] = False,
    namespace: NamespaceOption = NAMESPACE,
    kubeconfig: KubeconfigOption = None,
) -> None:
    """Delete the CustomResourceDefinitions of a cluster, and with them all objects of their kinds.

    What an uninstall keeps ends here. Definitions of other operators, without our label, stay; so
    does everything while a controller is installed.
    """
    from autoscaler.cli.crds_remove import RemoveFlags, run_remove

    code = run_remove(
        RemoveFlags(
            deletes_data=delete_data,
            is_dry_run=dry_run,
            is_agreed=yes,
            namespace=namespace,
            kubeconfig=kubeconfig,
        )
    )
    raise typer.Exit(code)
