"""A folder as the root of processes, with nothing of this machine but what a base image has.

Where no image can be built, this is the nearest: mounts of its own, another root, another user, and
a root file system that cannot be written.  Whoever is not root here gets a user namespace.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.components.pythons import Python

LIBRARIES = ("/lib", "/lib64", "/usr/lib", "/usr/lib64")
TOOLS = ("/bin", "/usr/bin")
"""Shell and tools, for a stage that builds.  There are compilers among them."""
DEVICES = ("/dev/null", "/dev/zero", "/dev/urandom")
ENTER = """\
set -eu
root=$1 mounts=$2 mode=$3
shift 3
mount --bind "$root" "$root"
mount -o "remount,bind,$mode" "$root"
for pair in $mounts; do
  mount --rbind "${pair%:*}" "$root${pair#*:}"
  case $pair in /proc:* | /dev/*) ;; *) mount -o remount,bind,ro "$root${pair#*:}" ;; esac
done
mount -t tmpfs tmpfs "$root/tmp"
exec "$@"
"""
"""Where things are mounted is made before, because the root may not be written then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CleanRoot:
    """A folder, and what of this machine is seen in it."""

    folder: Path
    mounts: Mapping[str, str]
    """Place in the root to folder of this machine."""

    def run(
        self, *command: str, variables: Mapping[str, str], user: str, is_read_only: bool
    ) -> subprocess.CompletedProcess[str]:
        """Run a program of the root to its end, as a user and group such as ``65532:65532``."""
        lines = " ".join(f"{source}:{place}" for place, source in self.mounts.items())
        mode = "ro" if is_read_only else "rw"
        enter = ["sh", "-c", ENTER, "enter", str(self.folder), lines, mode]
        # What enters the root is of this machine; the rest are the command's own variables.
        return subprocess.run(
            [*_apart(), *enter, *_changed(self.folder, user), *command],
            env=dict(variables) | {"PATH": f"{variables['PATH']}:/usr/sbin:/usr/bin:/bin"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )


def _apart() -> list[str]:
    """Return the command that begins a process with mounts of its own."""
    namespaces = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    return ["unshare", *namespaces, "--mount", "--propagation", "private"]


def _changed(folder: Path, user: str) -> list[str]:
    """Return the command that changes root and user."""
    uid, _, gid = user.partition(":")
    if os.geteuid() == 0:
        return ["chroot", f"--userspec={user}", "--groups=", str(folder)]
    mapped = [f"--map-user={uid}", f"--map-group={gid}"]
    return ["unshare", "--user", *mapped, f"--root={folder}", "--"]


def can_be_entered() -> str:
    """Return why this machine gives nobody a root of his own; empty where it does."""
    tried = subprocess.run([*_apart(), "true"], capture_output=True, text=True, check=False)
    return tried.stderr.strip()


def bare_root(folder: Path) -> CleanRoot:
    """Make a root with what every container has, and nothing else."""
    (folder / "tmp").mkdir(parents=True)
    (folder / "proc").mkdir()
    return CleanRoot(folder=folder, mounts={"/proc": "/proc"})


def python_root(folder: Path, python: Python, *, has_tools: bool) -> CleanRoot:
    """Make a root that looks like an image of Python: the one in ``/usr/local`` is ``python``."""
    prefix = str(python.prefix)
    places = {**bare_root(folder).mounts, **{device: device for device in DEVICES}}
    for place in (*LIBRARIES, *(TOOLS if has_tools else ())):
        path = Path(place)
        if path.is_symlink():
            folder.joinpath(place[1:]).symlink_to(path.readlink())
        elif path.exists():
            places[place] = place
    # Its programs look for their library where they were installed.
    places |= {"/usr/local": prefix, **({} if prefix == "/usr" else {prefix: prefix})}
    for place in places:
        target = folder / place[1:]
        if Path(place).is_dir():
            target.mkdir(parents=True, exist_ok=True)
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            target.touch()
    return CleanRoot(folder=folder, mounts=places)
