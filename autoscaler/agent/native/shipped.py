"""The limiter that an installed wheel carries: where it is, and copying it to where it is used.

A wheel carries the library and the installer of its own architecture.  A checkout carries their
sources, which ``build`` compiles.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from autoscaler.api.injection import INIT_COMMAND
from autoscaler.api.injection import LIBRARY as PRELOADED
from autoscaler.errors import AutoscalerError

LIBRARY = Path(PRELOADED).name
INSTALLER = Path(INIT_COMMAND[0]).name
"""Their names are those that pods know."""
SHIPPED = Path(__file__).parent / "shipped"
PLACE = "autoscaler/agent/native/shipped"
"""The same folder, in a wheel."""
MODE = 0o755


class NoLimiterError(AutoscalerError):
    """This installation carries no limiter; the text says how one can be had."""


def copy_limiter(into: Path, shipped: Path = SHIPPED) -> tuple[Path, ...]:
    """Copy the library and the installer into a folder, which is made; return their paths.

    Each appears whole or not at all, and never in place of the bytes of an earlier one: processes
    that were started with that one go on with it.  Raises ``NoLimiterError``, and
    ``AutoscalerError`` where the folder cannot be written.
    """
    sources = [shipped / name for name in (LIBRARY, INSTALLER)]
    if not all(source.is_file() for source in sources):
        raise NoLimiterError(
            "this installation carries no limiter: install a wheel for this machine (manylinux, "
            "x86_64 or aarch64); in a checkout, make limiter builds it into build/limiter"
        )
    try:
        into.mkdir(parents=True, exist_ok=True)
        return tuple(_copy(source, into / source.name) for source in sources)
    except OSError as error:
        place = error.filename or into
        raise AutoscalerError(f"{place}: cannot be written: {error.strerror}") from error


def _copy(source: Path, path: Path) -> Path:
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.") as folder:
        copy = Path(shutil.copyfile(source, Path(folder, path.name)))
        copy.chmod(MODE)
        return copy.replace(path)
