"""Pythons of this machine that the project supports: those on PATH, and pyenv's."""

from __future__ import annotations

import functools
import os
import platform
import re
import shutil
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
CLASSIFIER = re.compile(r"Programming Language :: Python :: 3\.(\d+)$")
ASK = (
    "import ensurepip, sys, venv; print('.'.join(map(str, sys.version_info[:3])), sys.base_prefix)"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Python:
    """An interpreter that can make environments."""

    program: Path
    release: str
    """``3.13.0``."""
    prefix: Path
    """Where its standard library is, below ``lib``."""

    @property
    def minor(self) -> int:
        """Return 13 of 3.13."""
        return int(self.release.split(".")[1])


@functools.cache
def project() -> dict[str, Any]:
    """Return the table ``project`` of ``pyproject.toml``."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    table: dict[str, Any] = tomllib.loads(text)["project"]
    return table


def supported_minors() -> list[int]:
    """Return the minor releases that the project promises, in their order."""
    found = map(CLASSIFIER.match, project()["classifiers"])
    return sorted(int(each[1]) for each in found if each is not None)


@functools.cache
def oldest_and_newest() -> tuple[Python, ...]:
    """Return the oldest and the newest supported Python of this machine; one where it has one."""
    known = (_first(minor) for minor in supported_minors())
    pythons = [python for python in known if python is not None] or [_this()]
    return tuple({python.minor: python for python in (pythons[0], pythons[-1])}.values())


def _this() -> Python:
    """Return the Python that runs this, supported or not."""
    program = Path(sys.base_prefix, "bin", f"python3.{sys.version_info.minor}")
    release = platform.python_version()
    return Python(program=program, release=release, prefix=Path(sys.base_prefix))


def _first(minor: int) -> Python | None:
    return next((python for path in _places(minor) if (python := _asked(path, minor))), None)


def _places(minor: int) -> list[Path]:
    """Return where such a Python may be; the one that runs this comes first."""
    name = f"python3.{minor}"
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    on_path = shutil.which(name)
    return [
        Path(sys.base_prefix, "bin", name),
        *sorted(pyenv.glob(f"versions/3.{minor}.*/bin/{name}"), reverse=True),
        *([Path(on_path)] if on_path else []),
    ]


def _asked(path: Path, minor: int) -> Python | None:
    """Return the Python at a path; None where it is another, or cannot make environments."""
    if not path.exists():
        return None
    run = subprocess.run([path, "-I", "-c", ASK], capture_output=True, text=True, check=False)
    release, _, prefix = run.stdout.strip().partition(" ")
    if run.returncode != 0 or not release.startswith(f"3.{minor}."):
        return None
    return Python(program=path, release=release, prefix=Path(prefix))
