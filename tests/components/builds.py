"""Builds components into a cache outside the tree, once for each version of what goes in.

The cache's folders are named by a hash of the module files, our own sources, the flags and the Go
release, so a change of any of them builds anew and two checkouts share what they have in common.  A
folder appears by one rename when it is complete.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.components.catalogue import Component
from tests.components.golang import Go, environment

WORD_EVERY_S = 30.0
LINES_OF_AN_ERROR = 30


class BuildError(Exception):
    """A component could not be built; the text says which, and what Go said."""


def cache_folder() -> Path:
    """Return where built components are kept."""
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(root) / "tensor-fusion-autoscaler" / "components"


def flags(component: Component) -> list[str]:
    """Return the flags of ``go build``: small programs, the same wherever they are built."""
    stamps = "".join(f" -X {name}={text}" for name, text in component.stamps.items())
    return [
        "-mod=readonly",
        "-trimpath",
        "-buildvcs=false",
        f"-tags={','.join(component.tags)}",
        f"-ldflags=-s -w{stamps}",
    ]


def built_folder(component: Component, go: Go, cache: Path) -> Path:
    """Return the folder that holds the programs once they are built."""
    key = hashlib.sha256()
    for path in (component.module / "go.mod", component.module / "go.sum", *own_sources(component)):
        key.update(path.read_bytes())
    key.update(json.dumps([flags(component), dict(component.programs), go.description]).encode())
    return cache / f"{component.name}-{key.hexdigest()[:16]}"


def own_sources(component: Component) -> list[Path]:
    """Return the Go files beside the module files; a component of published programs has none."""
    return sorted(component.module.glob("*.go"))


def build(component: Component, go: Go, cache: Path) -> Path:
    """Return the folder of the built programs; builds them where they are missing.

    Raises ``BuildError`` with the end of what Go said.
    """
    folder = built_folder(component, go, cache)
    if folder.is_dir():
        return folder
    cache.mkdir(parents=True, exist_ok=True)
    with _alone(folder):
        if not folder.is_dir():
            _build_anew(component, go, folder)
    return folder


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Wait until no other process builds the same; the lock ends with its process."""
    with folder.with_name(f"{folder.name}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _say(f"waiting for another build of {folder.name}")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _build_anew(component: Component, go: Go, folder: Path) -> None:
    for left_over in folder.parent.glob(f"{folder.name}.*.building"):
        shutil.rmtree(left_over, ignore_errors=True)
    staging = Path(
        tempfile.mkdtemp(prefix=f"{folder.name}.", suffix=".building", dir=folder.parent)
    )
    names = ", ".join(component.programs)
    _say(f"building {names} with {go.description} ({component.usual_time}, once)")
    begin_s = time.monotonic()
    try:
        for name, package in component.programs.items():
            command = [str(go.program), "build", *flags(component), "-o", str(staging / name)]
            _run([*command, package], component.module, name)
        staging.chmod(0o755)
        staging.rename(folder)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    _say(f"built {names} in {time.monotonic() - begin_s:.0f} s: {folder}")


def _run(command: list[str], module: Path, name: str) -> None:
    """Run one ``go build`` and say now and then that it still runs."""
    with (
        tempfile.TemporaryFile("w+", encoding="utf-8") as said,
        subprocess.Popen(
            command, cwd=module, env=environment(), stdout=said, stderr=subprocess.STDOUT
        ) as process,
    ):
        begin_s = time.monotonic()
        try:
            while (code := _ended(process)) is None:
                _say(f"still building {name}: {time.monotonic() - begin_s:.0f} s")
        except BaseException:
            process.kill()
            process.wait()
            raise
        if code != 0:
            said.seek(0)
            end = "".join(said.readlines()[-LINES_OF_AN_ERROR:]).rstrip()
            raise BuildError(f"go build of {name} ended with exit code {code}:\n{end}")


def _ended(process: subprocess.Popen[bytes]) -> int | None:
    try:
        return process.wait(timeout=WORD_EVERY_S)
    except subprocess.TimeoutExpired:
        return None


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
