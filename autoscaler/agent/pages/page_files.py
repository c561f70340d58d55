"""Opens and compares files in folders that tenants may write to.

Nothing here follows a link, waits for a pipe, maps a file (a page that is cut short would end the
agent by SIGBUS), or takes a file of another kind or size for a page.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from autoscaler.agent.pages.errors import PageError, PageTamperedError

_GUARDED = os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


@contextmanager
def opened_folder(folder: Path) -> Iterator[int | None]:
    """Give a descriptor of a folder itself; None where there is none yet.

    Raises ``PageError`` where something else stands there, a link for example.
    """
    try:
        descriptor = os.open(folder, os.O_PATH | os.O_DIRECTORY | _GUARDED)
    except FileNotFoundError:
        yield None
        return
    except OSError as error:
        raise page_error(folder, error) from error
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def open_page(folder: Path, name: str, access: int, size_bytes: int) -> int | None:
    """Return a descriptor of a page; None where there is none yet.

    Raises ``PageTamperedError`` for anything but a regular file of its size.
    """
    path = folder / name
    with opened_folder(folder) as within:
        if within is None:
            return None
        try:
            descriptor = os.open(name, access | _GUARDED, dir_fd=within)
        except FileNotFoundError:
            return None
        except OSError as error:
            is_link = error.errno == errno.ELOOP
            reason = "is a link" if is_link else os.strerror(error.errno or 0)
            allowed = f"allowed: a file of {size_bytes} bytes"
            raise PageTamperedError(f"{path}: {reason}; {allowed}") from error
    found = os.fstat(descriptor)
    if stat.S_ISREG(found.st_mode) and found.st_size == size_bytes:
        return descriptor
    os.close(descriptor)
    kind = "a file" if stat.S_ISREG(found.st_mode) else stat.filemode(found.st_mode)
    raise PageTamperedError(
        f"{path}: is {kind} of {found.st_size} bytes; allowed: a file of {size_bytes} bytes"
    )


def identity_of(descriptor: int) -> tuple[int, int]:
    """Return what tells an open file from all others while it is open."""
    opened = os.fstat(descriptor)
    return opened.st_dev, opened.st_ino


def is_still(identity: tuple[int, int], path: Path) -> bool:
    """Return whether a path names the file with this identity: not another one, and not nothing."""
    try:
        named = path.stat(follow_symlinks=False)
    except OSError:
        return False
    return (named.st_dev, named.st_ino) == identity


def page_error(path: Path, error: OSError) -> PageError:
    """Return the error of the system as one that names the path."""
    return PageError(f"{path}: {os.strerror(error.errno or 0)}")
