"""The file that a state is kept in: whole or not there, whatever ends the process meanwhile.

What the bytes mean, and whether they can be used, is ``checkpointing`` and ``starting``.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from autoscaler.errors import AutoscalerError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

_UNWRITTEN = ".tmp"
_UNUSABLE = ".unusable"
_OWNER_ONLY = 0o600


def save(path: Path, data: bytes) -> None:
    """Replace the file by ``data``, or leave it as it is.

    The bytes are on the disk before they get the name.  Raises ``UsageError`` for a path that can
    never be written, and ``AutoscalerError`` where writing failed this time.
    """
    unwritten = path.with_name(path.name + _UNWRITTEN)
    with _told("written", path):
        flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
        with os.fdopen(os.open(unwritten, flags, _OWNER_ONLY), "wb") as file:
            os.fchmod(file.fileno(), _OWNER_ONLY)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        unwritten.replace(path)
        _sync_folder(path.parent)


def load(path: Path) -> bytes | None:
    """Return the file's bytes; None where there is no file.  Errors as those of ``save``."""
    with _told("read", path):
        try:
            return path.read_bytes()
        except FileNotFoundError:
            if path.parent.is_dir():
                return None
            raise


def set_aside(path: Path) -> Path:
    """Give an unusable file another name, so that nothing is lost, and return it.

    The one that was set aside before is replaced.  Errors as those of ``save``.
    """
    aside = path.with_name(path.name + _UNUSABLE)
    with _told("set aside", path):
        path.replace(aside)
    return aside


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _told(done: str, path: Path) -> Iterator[None]:
    try:
        yield
    except (FileNotFoundError, NotADirectoryError) as error:
        raise UsageError(
            f"state file {path} cannot be {done}: there is no folder {path.parent}; "
            "allowed: a path in a folder that exists"
        ) from error
    except IsADirectoryError as error:
        raise UsageError(
            f"state file {path} cannot be {done}: it is a folder; allowed: a file"
        ) from error
    except PermissionError as error:
        raise UsageError(
            f"state file {path} cannot be {done}: {error.strerror}; "
            f"allowed: a file in a folder that user {os.geteuid()} may write"
        ) from error
    except OSError as error:
        raise AutoscalerError(f"state file {path} cannot be {done}: {error.strerror}") from error
