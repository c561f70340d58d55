"""``tfa limiter``: the library that holds workers to their limits, out of the installed wheel."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def command(
    into: Annotated[
        Path,
        typer.Option("--into", metavar="FOLDER", help="Where the two files go; it is made."),
    ],
) -> None:
    """Copy the limiter into a folder: libtflimit.so, and install, which brings it into pods.

    Programs on a plain host are started with LD_PRELOAD=FOLDER/libtflimit.so. Both files are for
    the architecture of this machine.
    """
    from autoscaler.agent.native.shipped import copy_limiter
    from autoscaler.cli.output import print_result

    print_result("".join(f"{path}\n" for path in copy_limiter(into)))
