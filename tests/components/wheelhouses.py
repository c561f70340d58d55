"""What an installation needs as wheels: tests install from these, and download nothing.

``python -m tests.components.wheelhouses`` fills a folder for the oldest and one for the newest
supported Python of this machine, with the releases of ``requirements.lock`` (33 s and 170 MB each).
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.components.builds import cache_folder
from tests.components.pythons import ROOT, Python, oldest_and_newest, project

LOCK = ROOT / "requirements.lock"
EXTRAS = ("pod-resources",)
"""What the image has beside the plain dependencies."""


def requirements() -> list[str]:
    """Return what the project depends on, with ``EXTRAS``."""
    optional = project()["optional-dependencies"]
    return [*project()["dependencies"], *(each for extra in EXTRAS for each in optional[extra])]


def wheelhouse(python: Python) -> Path:
    """Return the folder of the wheels for a Python; it may not be there yet."""
    key = hashlib.sha256("\0".join([LOCK.read_text("utf-8"), *requirements()]).encode())
    return cache_folder() / f"wheels-3.{python.minor}-{key.hexdigest()[:16]}"


def missing(python: Python) -> str:
    """Return the sentence for a test that finds no wheels."""
    return f"no wheels for Python 3.{python.minor}: run make components (33 s, once)"


def fill(python: Python) -> None:
    """Get the wheels for a Python where they are missing.

    Raises ``subprocess.CalledProcessError`` after pip has said why.
    """
    folder = wheelhouse(python)
    if folder.is_dir():
        return
    print(f"getting wheels for Python {python.release}", file=sys.stderr, flush=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f"{folder.name}.") as scratch:
        environment, wheels = Path(scratch, "environment"), Path(scratch, "wheels")
        subprocess.run([python.program, "-m", "venv", environment], check=True)
        pip = [environment / "bin" / "pip", "--disable-pip-version-check", "--quiet"]
        command = [*pip, "wheel", "--wheel-dir", wheels, "--constraint", LOCK, *requirements()]
        subprocess.run(command, check=True)
        if not folder.is_dir():
            wheels.rename(folder)


def main() -> int:
    """Fill what is missing; that nothing can be had is a failure only in CI."""
    code = 0
    for python in oldest_and_newest():
        try:
            fill(python)
        except subprocess.CalledProcessError as error:
            print(f"no wheels for Python {python.release}: {error}", file=sys.stderr)
            code = 1 if os.environ.get("CI") == "true" else code
    return code


if __name__ == "__main__":
    sys.exit(main())
