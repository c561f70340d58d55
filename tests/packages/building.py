"""Builds packages as ``make package`` does, from any folder of the sources."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Literal

from tests.autoscaler.agent.native.built import ROOT, ZIG

CACHES = dict.fromkeys(("ZIG_GLOBAL_CACHE_DIR", "ZIG_LOCAL_CACHE_DIR"), str(ZIG))


class PackageError(Exception):
    """A package was not built; the text is what was said."""


def build_package(
    target: Literal["wheel", "sdist"],
    into: Path,
    *,
    sources: Path = ROOT,
    architecture: str = "",
    epoch_s: int | None = None,
) -> Path:
    """Build one package into a folder of its own; return its path.  Raises ``PackageError``."""
    epoch = {} if epoch_s is None else {"SOURCE_DATE_EPOCH": str(epoch_s)}
    run = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--target", target, "--directory", into],
        cwd=sources,
        env=os.environ | CACHES | epoch | {"TFA_WHEEL_ARCHITECTURE": architecture},
        capture_output=True,
        text=True,
        check=False,
    )
    if run.returncode != 0:
        raise PackageError(run.stderr or run.stdout)
    [path] = into.iterdir()
    return path
