"""What runs programs of another C library and of another processor: musl's loader, qemu-user.

``python -m tests.components.loaders`` makes them available, or says what is missing.  Programs for
them are built by the tests themselves.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path

PACKAGES = ("musl", "qemu-user", "libc6-arm64-cross")
"""Of Debian and Ubuntu."""
QEMU_NAMES = ("qemu-aarch64", "qemu-aarch64-static")
ARM64_ROOTS = ("/usr/aarch64-linux-gnu", "/")
MISSING_MUSL = "no loader of musl in /lib: install the package musl"
MISSING_QEMU = (
    f"no {' or '.join(QEMU_NAMES)} on PATH with a glibc for arm64 in {ARM64_ROOTS[0]}: "
    "install the packages qemu-user and libc6-arm64-cross"
)


def find_musl() -> Path | None:
    """Return musl's loader for this machine; None where there is none."""
    return next(Path("/lib").glob(f"ld-musl-{platform.machine()}.so.*"), None)


def find_qemu() -> list[str] | None:
    """Return the command before an arm64 program that needs glibc; None where there is none."""
    emulator = next((path for name in QEMU_NAMES if (path := shutil.which(name))), None)
    roots = [root for root in ARM64_ROOTS if Path(root, "lib/ld-linux-aarch64.so.1").exists()]
    return [emulator, "-L", roots[0]] if emulator and roots else None


def missing() -> list[str]:
    """Return what is missing, in words."""
    wanted = ((find_musl(), MISSING_MUSL), (find_qemu(), MISSING_QEMU))
    return [words for found, words in wanted if found is None]


def install_loaders() -> None:
    """Install the distribution's packages, where that needs no password."""
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        return
    print(f"installing {', '.join(PACKAGES)} for the limiter's tests", file=sys.stderr)
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for command in (
        ["apt-get", "update", "-qq"],
        ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *PACKAGES],
    ):
        subprocess.run(command, check=False, env=quiet, stdout=subprocess.DEVNULL)


def main() -> int:
    """Make the loaders available; missing ones are a failure only in CI."""
    if missing():
        install_loaders()
    lacking = missing()
    for words in lacking:
        print(words, file=sys.stderr)
    return 1 if lacking and os.environ.get("CI") == "true" else 0


if __name__ == "__main__":
    sys.exit(main())
