"""Builds the limiter and its installer: ``python -m autoscaler.agent.native.build``.

The library goes into images that nobody here knows, so it is linked against the oldest glibc that
one may have; the installer runs in an image without anything, so it is static.  Both are made for
each architecture on any machine by the C compiler of PyPI's ``ziglang``.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from autoscaler.agent.native.shipped import LIBRARY

SOURCES = Path(__file__).parent
FOLDER = Path("build/limiter")
ARCHITECTURES = ("x86_64", "aarch64")
OLDEST_GLIBC = "2.17"
INSTALL_SOURCE = "install.c"
BESIDE = ("*.h", "*.def", "*.map")
CACHES = ("ZIG_GLOBAL_CACHE_DIR", "ZIG_LOCAL_CACHE_DIR")
"""Variables of the compiler; where they are not set, its cache is beside what is built."""
WARNINGS = ("-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Werror")
FLAGS = ("-std=c11", "-O2", "-g0", "-s", *WARNINGS)
LIBRARY_FLAGS = ("-fPIC", "-shared", "-fvisibility=hidden", "-flto")
"""Across files: a launch goes through several of them within some nanoseconds."""


class BuildError(Exception):
    """Nothing was built; the text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """One file that is built."""

    path: Path
    sources: tuple[Path, ...]
    flags: tuple[str, ...]


def limiter(architecture: str, folder: Path = FOLDER) -> Product:
    """Return the library of one of ``ARCHITECTURES``."""
    versions = SOURCES / "exports.map"
    return Product(
        path=folder / f"libtensorfusion-limiter-{architecture}.so",
        sources=tuple(p for p in sorted(SOURCES.glob("*.c")) if p.name != INSTALL_SOURCE),
        flags=(
            f"--target={architecture}-linux-gnu.{OLDEST_GLIBC}",
            *FLAGS,
            *LIBRARY_FLAGS,
            # Else the linker writes the path of this build into it, and no two would be the same.
            f"-Wl,-soname,{LIBRARY}",
            f"-Wl,--version-script={versions}",
        ),
    )


def installer(architecture: str, folder: Path = FOLDER) -> Product:
    """Return the program of the limiter's image for one of ``ARCHITECTURES``."""
    return Product(
        path=folder / f"tensorfusion-install-{architecture}",
        sources=(SOURCES / INSTALL_SOURCE,),
        flags=(f"--target={architecture}-linux-musl", *FLAGS, "-static"),
    )


def products(folder: Path = FOLDER) -> list[Product]:
    """Return everything that there is to build."""
    return [make(name, folder) for name in ARCHITECTURES for make in (limiter, installer)]


def built(product: Product) -> Path:
    """Build a product where its sources or flags are others than last time; return its path.

    Raises ``BuildError`` with the compiler's words.
    """
    stamp = product.path.with_name(f".{product.path.name}.sha256")
    digest = digest_of(product)
    if product.path.exists() and stamp.exists() and stamp.read_text() == digest:
        return product.path
    product.path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = product.path.with_name(f".{product.path.name}.{os.getpid()}")
    try:
        compile_into(unfinished, product)
        unfinished.replace(product.path)
    finally:
        unfinished.unlink(missing_ok=True)
    stamp.write_text(digest)
    return product.path


def digest_of(product: Product) -> str:
    """Return a digest of all that the product is made of."""
    parts = [*product.flags]
    folders = dict.fromkeys(path.parent for path in product.sources)
    beside = [p for folder in folders for kind in BESIDE for p in sorted(folder.glob(kind))]
    for path in (*product.sources, *beside):
        parts += [path.name, path.read_text(encoding="utf-8")]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def compile_into(path: Path, product: Product) -> None:
    """Run the compiler; raises ``BuildError``."""
    if importlib.util.find_spec("ziglang") is None:
        raise BuildError("the compiler is missing: python -m pip install ziglang")
    cache = str((product.path.parent / "zig-cache").absolute())
    run = subprocess.run(  # noqa: S603 -- the arguments are of this module
        [sys.executable, "-m", "ziglang", "cc", *product.flags, "-o", str(path), *product.sources],
        env={**dict.fromkeys(CACHES, cache), **os.environ},
        capture_output=True,
        check=False,
        encoding="utf-8",
    )
    if run.returncode != 0:
        raise BuildError(f"{product.path.name} cannot be built:\n{run.stderr}")


def main(arguments: Sequence[str]) -> int:
    """Build everything and name it on stdout."""
    parser = argparse.ArgumentParser(
        prog="python -m autoscaler.agent.native.build",
        description="Builds the limiter and its installer for every architecture.",
    )
    parser.add_argument("--into", type=Path, default=FOLDER, metavar="FOLDER", help="%(default)s")
    folder = parser.parse_args(arguments).into
    try:
        for product in products(folder):
            sys.stdout.write(f"{built(product)}\n")
    except (BuildError, OSError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
