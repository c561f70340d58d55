"""Lets the processes of a pod stand still, by the freezer of cgroup version 2.

A frozen pod launches nothing, while what the card has already goes on: a backstop, not a limit.
Whole pods are frozen, never single containers, which container runtimes freeze themselves.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from autoscaler.agent.mapping.cgroup_names import UNIFIED
from autoscaler.agent.mapping.process_facts import PROC
from autoscaler.errors import AutoscalerError

CGROUPS = Path("/sys/fs/cgroup")
_FREEZE = "cgroup.freeze"


class FreezeError(AutoscalerError):
    """A pod cannot be frozen or thawed."""


class Freezer:
    """Freezes pods for a while.  Not thread-safe; ``now_s`` never goes back."""

    def __init__(self, cgroups: Path = CGROUPS, proc: Path = PROC) -> None:
        self._cgroups = cgroups
        self._proc = proc
        self._until_s: dict[Path, float] = {}

    def freeze(self, uid: str, pids: Iterable[int], until_s: float) -> None:
        """Freeze the pod of some host PIDs until a time.

        Raises ``FreezeError`` where it has no cgroup of version 2 that is its own.
        """
        folder = self.folder_of(uid, pids)
        _write(folder, frozen=True)
        self._until_s[folder] = until_s

    def thaw(self, now_s: float) -> None:
        """Thaw what was frozen long enough.  Raises ``FreezeError`` after all were tried."""
        self._thaw([each for each, until_s in self._until_s.items() if until_s <= now_s])

    def thaw_all(self) -> None:
        """Thaw all that this agent froze: it is about to end.  Raises ``FreezeError``."""
        self._thaw(list(self._until_s))

    def release(self, uid: str, pids: Iterable[int]) -> None:
        """Thaw a pod that an agent before this one left frozen.  Raises ``FreezeError``."""
        with suppress(FileNotFoundError):
            folder = self.folder_of(uid, pids)
            if (folder / _FREEZE).read_text(encoding="ascii").strip() == "1":
                _write(folder, frozen=False)

    def folder_of(self, uid: str, pids: Iterable[int]) -> Path:
        """Return the cgroup of a pod, from the path of any of its processes.

        Raises ``FreezeError`` where none tells it.
        """
        for pid in pids:
            path = self._path_of(pid)
            parts = path.parts if path is not None else ()
            for i, part in enumerate(parts):
                if _names(part, uid) and ".." not in parts:
                    return self._cgroups.joinpath(*parts[1 : i + 1])
        raise FreezeError(
            f"pod {uid}: has no cgroup of version 2 by which it could be frozen; allowed: a node "
            "with cgroup version 2, and the host's cgroup namespace"
        )

    def _path_of(self, pid: int) -> Path | None:
        """Return the path of a process in the one hierarchy of version 2; None: it is gone."""
        try:
            content = (self._proc / str(pid) / "cgroup").read_bytes()
        except OSError:
            return None
        # A name may hold all that ends a line of text but "\n", which the kernel refuses.
        text = content.decode("utf-8", "surrogateescape")
        lines = (line for line in text.split("\n") if line.startswith(UNIFIED))
        return next((Path(line.removeprefix(UNIFIED)) for line in lines), None)

    def _thaw(self, folders: Sequence[Path]) -> None:
        failed = None
        for folder in folders:
            try:
                if folder.exists():
                    _write(folder, frozen=False)
                del self._until_s[folder]
            except FreezeError as error:
                failed = error
        if failed is not None:
            raise failed


def _names(part: str, uid: str) -> bool:
    """Return whether a part of a path is the pod: ``pod<uid>``, or ``...-pod<uid>.slice``."""
    return part.removesuffix(".slice").endswith((f"pod{uid}", f"pod{uid.replace('-', '_')}"))


def _write(folder: Path, *, frozen: bool) -> None:
    try:
        # Never created: a folder without the file is no cgroup.
        descriptor = os.open(folder / _FREEZE, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            os.write(descriptor, b"1" if frozen else b"0")
        finally:
            os.close(descriptor)
    except OSError as error:
        raise FreezeError(f"{folder / _FREEZE}: {os.strerror(error.errno or 0)}") from error
