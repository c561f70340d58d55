"""Environments with nothing but an installed wheel and what it depends on."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.components.pythons import Python
from tests.components.wheelhouses import LOCK, wheelhouse

WITHOUT_INDEX = {"PIP_NO_INDEX": "1", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """An environment, and the folder in which its programs are run."""

    folder: Path
    scratch: Path
    python: Python

    def run(
        self, *command: object, variables: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a program, found in the environment first; nothing else of this process is seen."""
        path = f"{self.folder / 'bin'}:/usr/bin:/bin"
        home = {"HOME": str(self.scratch), "PATH": path, **(variables or {})}
        words = [str(word) for word in command]
        return subprocess.run(
            ["/usr/bin/env", *words],
            cwd=self.scratch,
            env=home,
            capture_output=True,
            text=True,
            check=False,
        )


def made_environment(python: Python, wheel: Path, folder: Path) -> Environment:
    """Make an empty environment, and install a wheel into it without a download.

    Raises ``AssertionError`` with what pip said.
    """
    subprocess.run([python.program, "-m", "venv", folder / "environment"], check=True)
    environment = Environment(folder=folder / "environment", scratch=folder, python=python)
    sources = ["--find-links", wheelhouse(python), "--constraint", LOCK]
    command = ["pip", "install", "--no-compile", *sources, wheel]
    installed = environment.run(*command, variables=WITHOUT_INDEX)
    assert installed.returncode == 0, installed.stderr
    return environment
