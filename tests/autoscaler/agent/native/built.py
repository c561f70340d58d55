"""Builds C sources into shared libraries and programs for tests, once for each content.

What is built lies under build/tests-native, in files named by a hash of the sources, of the headers
in their folders, of the flags and of the compiler; it appears by one rename, so that test processes
may build side by side.
"""

from __future__ import annotations

import functools
import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Literal
from uuid import uuid4

ROOT = Path(__file__).resolve().parents[4]
NATIVE = ROOT / "autoscaler" / "agent" / "native"
BUILT = ROOT / "build" / "tests-native"
ZIG = ROOT / "build" / "limiter" / "zig-cache"
"""The compiler keeps the C libraries that it has built there, as for the limiter itself."""
METER = tuple(
    NATIVE / f"{name}.c"
    for name in ("law", "costs", "mixes", "lanes", "spans", "timeline", "settling", "meter")
)
STRICT = ("-std=gnu11", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-Wconversion")
HEADERS = ("*.h", "*.def")

Compiler = Literal["gcc", "zig"]


class CompileError(Exception):
    """C sources did not compile; the text is what the compiler said."""


def compilers() -> list[Compiler]:
    """Return the compilers at hand; zig, a dependency of the tests, is always among them."""
    return ["gcc", "zig"] if shutil.which("gcc") else ["zig"]


def built_library(
    sources: Sequence[Path],
    *,
    flags: Sequence[str] = (),
    include: Sequence[Path] = (NATIVE,),
    compiler: Compiler | None = None,
) -> Path:
    """Return a shared library of ``sources``, with all their functions visible unless flags differ.

    ``flags`` come after ``STRICT -O2 -g``; libraries to link (``-ldl``) go there too.  Raises
    ``CompileError``.
    """
    return _built(sources, ("-shared", "-fPIC", *flags), include, compiler, ".so")


def built_program(
    sources: Sequence[Path],
    *,
    flags: Sequence[str] = (),
    include: Sequence[Path] = (NATIVE,),
    compiler: Compiler | None = None,
) -> Path:
    """Return an executable of ``sources``; see ``built_library``."""
    return _built(sources, tuple(flags), include, compiler, "")


def _built(
    sources: Sequence[Path],
    flags: Sequence[str],
    include: Sequence[Path],
    compiler: Compiler | None,
    suffix: str,
) -> Path:
    chosen = compiler or compilers()[0]
    command = [
        *_command(chosen),
        *STRICT,
        "-O2",
        "-g",
        *(f"-I{folder}" for folder in include),
        *(str(source) for source in sources),
        *flags,
    ]
    digest = hashlib.sha256("\0".join([_version(chosen), *command]).encode())
    folders = dict.fromkeys([*include, *(source.parent for source in sources)])
    headers = [path for folder in folders for glob in HEADERS for path in folder.glob(glob)]
    for path in [*sources, *sorted(headers)]:
        digest.update(path.read_bytes() + b"\0")
    target = BUILT / f"{sources[0].stem}-{digest.hexdigest()[:16]}{suffix}"
    if not target.exists():
        _compile(command, target)
    return target


def _compile(command: Sequence[str], target: Path) -> None:
    BUILT.mkdir(parents=True, exist_ok=True)
    made = BUILT / f"{uuid4().hex}.new"
    run = subprocess.run(
        [*command, "-o", str(made)],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ | {name: str(ZIG) for name in _ZIG_FOLDERS},
    )
    if run.returncode != 0:
        made.unlink(missing_ok=True)
        raise CompileError(f"{' '.join(command)}\n{run.stderr}")
    made.rename(target)


_ZIG_FOLDERS = ("ZIG_GLOBAL_CACHE_DIR", "ZIG_LOCAL_CACHE_DIR")


def _command(compiler: Compiler) -> list[str]:
    return ["gcc"] if compiler == "gcc" else [sys.executable, "-m", "ziglang", "cc"]


@functools.cache
def _version(compiler: Compiler) -> str:
    asked = [*_command(compiler), "--version"]
    environment = os.environ | {name: str(ZIG) for name in _ZIG_FOLDERS}
    return subprocess.run(asked, capture_output=True, text=True, check=True, env=environment).stdout
