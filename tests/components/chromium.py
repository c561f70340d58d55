"""The browser of the page tests: found, or installed from the system's packages.

``python -m tests.components.chromium`` makes it available, or says what is missing.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
VARIABLE = "TFA_CHROMIUM"
MISSING = (
    f"no Chromium for the page tests: install one ({', '.join(NAMES)} on PATH) "
    f"or name its program in {VARIABLE}"
)


def find_chromium() -> str | None:
    """Return the path of a Chromium; None where there is none."""
    named = os.environ.get(VARIABLE)
    if named:
        return shutil.which(named)
    return next((path for name in NAMES if (path := shutil.which(name))), None)


def install_chromium() -> None:
    """Install the distribution's package, where that needs no password."""
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        return
    print("installing Chromium for the page tests", file=sys.stderr)
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (
        ["apt-get", "update", "-qq"],
        ["apt-get", "install", "-y", "-qq", "--no-install-recommends", "chromium"],
    ):
        subprocess.run(command, check=False, env=quiet, stdout=subprocess.DEVNULL)


def main() -> int:
    """Make a Chromium available; a missing one is a failure only in CI."""
    if find_chromium() is None:
        install_chromium()
    if find_chromium() is not None:
        return 0
    print(MISSING, file=sys.stderr)
    return 1 if os.environ.get("CI") == "true" else 0


if __name__ == "__main__":
    sys.exit(main())
